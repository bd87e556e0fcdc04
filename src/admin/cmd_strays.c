/*
 * cmd_strays.c - splitmx strays                                       (driver)
 *
 * Mail that arrived at a side which does not own the account: somebody still sends
 * there. The policyds of the sides' milters have counted it (map/arrivals.h), since the
 * account's last flip. Every key of Redis is passed, in small steps.
 */
#include "admin/admin.h"
#include "admin/progress.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/arrivals.h"
#include "map/batch.h"
#include "map/rehearsed.h"
#include "map/scan.h"
#include "map/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { STRAYS_STEP = 150 /* COUNT of a step */, CURSOR_BYTES = 24 };

struct stray {
	char *account;
	struct arrivals counts;
};

struct search {
	struct client *client;
	struct buf match;
	size_t head_len; /* of "prefix.arrivals:" */
	char cursor[CURSOR_BYTES];
	struct batch keys;
	size_t read; /* of them */
	struct stray *strays;
	size_t count;
	struct arrivals_all all;
	uint64_t steps, total;
	struct progress progress;
	bool failed;
	struct fault fault;
};

static void
refused(struct search *search, const struct resp *reply)
{
	if (!search->failed)
		server_error(reply, "to list what has arrived", &search->fault);
	search->failed = true;
}

/* ---- one account */

static void
on_hash(void *ctx, const struct resp *reply)
{
	struct search *search = ctx;
	struct str key = search->keys.keys[search->read++];
	struct arrivals counts = {0};
	struct str account = str_from(key, search->head_len);

	if (resp_is_error(reply, "WRONGTYPE"))
		return; /* nobody has counted there */
	if (resp_type(reply) != RESP_ARRAY) {
		refused(search, reply);
		return;
	}
	for (size_t i = 0; i + 1 < resp_count(reply); i += 2)
		arrivals_take(&counts, resp_str(resp_at(reply, i)),
		    resp_str(resp_at(reply, i + 1)));
	if (counts.strays == 0)
		return;
	search->strays = xrealloc(search->strays, (search->count + 1) * sizeof(search->strays[0]));
	search->strays[search->count++] =
	    (struct stray){.account = xstrndup(account.ptr, account.len), .counts = counts};
}

static int
read_keys(struct search *search, struct fault *fault_r)
{
	search->read = 0;
	for (size_t i = 0; i < search->keys.count; i++) {
		struct str argv[] = {STR("HGETALL"), search->keys.keys[i]};

		client_command(search->client, on_hash, search, argv, ARRAY_LEN(argv));
	}
	return client_wait(search->client, 0, fault_r);
}

/* ---- all of them */

static void
on_step(void *ctx, const struct resp *reply)
{
	struct search *search = ctx;
	struct str cursor = resp_str(resp_count(reply) == 2 ? resp_at(reply, 0) : reply);

	if (resp_count(reply) != 2 || cursor.len >= CURSOR_BYTES) {
		refused(search, reply);
		return;
	}
	snprintf(search->cursor, sizeof(search->cursor), "%.*s", STR_FMT(cursor));
	batch_clear(&search->keys);
	batch_fill(&search->keys, resp_at(reply, 1));
}

static void
on_size(void *ctx, const struct resp *reply)
{
	struct search *search = ctx;

	if (resp_type(reply) == RESP_INTEGER && resp_int(reply) > 0)
		search->total = (uint64_t)resp_int(reply);
}

static int
step(struct search *search, struct fault *fault_r)
{
	char count[16];
	uint64_t passed;

	snprintf(count, sizeof(count), "%d", STRAYS_STEP);
	struct str argv[] = {STR("SCAN"), str_of(search->cursor), STR("MATCH"),
	    buf_str(&search->match), STR("COUNT"), str_of(count)};
	client_command(search->client, on_step, search, argv, ARRAY_LEN(argv));
	if (client_wait(search->client, 0, fault_r) == -1)
		return -1;
	passed = ++search->steps * STRAYS_STEP;
	progress_step(&search->progress, passed < search->total ? passed : search->total);
	if (!search->failed && read_keys(search, fault_r) == -1)
		return -1;
	if (search->failed)
		*fault_r = search->fault;
	return search->failed ? -1 : 0;
}

static void
on_all(void *ctx, const struct resp *reply)
{
	struct search *search = ctx;

	if (resp_is_error(reply, "WRONGTYPE"))
		return; /* nobody has lost count there */
	if (resp_type(reply) != RESP_ARRAY)
		refused(search, reply);
	for (size_t i = 0; i + 1 < resp_count(reply); i += 2)
		arrivals_all_take(&search->all, resp_str(resp_at(reply, i)),
		    resp_str(resp_at(reply, i + 1)));
}

/* Last, so that what was lost with anything that was read is said. */
static int
find_losses(struct search *search, struct fault *fault_r)
{
	struct buf key = BUF_INIT;

	arrivals_all_key(&key, client_prefix(search->client));
	struct str argv[] = {STR("HGETALL"), buf_str(&key)};
	client_command(search->client, on_all, search, argv, ARRAY_LEN(argv));
	buf_fini(&key);
	if (client_wait(search->client, 0, fault_r) == -1)
		return -1;
	if (search->failed)
		*fault_r = search->fault;
	return search->failed ? -1 : 0;
}

static int
find_all(struct search *search, bool quiet, struct fault *fault_r)
{
	int rc;

	client_words(search->client, on_size, search, "DBSIZE", NULL);
	if (client_wait(search->client, 0, fault_r) == -1)
		return -1;
	progress_start(&search->progress, "looking for strays", "keys", search->total, quiet);
	snprintf(search->cursor, sizeof(search->cursor), "0");
	do
		rc = step(search, fault_r);
	while (rc == 0 && strcmp(search->cursor, "0") != 0);
	progress_end(&search->progress);
	return rc == 0 ? find_losses(search, fault_r) : -1;
}

/* ---- saying it */

static int
by_account(const void *a, const void *b)
{
	const struct stray *one = a, *other = b;

	return strcmp(one->account, other->account);
}

static int
newest_first(const void *a, const void *b)
{
	const struct stray *one = a, *other = b;

	if (one->counts.stray_s != other->counts.stray_s)
		return one->counts.stray_s < other->counts.stray_s ? 1 : -1;
	return by_account(a, b);
}

/* SCAN may name a key twice. */
static void
sort(struct search *search)
{
	size_t kept = 0;

	if (search->count == 0)
		return;
	qsort(search->strays, search->count, sizeof(search->strays[0]), by_account);
	for (size_t i = 0; i < search->count; i++) {
		if (kept > 0 && by_account(&search->strays[kept - 1], &search->strays[i]) == 0)
			free(search->strays[i].account);
		else
			search->strays[kept++] = search->strays[i];
	}
	search->count = kept;
	qsort(search->strays, search->count, sizeof(search->strays[0]), newest_first);
}

/* The flips are not looked up here, so what a node has ever lost may be of this time. */
static bool
is_known(const struct search *search, const struct arrivals *counts)
{
	struct arrivals_told told;

	arrivals_tell(&told, counts, &search->all, str_of(counts->owner), 0);
	return told.state == ARRIVALS_KNOWN;
}

static void
print(const struct admin *admin, const struct search *search, const struct stray *stray)
{
	const struct arrivals *counts = &stray->counts;
	bool known = is_known(search, counts);
	char last[REHEARSED_TIME_BYTES];

	rehearsed_time(counts->stray_s, last);
	if (admin->json) {
		admin_print_json(json_pack("{s:o, s:s, s:s, s:s, s:I, s:I, s:b}", "account",
		    admin_json_text(str_of(stray->account)), "owner", counts->owner, "from",
		    counts->stray_from, "last", last, "strays", (json_int_t)counts->strays,
		    "messages", (json_int_t)counts->messages, "known", (int)known));
		return;
	}
	printf("%s %s at %s, owner %s: ", last, log_quote_text(stray->account),
	    log_quote_text(counts->stray_from), log_quote_text(counts->owner));
	printf("%s%" PRIu64 " of %" PRIu64 " message%s\n", known ? "" : "at least ", counts->strays,
	    counts->messages, counts->messages == 1 ? "" : "s");
}

static int
run(struct admin *admin)
{
	struct search search = {0};
	struct fault fault;
	int code;

	if ((code = admin_need_map(admin)) != 0)
		return code;
	search.client = admin->client;
	scan_escape(&search.match, str_of(client_prefix(admin->client)));
	buf_add_text(&search.match, ".arrivals:*");
	search.head_len = strlen(client_prefix(admin->client)) + strlen(".arrivals:");
	if (find_all(&search, admin->json, &fault) == -1)
		code = admin_fault(admin, &fault);
	sort(&search);
	for (size_t i = 0; i < search.count; i++) {
		if (code == 0)
			print(admin, &search, &search.strays[i]);
		free(search.strays[i].account);
	}
	free(search.strays);
	batch_fini(&search.keys);
	buf_fini(&search.match);
	return code;
}

const struct command cmd_strays = {
    .name = "strays",
    .usage = "",
    .sentence =
	"Lists accounts whose mail arrived at a side that does not own them, the newest first.",
    .options = NULL,
    .words_least = 0,
    .words_most = 0,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
