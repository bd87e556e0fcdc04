/*
 * rehearsal.c - did an account's password work elsewhere?             (driver)
 */
#include "admin/rehearsal.h"

#include "base/log.h"
#include "base/mem.h"
#include "map/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct look {
	struct rehearsals_found *found;
	bool failed;
	struct fault fault;
};

static int
by_name(const void *a, const void *b)
{
	const struct rehearsal_at *one = a, *other = b;

	return strcmp(one->destination, other->destination);
}

/* A field is a destination; one that somebody tries just now has no result, and is passed over. */
static void
take(struct rehearsals_found *found, struct str field, struct str value)
{
	struct rehearsed rehearsed;

	if (!rehearsed_read(value, &rehearsed))
		return;
	found->at = xrealloc(found->at, (found->count + 1) * sizeof(found->at[0]));
	found->at[found->count++] = (struct rehearsal_at){
	    .destination = xstrndup(field.ptr, field.len), .rehearsed = rehearsed};
}

static void
on_hash(void *ctx, const struct resp *reply)
{
	struct look *look = ctx;

	if (resp_type(reply) != RESP_ARRAY) {
		look->failed = true;
		server_error(reply, "to show what was rehearsed", &look->fault);
		return;
	}
	for (size_t i = 0; i + 1 < resp_count(reply); i += 2)
		take(look->found, resp_str(resp_at(reply, i)), resp_str(resp_at(reply, i + 1)));
}

int
rehearsals_find(struct client *client, struct str account, struct rehearsals_found *found,
    struct fault *fault_r)
{
	struct look look = {.found = found};
	struct buf key = BUF_INIT;
	struct str argv[] = {STR("HGETALL"), STR("")};
	int rc;

	rehearsed_key(&key, client_prefix(client), account);
	argv[1] = buf_str(&key);
	client_command(client, on_hash, &look, argv, ARRAY_LEN(argv));
	rc = client_wait(client, 0, fault_r);
	buf_fini(&key);
	if (rc == 0 && look.failed) {
		*fault_r = look.fault;
		rc = -1;
	}
	if (found->count > 1)
		qsort(found->at, found->count, sizeof(found->at[0]), by_name);
	return rc;
}

void
rehearsals_found_fini(struct rehearsals_found *found)
{
	for (size_t i = 0; i < found->count; i++)
		free(found->at[i].destination);
	free(found->at);
	*found = (struct rehearsals_found){0};
}

void
rehearsals_print(const struct rehearsals_found *found)
{
	for (size_t i = 0; i < found->count; i++) {
		const struct rehearsal_at *at = &found->at[i];
		char time[REHEARSED_TIME_BYTES];

		rehearsed_time(at->rehearsed.at_s, time);
		printf("rehearsed  %s at %s, %s\n", at->rehearsed.works ? "yes" : "no",
		    log_quote_text(at->destination), time);
	}
}

json_t *
rehearsals_json(const struct rehearsals_found *found)
{
	json_t *all = json_object();

	for (size_t i = 0; i < found->count; i++) {
		const struct rehearsal_at *at = &found->at[i];
		char time[REHEARSED_TIME_BYTES];

		rehearsed_time(at->rehearsed.at_s, time);
		if (json_object_set_new(all, at->destination,
			json_pack("{s:b, s:s}", "works", at->rehearsed.works, "at", time)) == -1)
			continue; /* a field that is not UTF-8 names no destination */
	}
	return all;
}
