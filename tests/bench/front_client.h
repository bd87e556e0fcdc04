/*
 * front_client.h - many IMAP sessions of one process
 *
 * A session is dialled, greeted, logged in, and from there on told what to do
 * by its mode (front_login.c, front_idle.c, front_push.c) through one callback.
 */
#ifndef TESTS_BENCH_FRONT_CLIENT_H
#define TESTS_BENCH_FRONT_CLIENT_H

#include "front_load.h"
#include "front_wire.h"

enum phase { CLIENT_GONE, CLIENT_DIALLED, CLIENT_ASKED, CLIENT_IN, CLIENT_WAITS, CLIENT_LEAVES };

struct client {
	struct wire wire;
	enum phase phase;
	uint64_t number, began_ns;
	unsigned left; /* push: literals to come */
};

/* What came of a client, told once for each: */
enum news {
	NEWS_IN, /* logged in; phase is CLIENT_IN */
	NEWS_ANSWER, /* a tagged answer to what it asked in CLIENT_WAITS; phase is CLIENT_IN */
	NEWS_LEFT, /* gone after its LOGOUT */
	NEWS_REFUSED, /* the login did not succeed; gone */
	NEWS_LOST, /* gone without a LOGOUT of its own */
};

struct crowd {
	const struct client_plan *plan;
	int epoll;
	struct client *clients;
	size_t count;
	uint64_t begun; /* sessions that were ever dialled */
	uint64_t tally[NEWS_LOST + 1];
	uint64_t byes; /* "* BYE" that nobody asked for */
	uint64_t last_lost_ns;
	struct timings timings;
	void *mode;
	void (*news)(struct crowd *crowd, struct client *client, enum news news);
	void (*other)(struct crowd *crowd, void *owner); /* an event of nobody in the crowd */
};

void crowd_open(struct crowd *crowd, const struct client_plan *plan, size_t count);
void crowd_close(struct crowd *crowd);
void client_dial(struct crowd *crowd, struct client *client);
/* Ask something with the tag "c", in CLIENT_IN. */
void client_ask(struct client *client, const char *command);
void client_leave(struct client *client);
/* Wait for events and serve them. */
void crowd_turn(struct crowd *crowd);

#endif
