/* front_login.c - in and out again, many times: what a login costs and takes */
#include "front_client.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

static void
login_news(struct crowd *crowd, struct client *client, enum news news)
{
	switch (news) {
	case NEWS_IN:
		timings_add(&crowd->timings, now_ns() - client->began_ns);
		client_leave(client);
		break;
	case NEWS_LEFT:
	case NEWS_REFUSED:
	case NEWS_LOST:
		if (crowd->begun < crowd->plan->sessions)
			client_dial(crowd, client);
		break;
	case NEWS_ANSWER:
		break;
	}
}

int
client_login(const struct client_plan *plan)
{
	struct crowd crowd = {.news = login_news};
	uint64_t began_ns = now_ns(), took_ns;

	crowd_open(&crowd, plan, plan->at_once);
	for (size_t i = 0; i < crowd.count && crowd.begun < plan->sessions; i++)
		client_dial(&crowd, &crowd.clients[i]);
	while (crowd.tally[NEWS_LEFT] + crowd.tally[NEWS_REFUSED] + crowd.tally[NEWS_LOST] <
	       plan->sessions)
		crowd_turn(&crowd);
	took_ns = now_ns() - began_ns;
	printf("{\"logins\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"lost\": %" PRIu64
	       ", \"seconds\": %.4f, \"per_second\": %.1f, ",
	    crowd.tally[NEWS_IN], crowd.tally[NEWS_REFUSED], crowd.tally[NEWS_LOST],
	    (double)took_ns / 1e9, (double)crowd.tally[NEWS_IN] * 1e9 / (double)took_ns);
	timings_print(&crowd.timings);
	printf("}\n");
	crowd_close(&crowd);
	return 0;
}
