/*
 * cmd_barrier.c - splitmx barrier [ADDRESS|@DOMAIN|LOGIN ...]         (driver)
 *
 * After an edit with redis-cli, or a change that was not confirmed: asks every
 * Redis member and every node whether they know what is in the map now.
 */
#include "admin/admin.h"
#include "admin/confirming.h"
#include "admin/named.h"
#include "admin/shell.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

static const struct option_row options[] = {
    CONFIRMING_OPTIONS,
    {"reason", "TEXT", "why; stands in the audit stream"},
    {"by", "WHO", "on whose behalf; stands in the audit stream beside your own name"},
    {0},
};

static int
say(const struct confirming *confirming, const struct seal *seal, const struct str *names,
    size_t count)
{
	struct buf what = BUF_INIT, again = BUF_INIT;
	int code;

	for (size_t i = 0; i < count; i++)
		buf_addf(&what, "%s%s", i > 0 ? " " : "", log_quote(names[i]));
	if (count == 0)
		buf_add_text(&what, "everything");
	buf_add_text(&again, "barrier");
	shell_add_names(&again, names, count);
	if (confirming->admin->json) {
		json_t *object =
		    json_pack("{s:s, s:I}", "result", "barrier", "epoch", (json_int_t)seal->epoch);

		confirming_json(confirming, object);
		admin_print_json(object);
	} else {
		printf("%s: epoch %" PRIu64 "%s\n", buf_cstr(&what), seal->epoch,
		    confirming_words(confirming));
	}
	code = confirming_end(confirming, buf_cstr(&what), buf_cstr(&again));
	buf_fini(&what);
	buf_fini(&again);
	return code;
}

static int
take_barrier(struct admin *admin, const struct str *names, size_t count)
{
	struct confirming confirming;
	struct fault fault;
	struct seal seal;
	int code;

	if ((code = confirming_init(&confirming, admin)) != 0)
		return code;
	if ((code = admin_need_map(admin)) != 0)
		return code;
	if (confirming_seal(admin, "barrier", names, count, &seal, &fault) == -1)
		return admin_fault(admin, &fault);
	confirming_wait(&confirming, &seal, names, count);
	code = say(&confirming, &seal, names, count);
	confirming_fini(&confirming);
	return code;
}

static int
run(struct admin *admin)
{
	struct named named;
	int code;

	if ((code = admin_need_settings(admin)) != 0)
		return code;
	if ((code = named_read_or_logins(&named, admin)) == 0)
		code = take_barrier(admin, named.names, named.count);
	named_fini(&named);
	return code;
}

const struct command cmd_barrier = {
    .name = "barrier",
    .usage = "[ADDRESS|@DOMAIN|LOGIN ...] [--wait SECONDS]",
    .sentence = "Waits until every node and Redis member knows what is in the map now.",
    .options = options,
    .words_least = 0,
    .words_most = ARGS_WORDS_MOST,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_MAP,
};
