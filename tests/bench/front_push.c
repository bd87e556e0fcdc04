/* front_push.c - large literals: what a gigabyte costs and takes */
#include "front_client.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static void
fetch(const struct crowd *crowd, struct client *client)
{
	char command[64];

	snprintf(command, sizeof(command), FETCH_FORM, crowd->plan->push_bytes);
	client_ask(client, command);
}

static void
push_news(struct crowd *crowd, struct client *client, enum news news)
{
	switch (news) {
	case NEWS_IN:
		break; /* all begin together */
	case NEWS_ANSWER:
		timings_add(&crowd->timings, now_ns() - client->began_ns);
		if (--client->left > 0)
			fetch(crowd, client);
		break;
	case NEWS_LEFT:
	case NEWS_REFUSED:
	case NEWS_LOST:
		errx(EX_UNAVAILABLE, "session %" PRIu64 " has ended too early", client->number);
	}
}

/* The caller takes the server's CPU time between the two lines that are printed. */
int
client_push(const struct client_plan *plan)
{
	struct crowd crowd = {.news = push_news};
	uint64_t began_ns, took_ns, bytes = plan->push_bytes * plan->pushes * plan->sessions;
	char line[16];

	crowd_open(&crowd, plan, plan->sessions);
	for (size_t i = 0; i < crowd.count; i++)
		client_dial(&crowd, &crowd.clients[i]);
	while (crowd.tally[NEWS_IN] < plan->sessions)
		crowd_turn(&crowd);
	printf("{\"opened\": %" PRIu64 "}\n", crowd.tally[NEWS_IN]);
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return EX_IOERR;
	began_ns = now_ns();
	for (size_t i = 0; i < crowd.count; i++) {
		crowd.clients[i].left = plan->pushes;
		fetch(&crowd, &crowd.clients[i]);
	}
	while (crowd.tally[NEWS_ANSWER] < plan->sessions * plan->pushes)
		crowd_turn(&crowd);
	took_ns = now_ns() - began_ns;
	printf("{\"bytes\": %" PRIu64 ", \"seconds\": %.4f, \"mb_per_second\": %.1f, ", bytes,
	    (double)took_ns / 1e9, (double)bytes * 1e3 / (double)took_ns);
	timings_print(&crowd.timings);
	printf("}\n");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		line[0] = '\0';
	crowd_close(&crowd);
	return 0;
}
