/*
 * tls_tickets.c - keys under which clients keep their sessions        (machine)
 */
#include "net/tls_tickets.h"

#include "base/mem.h"

#include <sodium.h>
#include <string.h>

/* What grows from a secret, by number. */
enum { GROWS_NEXT, GROWS_NAME, GROWS_CIPHER, GROWS_MAC };

_Static_assert(TLS_TICKET_ROOT_BYTES == crypto_kdf_KEYBYTES, "secrets are keys of sodium's");

static void
grow(const unsigned char *secret, uint64_t what, unsigned char *bytes_r, size_t len)
{
	must(crypto_kdf_derive_from_key(bytes_r, len, what, "tickets", secret) == 0);
}

/* ---- the root */

struct tls_ticket_root *
tls_ticket_root_new(uint64_t now_ms)
{
	struct tls_ticket_root *root;

	must(sodium_init() != -1); /* it measures pages then */
	root = sodium_malloc(sizeof(*root));
	must(root != NULL);
	randombytes_buf(root->now, sizeof(root->now));
	randombytes_buf(root->before, sizeof(root->before)); /* opens nothing that anybody has */
	root->turn = now_ms / TLS_TICKET_KEY_MS;
	return root;
}

void
tls_ticket_root_free(struct tls_ticket_root **root)
{
	sodium_free(*root);
	*root = NULL;
}

void
tls_ticket_root_turn(struct tls_ticket_root *root, uint64_t now_ms)
{
	unsigned char next[TLS_TICKET_ROOT_BYTES];

	for (; root->turn < now_ms / TLS_TICKET_KEY_MS; root->turn++) {
		grow(root->now, GROWS_NEXT, next, sizeof(next));
		memcpy(root->before, root->now, sizeof(root->before));
		memcpy(root->now, next, sizeof(root->now));
		sodium_memzero(next, sizeof(next));
	}
}

uint64_t
tls_ticket_root_left_ms(uint64_t now_ms)
{
	return TLS_TICKET_KEY_MS - now_ms % TLS_TICKET_KEY_MS;
}

/* ---- the keys of one label */

static void
make_key(const struct tls_tickets *tickets, const unsigned char *secret, struct tls_ticket_key *key)
{
	unsigned char own[TLS_TICKET_ROOT_BYTES];

	must(crypto_generichash(own, sizeof(own), tickets->label, sizeof(tickets->label), secret,
		 TLS_TICKET_ROOT_BYTES) == 0);
	grow(own, GROWS_NAME, key->name, sizeof(key->name));
	grow(own, GROWS_CIPHER, key->cipher, sizeof(key->cipher));
	grow(own, GROWS_MAC, key->mac, sizeof(key->mac));
	sodium_memzero(own, sizeof(own));
}

static void
make_keys(struct tls_tickets *tickets)
{
	make_key(tickets, tickets->root->now, &tickets->now);
	make_key(tickets, tickets->root->before, &tickets->before);
	tickets->turn = tickets->root->turn;
}

void
tls_tickets_init(struct tls_tickets *tickets, struct tls_ticket_root *root, struct str label,
    uint64_t now_ms)
{
	*tickets = (struct tls_tickets){.root = root, .is_own = root == NULL};
	if (tickets->is_own)
		tickets->root = tls_ticket_root_new(now_ms);
	must(crypto_generichash(tickets->label, sizeof(tickets->label),
		 (const unsigned char *)label.ptr, label.len, NULL, 0) == 0);
	tls_ticket_root_turn(tickets->root, now_ms);
	make_keys(tickets);
}

void
tls_tickets_wipe(struct tls_tickets *tickets)
{
	if (tickets->is_own)
		tls_ticket_root_free(&tickets->root);
	sodium_memzero(tickets, sizeof(*tickets));
}

static void
turn(struct tls_tickets *tickets, uint64_t now_ms)
{
	tls_ticket_root_turn(tickets->root, now_ms);
	if (tickets->turn != tickets->root->turn)
		make_keys(tickets);
}

struct tls_ticket_key *
tls_tickets_seal(struct tls_tickets *tickets, uint64_t now_ms)
{
	turn(tickets, now_ms);
	return &tickets->now;
}

struct tls_ticket_key *
tls_tickets_open(struct tls_tickets *tickets, uint64_t now_ms, const unsigned char *name,
    bool *is_old_r)
{
	turn(tickets, now_ms);
	*is_old_r = memcmp(name, tickets->now.name, TLS_TICKET_NAME_BYTES) != 0;
	if (!*is_old_r)
		return &tickets->now;
	if (memcmp(name, tickets->before.name, TLS_TICKET_NAME_BYTES) == 0)
		return &tickets->before;
	return NULL;
}
