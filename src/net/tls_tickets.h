/*
 * tls_tickets.h - keys under which clients keep their sessions        (machine)
 *
 * A session ticket (RFC 5077; RFC 8446, 4.6.1) is the server's memory, left with
 * the client. Keys are drawn, live in this process alone, and are replaced: the
 * one before still opens tickets for as long again, then it is overwritten, and
 * nobody can open what was recorded.
 */
#ifndef NET_TLS_TICKETS_H
#define NET_TLS_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

enum { TLS_TICKET_KEY_MS = 4 * 60 * 60 * 1000, TLS_TICKET_NAME_BYTES = 16 };

struct tls_ticket_key {
	unsigned char name[TLS_TICKET_NAME_BYTES]; /* stands in the ticket, in clear */
	unsigned char cipher[32]; /* AES-256 */
	unsigned char mac[32]; /* HMAC with SHA-256 */
};

struct tls_tickets {
	struct tls_ticket_key now, before;
	uint64_t since_ms;
};

void tls_tickets_init(struct tls_tickets *tickets, uint64_t now_ms);
void tls_tickets_wipe(struct tls_tickets *tickets);

/* The key for a new ticket; lent until the next call. */
struct tls_ticket_key *tls_tickets_seal(struct tls_tickets *tickets, uint64_t now_ms);

/* The key of a ticket's name, NULL: gone. *is_old_r: the client should get a new ticket. */
struct tls_ticket_key *tls_tickets_open(struct tls_tickets *tickets, uint64_t now_ms,
    const unsigned char *name, bool *is_old_r);

#endif
