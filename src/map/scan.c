/*
 * scan.c - every owner key of the map, a handful at a time            (driver)
 */
#include "map/scan.h"

#include "base/mem.h"
#include "map/batch.h"

#include <stdio.h>
#include <stdlib.h>

struct scan {
	struct client *client;
	struct buf match;
	size_t head_len; /* of "prefix:kind:" */
	char cursor[24];
	bool over, ended; /* the last step was reached; the caller wants no more */
	struct batch batches[2]; /* one being read, one being found */
	struct batch *found, *reading;
	size_t odd; /* in "reading": how many came without a value */
	scan_row_fn *fn;
	scan_step_fn *step_fn; /* may be NULL */
	void *ctx;
	uint64_t steps, keys; /* taken; in Redis, when it began */
	struct fault fault;
	bool failed;
};

void
scan_escape(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '\0' && strchr("*?[]^-\\", text.ptr[i]) != NULL)
			buf_add_byte(out, '\\');
		buf_add_byte(out, text.ptr[i]);
	}
}

static void
refused(struct scan *scan, const struct resp *reply)
{
	if (!scan->failed)
		fault_set(&scan->fault, VERDICT_TEMP, "Redis at %s refused to list: %.*s",
		    client_target(scan->client), STR_FMT(resp_str(reply)));
	scan->failed = true;
}

static void
on_step(void *ctx, const struct resp *reply)
{
	struct scan *scan = ctx;
	struct str cursor;

	if (resp_count(reply) != 2) {
		refused(scan, reply);
		return;
	}
	cursor = resp_str(resp_at(reply, 0));
	if (cursor.len >= sizeof(scan->cursor)) {
		refused(scan, reply);
		return;
	}
	snprintf(scan->cursor, sizeof(scan->cursor), "%.*s", STR_FMT(cursor));
	scan->over = str_is(cursor, "0");
	batch_fill(scan->found, resp_at(reply, 1));
}

static void
say(struct scan *scan, struct str key, struct str value, bool is_string)
{
	struct scan_row row;

	if (scan->ended || key.len < scan->head_len)
		return;
	row = (struct scan_row){str_from(key, scan->head_len), value, is_string};
	if (!scan->fn(scan->ctx, &row))
		scan->ended = true;
}

static void
on_values(void *ctx, const struct resp *reply)
{
	struct scan *scan = ctx;
	struct batch *batch = scan->reading;

	if (resp_count(reply) != batch->count) {
		refused(scan, reply);
		return;
	}
	for (size_t i = 0; i < batch->count; i++) {
		const struct resp *value = resp_at(reply, i);

		if (resp_type(value) == RESP_STRING)
			say(scan, batch->keys[i], resp_str(value), true);
		else
			batch->keys[scan->odd++] = batch->keys[i];
	}
}

struct odd {
	struct scan *scan;
	struct str key;
};

/* MGET says nil both for a key that has gone and for one of a wrong type; GET does not. */
static void
on_odd(void *ctx, const struct resp *reply)
{
	struct odd *odd = ctx;

	if (resp_type(reply) == RESP_STRING)
		say(odd->scan, odd->key, resp_str(reply), true);
	else if (resp_is_error(reply, "WRONGTYPE"))
		say(odd->scan, odd->key, STR(""), false);
}

static int
read_odd(struct scan *scan, struct fault *fault_r)
{
	for (size_t i = 0; i < scan->odd; i++) {
		struct odd odd = {scan, scan->reading->keys[i]};
		struct str argv[2] = {STR("GET"), odd.key};

		client_command(scan->client, on_odd, &odd, argv, 2);
		if (client_wait(scan->client, 0, fault_r) == -1)
			return -1;
	}
	return 0;
}

/*
 * A step looks at so many slots of Redis's table, which has a power of two of them,
 * the next one above the keys unless many were removed: so this is a good guess.
 */
static void
tell(struct scan *scan)
{
	uint64_t slots = 4, passed = ++scan->steps * SCAN_STEP;

	if (scan->step_fn == NULL)
		return;
	while (slots < scan->keys)
		slots *= 2;
	scan->step_fn(scan->ctx,
	    passed < slots ? (uint64_t)((double)passed / (double)slots * (double)scan->keys)
			   : scan->keys,
	    scan->keys);
}

static void
on_size(void *ctx, const struct resp *reply)
{
	struct scan *scan = ctx;

	if (resp_type(reply) == RESP_INTEGER && resp_int(reply) > 0)
		scan->keys = (uint64_t)resp_int(reply);
}

static void
ask_step(struct scan *scan)
{
	char count[16];
	struct str argv[6] = {STR("SCAN"), str_of(scan->cursor), STR("MATCH"),
	    buf_str(&scan->match), STR("COUNT"), {0}};

	snprintf(count, sizeof(count), "%d", SCAN_STEP);
	argv[5] = str_of(count);
	client_command(scan->client, on_step, scan, argv, 6);
}

static void
ask_values(struct scan *scan)
{
	struct batch *batch = scan->reading;
	struct str *argv;

	scan->odd = 0;
	if (batch->count == 0)
		return;
	argv = xnew_array(struct str, batch->count + 1);
	argv[0] = STR("MGET");
	memcpy(argv + 1, batch->keys, batch->count * sizeof(argv[0]));
	client_command(scan->client, on_values, scan, argv, batch->count + 1);
	free(argv);
}

static int
walk(struct scan *scan, struct fault *fault_r)
{
	if (scan->step_fn != NULL)
		client_words(scan->client, on_size, scan, "DBSIZE", NULL);
	ask_step(scan);
	if (client_wait(scan->client, 0, fault_r) == -1)
		return -1;
	while (!scan->failed && !scan->ended) {
		struct batch *full = scan->found;
		bool last = scan->over;

		tell(scan);
		scan->found = scan->reading;
		scan->reading = full;
		batch_clear(scan->found);
		ask_values(scan);
		if (!last)
			ask_step(scan);
		if (client_wait(scan->client, 0, fault_r) == -1 || read_odd(scan, fault_r) == -1)
			return -1;
		if (last)
			break;
	}
	if (scan->failed)
		*fault_r = scan->fault;
	return scan->failed ? -1 : 0;
}

int
scan_owners(struct client *client, struct str glob, scan_row_fn *fn, void *ctx,
    struct fault *fault_r)
{
	return scan_keys(client, "owner", glob, fn, ctx, fault_r);
}

static int
scan_all(struct scan *scan, const char *kind, struct str glob, struct fault *fault_r)
{
	const char *prefix = client_prefix(scan->client);
	int rc;

	snprintf(scan->cursor, sizeof(scan->cursor), "0");
	scan->found = &scan->batches[0];
	scan->reading = &scan->batches[1];
	scan->head_len = strlen(prefix) + strlen(kind) + strlen("::");
	scan_escape(&scan->match, str_of(prefix));
	buf_addf(&scan->match, ":%s:", kind);
	buf_add_str(&scan->match, glob.len > 0 ? glob : STR("*"));
	rc = walk(scan, fault_r);
	for (size_t i = 0; i < 2; i++)
		batch_fini(&scan->batches[i]);
	buf_fini(&scan->match);
	return rc;
}

int
scan_keys(struct client *client, const char *kind, struct str glob, scan_row_fn *fn, void *ctx,
    struct fault *fault_r)
{
	struct scan scan = {.client = client, .fn = fn, .ctx = ctx};

	return scan_all(&scan, kind, glob, fault_r);
}

int
scan_keys_told(struct client *client, const char *kind, scan_row_fn *fn, scan_step_fn *step_fn,
    void *ctx, struct fault *fault_r)
{
	struct scan scan = {.client = client, .fn = fn, .step_fn = step_fn, .ctx = ctx};

	return scan_all(&scan, kind, STR(""), fault_r);
}
