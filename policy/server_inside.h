/*
 * server_inside.h - what the parts of the server share                (driver)
 *
 * For server.c, port.c and client.c; everybody else knows server.h.
 */
#ifndef POLICY_SERVER_INSIDE_H
#define POLICY_SERVER_INSIDE_H

#include "policy/port.h"
#include "policy/server.h"
#include "policy/tally.h"

#include <sys/queue.h>

struct client;

LIST_HEAD(client_list, client);
LIST_HEAD(port_list, port);

struct server {
	struct loop *loop;
	struct asker *asker;
	struct counter *counter;
	struct seats *seats;
	struct port_list ports; /* those that are gone but for their clients included */
	struct client_list clients;
	struct buf text; /* of the answer in hand */
	struct tally tally;
	uint64_t idle_ms;
	bool draining; /* whoever is not asking is to go */
	struct timer *quiet; /* when what is unsaid is to be said */
	struct timer *grace; /* what waits in the backlog may still come in */
	bool grace_is_over;
	server_drained_fn *drained;
	void *drained_ctx;
};

/* An answer of trouble was given: a line, or a number for a later one. */
void server_grumble(struct server *server, enum listen_protocol protocol, struct str map,
    struct str key, const struct answer *answer);

/* A client has left the lists. */
void server_client_left(struct server *server);

#endif
