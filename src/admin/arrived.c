/*
 * arrived.c - how much mail has come to an account since its flip     (driver)
 */
#include "admin/arrived.h"

#include "admin/admin.h"
#include "base/mem.h"
#include "map/rehearsed.h"
#include "map/server.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const state_names[] = {
    [ARRIVALS_UNCOUNTED] = "uncounted",
    [ARRIVALS_KNOWN] = "known",
    [ARRIVALS_UNKNOWN] = "unknown",
};
_Static_assert(ARRAY_LEN(state_names) == ARRIVALS_STATES, "a state lacks its name");

/* ---- reading */

struct look {
	struct arrived *arrived;
	bool failed;
	struct fault fault;
};

/* False: there is no hash to read. One of another type is nobody's count, and said to be that. */
static bool
look_at(struct look *look, const struct resp *reply, bool *is_odd_r)
{
	*is_odd_r = resp_is_error(reply, "WRONGTYPE");
	if (resp_type(reply) == RESP_ARRAY || *is_odd_r)
		return !*is_odd_r;
	look->failed = true;
	server_error(reply, "to show what has arrived", &look->fault);
	return false;
}

static void
on_counts(void *ctx, const struct resp *reply)
{
	struct look *look = ctx;
	struct arrivals *counts = &look->arrived->counts;
	bool is_odd;

	if (!look_at(look, reply, &is_odd)) {
		if (is_odd)
			arrivals_take(counts, STR("unknown"), STR(""));
		return;
	}
	for (size_t i = 0; i + 1 < resp_count(reply); i += 2)
		arrivals_take(counts, resp_str(resp_at(reply, i)), resp_str(resp_at(reply, i + 1)));
}

static void
on_all(void *ctx, const struct resp *reply)
{
	struct look *look = ctx;
	bool is_odd;

	if (!look_at(look, reply, &is_odd))
		return;
	for (size_t i = 0; i + 1 < resp_count(reply); i += 2)
		arrivals_all_take(&look->arrived->all, resp_str(resp_at(reply, i)),
		    resp_str(resp_at(reply, i + 1)));
}

int
arrived_find(struct arrived *arrived, struct client *client, struct str account, struct str owner,
    int64_t flip_s, struct fault *fault_r)
{
	struct look look = {.arrived = arrived};
	struct buf key = BUF_INIT, all_key = BUF_INIT;
	int rc;

	*arrived = (struct arrived){.flip_s = flip_s};
	arrivals_key(&key, client_prefix(client), account);
	arrivals_all_key(&all_key, client_prefix(client));
	struct str get[] = {STR("HGETALL"), buf_str(&key)};
	struct str get_all[] = {STR("HGETALL"), buf_str(&all_key)};
	client_command(client, on_counts, &look, get, ARRAY_LEN(get));
	client_command(client, on_all, &look, get_all, ARRAY_LEN(get_all));
	rc = client_wait(client, 0, fault_r);
	buf_fini(&key);
	buf_fini(&all_key);
	if (rc == 0 && look.failed) {
		*fault_r = look.fault;
		rc = -1;
	}
	arrivals_tell(&arrived->told, &arrived->counts, &arrived->all, owner, flip_s);
	return rc;
}

/* ---- in words */

static const char *
time_text(int64_t at_s, char room_r[static REHEARSED_TIME_BYTES])
{
	rehearsed_time(at_s, room_r);
	return room_r;
}

static void
print_number(uint64_t messages)
{
	if (messages == 0)
		fputs("no message", stdout);
	else
		printf("%" PRIu64 " message%s", messages, messages == 1 ? "" : "s");
}

static void
print_since(const struct arrived *arrived)
{
	const struct arrivals_told *told = &arrived->told;
	char time[REHEARSED_TIME_BYTES];

	if (told->since_s == ARRIVALS_TIME_MOST)
		fputs(" under this owner", stdout);
	else if (told->since_s > 0)
		printf(" under this owner since %s, when counting began",
		    time_text(told->since_s, time));
	else if (arrived->flip_s > 0)
		fputs(" since the flip", stdout);
	else
		fputs(" under this owner", stdout);
	if (told->counts.messages > 0 && told->counts.last_s > 0)
		printf(", the last %s", time_text(told->counts.last_s, time));
}

void
arrived_print(const struct arrived *arrived)
{
	const struct arrivals_told *told = &arrived->told;
	char time[REHEARSED_TIME_BYTES];

	fputs("arrived    ", stdout);
	switch (told->state) {
	case ARRIVALS_UNCOUNTED:
		puts("not counted: no milter has reported anything");
		return;
	case ARRIVALS_KNOWN:
		print_number(told->counts.messages);
		break;
	case ARRIVALS_UNKNOWN:
		fputs("unknown: ", stdout);
		admin_print_text(stdout, str_of(told->reason));
		if (told->reason_s > 0 && told->reason_s < ARRIVALS_TIME_MOST)
			printf(" (%s)", time_text(told->reason_s, time));
		fputs("; at least ", stdout);
		printf("%" PRIu64 " message%s", told->counts.messages,
		    told->counts.messages == 1 ? "" : "s");
		break;
	case ARRIVALS_STATES:
		break;
	}
	print_since(arrived);
	putchar('\n');
	if (told->counts.strays == 0)
		return;
	printf("strays     %" PRIu64
	       " of them at a side that does not own the account, the last at ",
	    told->counts.strays);
	admin_print_text(stdout, str_of(told->counts.stray_from));
	printf(", %s\n", time_text(told->counts.stray_s, time));
}

/* ---- in JSON */

static json_t *
time_json(int64_t at_s)
{
	char time[REHEARSED_TIME_BYTES];

	if (at_s <= 0 || at_s >= ARRIVALS_TIME_MOST)
		return json_null();
	return json_string(time_text(at_s, time));
}

json_t *
arrived_json(const struct arrived *arrived)
{
	const struct arrivals_told *told = &arrived->told;
	const struct arrivals *counts = &told->counts;
	json_t *object = json_pack("{s:s}", "state", state_names[told->state]);

	if (told->state == ARRIVALS_UNCOUNTED)
		return object;
	json_object_set_new(object, "messages", json_integer((json_int_t)counts->messages));
	json_object_set_new(object, "first", time_json(counts->first_s));
	json_object_set_new(object, "last", time_json(counts->last_s));
	json_object_set_new(object, "flip", time_json(arrived->flip_s));
	json_object_set_new(object, "counted_since", time_json(told->since_s));
	json_object_set_new(object, "strays", json_integer((json_int_t)counts->strays));
	if (counts->strays > 0)
		json_object_set_new(object, "last_stray",
		    json_pack("{s:o, s:s}", "at", time_json(counts->stray_s), "from",
			counts->stray_from));
	if (told->state == ARRIVALS_UNKNOWN) {
		json_object_set_new(object, "reason", json_string(told->reason));
		json_object_set_new(object, "reason_at", time_json(told->reason_s));
	}
	return object;
}
