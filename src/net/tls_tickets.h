/*
 * tls_tickets.h - keys under which clients keep their sessions        (machine)
 *
 * A session ticket (RFC 5077; RFC 8446, 4.6.1) is the server's memory, left with
 * the client. Keys live in memory alone, and are replaced: the one before still
 * opens tickets for as long again, then it is overwritten, and nobody can open
 * what was recorded.
 *
 * All workers of a host take a client back, whichever it comes to: their keys grow
 * from one root, which their master draws before they part. It turns by the clock of
 * the host, so that nobody has to tell anybody, and cannot be turned back.
 */
#ifndef NET_TLS_TICKETS_H
#define NET_TLS_TICKETS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	TLS_TICKET_KEY_MS = 4 * 60 * 60 * 1000,
	TLS_TICKET_NAME_BYTES = 16,
	TLS_TICKET_ROOT_BYTES = 32
};

struct tls_ticket_root {
	unsigned char now[TLS_TICKET_ROOT_BYTES], before[TLS_TICKET_ROOT_BYTES];
	uint64_t turn; /* which of them "now" is: time / TLS_TICKET_KEY_MS */
};

/* In memory that is locked, and in no core. */
struct tls_ticket_root *tls_ticket_root_new(uint64_t now_ms);
void tls_ticket_root_free(struct tls_ticket_root **root); /* wipes; NULL is allowed */
void tls_ticket_root_turn(struct tls_ticket_root *root, uint64_t now_ms);
uint64_t tls_ticket_root_left_ms(uint64_t now_ms); /* until it is to be turned again */

struct tls_ticket_key {
	unsigned char name[TLS_TICKET_NAME_BYTES]; /* stands in the ticket, in clear */
	unsigned char cipher[32]; /* AES-256 */
	unsigned char mac[32]; /* HMAC with SHA-256 */
};

struct tls_tickets {
	struct tls_ticket_root *root;
	bool is_own; /* the root is */
	unsigned char label[TLS_TICKET_ROOT_BYTES];
	struct tls_ticket_key now, before;
	uint64_t turn; /* of the root, which these are of */
};

/*
 * root is lent as long as the tickets, and turned; NULL: one of their own. Tickets of one
 * label (what is spoken there) are not opened under another.
 */
void tls_tickets_init(struct tls_tickets *tickets, struct tls_ticket_root *root, struct str label,
    uint64_t now_ms);
void tls_tickets_wipe(struct tls_tickets *tickets);

/* The key for a new ticket; lent until the next call. */
struct tls_ticket_key *tls_tickets_seal(struct tls_tickets *tickets, uint64_t now_ms);

/* The key of a ticket's name, NULL: gone. *is_old_r: the client should get a new ticket. */
struct tls_ticket_key *tls_tickets_open(struct tls_tickets *tickets, uint64_t now_ms,
    const unsigned char *name, bool *is_old_r);

#endif
