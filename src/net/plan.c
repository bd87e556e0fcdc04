/*
 * plan.c - what a program asks of its master, made complete             (pure)
 */
#include "net/plan.h"

#include "base/mem.h"
#include "net/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESS_BYTES = sizeof(struct endpoint) };

/* What cannot be read, or leads beyond the last port, is left for bind_check() to refuse. */
static void
write_address(char room[static ADDRESS_BYTES], const char *first, unsigned slot)
{
	struct endpoint endpoint;
	struct fault ignored;
	bool is_v6;

	if (endpoint_parse(first, &endpoint, &ignored) == -1 || endpoint.kind != ENDPOINT_INET) {
		snprintf(room, ADDRESS_BYTES, "%s", first);
		return;
	}
	is_v6 = strchr(endpoint.host, ':') != NULL;
	snprintf(room, ADDRESS_BYTES, "inet:%s%s%s:%lu", is_v6 ? "[" : "", endpoint.host,
	    is_v6 ? "]" : "", strtoul(endpoint.port, NULL, 10) + slot);
}

void
plan_make(const struct daemon_program *program, const struct settings *settings, unsigned workers,
    struct daemon_plan *plan_r)
{
	size_t count, all;
	char *texts;

	*plan_r = (struct daemon_plan){0};
	program->plan(settings, plan_r);
	if (plan_r->metrics == NULL)
		return;
	count = plan_r->bind_count;
	plan_r->metrics_count = workers != 0 ? workers : plan_r->workers;
	all = count + plan_r->metrics_count;
	plan_r->binds = xrealloc(plan_r->binds,
	    all * sizeof(*plan_r->binds) + plan_r->metrics_count * ADDRESS_BYTES);
	texts = (char *)(plan_r->binds + all); /* one piece, so that it is freed in one */
	for (unsigned i = 0; i < plan_r->metrics_count; i++, texts += ADDRESS_BYTES) {
		write_address(texts, plan_r->metrics, i);
		plan_r->binds[count + i] =
		    (struct bind_request){.address = texts, .line = plan_r->metrics_line};
	}
	plan_r->bind_count = all;
}
