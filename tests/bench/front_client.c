/* front_client.c - many IMAP sessions of one process */
#include "front_client.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

enum { EVENTS_MOST = 256, USER_MOST = 128 };

void
crowd_open(struct crowd *crowd, const struct client_plan *plan, size_t count)
{
	crowd->plan = plan;
	crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
	crowd->clients = calloc(count, sizeof(*crowd->clients));
	crowd->count = count;
	if (crowd->clients == NULL)
		err(EX_OSERR, "%zu clients", count);
	for (size_t i = 0; i < count; i++)
		crowd->clients[i].wire.fd = -1;
}

void
crowd_close(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->count; i++)
		wire_close(&crowd->clients[i].wire);
	free(crowd->clients);
	timings_free(&crowd->timings);
	close(crowd->epoll);
}

void
client_dial(struct crowd *crowd, struct client *client)
{
	const struct client_plan *plan = crowd->plan;

	client->number = crowd->begun++;
	client->phase = CLIENT_DIALLED;
	client->began_ns = now_ns();
	wire_connect(&client->wire, crowd->epoll, client, plan->port,
	    plan->sources > 1 ? 1 + (unsigned)(client->number % plan->sources) : 0, plan->tls);
}

void
client_ask(struct client *client, const char *command)
{
	client->phase = CLIENT_WAITS;
	client->began_ns = now_ns();
	wire_say(&client->wire, "c %s\r\n", command);
}

void
client_leave(struct client *client)
{
	client->phase = CLIENT_LEAVES;
	wire_say(&client->wire, "c LOGOUT\r\n");
}

static void
ask_login(const struct client_plan *plan, struct client *client)
{
	const char *number = strchr(plan->user, '%');
	uint64_t user = plan->users > 0 ? client->number % plan->users : client->number;
	char name[USER_MOST];

	if (number == NULL)
		snprintf(name, sizeof(name), "%s", plan->user);
	else
		snprintf(name, sizeof(name), "%.*s%" PRIu64 "%s", (int)(number - plan->user),
		    plan->user, user, number + 1);
	client->phase = CLIENT_ASKED;
	wire_say(&client->wire, "c LOGIN %s secret\r\n", name);
}

static void
tell(struct crowd *crowd, struct client *client, enum news news)
{
	crowd->tally[news]++;
	if (news == NEWS_LOST)
		crowd->last_lost_ns = now_ns();
	crowd->news(crowd, client, news);
}

/* Whether the line announces a literal, whose bytes will then be passed over. */
static bool
announces_literal(struct client *client, const char *line)
{
	const char *brace = strrchr(line, '{');

	if (brace == NULL || line[strlen(line) - 1] != '}')
		return false;
	client->wire.skip = strtoull(brace + 1, NULL, 10);
	return true;
}

static void
client_line(struct crowd *crowd, struct client *client, const char *line)
{
	bool is_tagged = strncmp(line, "c ", 2) == 0, is_ok = strncmp(line, "c OK", 4) == 0;

	if (announces_literal(client, line))
		return;
	if (client->phase == CLIENT_DIALLED && strncmp(line, "* OK", 4) == 0) {
		ask_login(crowd->plan, client);
	} else if (client->phase == CLIENT_ASKED && is_ok) {
		client->phase = CLIENT_IN;
		tell(crowd, client, NEWS_IN);
	} else if (client->phase == CLIENT_ASKED && is_tagged) {
		client->wire.has_ended = true; /* refused */
	} else if (client->phase == CLIENT_WAITS && is_tagged) {
		client->phase = CLIENT_IN;
		tell(crowd, client, NEWS_ANSWER);
	} else if (client->phase != CLIENT_LEAVES && strncmp(line, "* BYE", 5) == 0) {
		crowd->byes++;
	}
}

static void
client_event(struct crowd *crowd, struct client *client)
{
	enum phase phase;
	const char *line;

	if (client->phase == CLIENT_GONE)
		return;
	wire_step(&client->wire);
	while ((line = wire_line(&client->wire)) != NULL)
		client_line(crowd, client, line);
	if (!client->wire.has_ended)
		return;
	wire_close(&client->wire);
	phase = client->phase;
	client->phase = CLIENT_GONE;
	if (phase == CLIENT_LEAVES)
		tell(crowd, client, NEWS_LEFT);
	else
		tell(crowd, client, phase < CLIENT_IN ? NEWS_REFUSED : NEWS_LOST);
}

void
crowd_turn(struct crowd *crowd)
{
	struct epoll_event events[EVENTS_MOST];
	int ready = epoll_wait(crowd->epoll, events, EVENTS_MOST, -1);

	for (int i = 0; i < ready; i++) {
		void *owner = events[i].data.ptr;
		uintptr_t at = (uintptr_t)owner, first = (uintptr_t)crowd->clients;

		if (at >= first && at < first + crowd->count * sizeof(*crowd->clients))
			client_event(crowd, owner);
		else
			crowd->other(crowd, owner);
	}
}
