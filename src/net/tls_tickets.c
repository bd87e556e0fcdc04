/*
 * tls_tickets.c - keys under which clients keep their sessions        (machine)
 */
#include "net/tls_tickets.h"

#include <sodium.h>
#include <string.h>

static void
draw(struct tls_ticket_key *key)
{
	randombytes_buf(key, sizeof(*key));
}

void
tls_tickets_init(struct tls_tickets *tickets, uint64_t now_ms)
{
	draw(&tickets->now);
	draw(&tickets->before); /* opens nothing, like any other that nobody has */
	tickets->since_ms = now_ms;
}

void
tls_tickets_wipe(struct tls_tickets *tickets)
{
	sodium_memzero(tickets, sizeof(*tickets));
}

static void
turn(struct tls_tickets *tickets, uint64_t now_ms)
{
	uint64_t age_ms = now_ms - tickets->since_ms;

	if (age_ms < TLS_TICKET_KEY_MS)
		return;
	if (age_ms < 2 * (uint64_t)TLS_TICKET_KEY_MS)
		tickets->before = tickets->now;
	else
		draw(&tickets->before);
	draw(&tickets->now);
	tickets->since_ms = now_ms;
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
