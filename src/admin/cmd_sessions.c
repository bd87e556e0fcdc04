/*
 * cmd_sessions.c - splitmx sessions                                   (driver)
 *
 * Who is logged in through the front of this host, and who is about to be. The
 * workers are asked for all that they have, and the choice is made here: so a
 * login that is parked is found by its account, too.
 */
#include "admin/admin.h"

#include "admin/age.h"
#include "admin/fronts.h"
#include "admin/session_table.h"
#include "admin/subject.h"

#include <string.h>

static const struct option_row options[] = {
    {"account", "ADDRESS", "only those of this account"},
    {"from", "ADDRESS", "only those from this IP address or network"},
    {"to", "DESTINATION", "only those at this destination"},
    {"older", "AGE", "only those that are at least so old: 90s, 15m, 2h, 3d"},
    {0},
};

struct choice {
	struct session_filter filter;
	struct subject account;
	struct buf account_text;
	struct cidr from;
};

static int
choose_account(struct admin *admin, struct choice *choice, const char *text)
{
	struct account_rules rules = admin_account_rules(admin);
	struct fault fault;

	if (text == NULL)
		return 0;
	if (subject_read(&choice->account, str_of(text), &rules, &fault) == -1)
		return admin_usage(admin, "%s", fault.text);
	if (choice->account.is_domain)
		return admin_usage(admin, "%s is a domain: sessions are of accounts", text);
	buf_add_str(&choice->account_text, choice->account.name);
	choice->filter.account = buf_cstr(&choice->account_text);
	return 0;
}

static int
choose_destination(struct admin *admin, struct choice *choice, const char *name)
{
	const struct settings *settings = admin->settings;

	choice->filter.destination = name;
	for (size_t i = 0; name != NULL && i < settings->destination_count; i++) {
		if (strcmp(settings->destinations[i].name, name) == 0)
			return 0;
	}
	return name == NULL ? 0 : admin_usage(admin, "there is no destination %s", name);
}

static int
choose(struct admin *admin, struct choice *choice)
{
	const char *from = args_value(&admin->args, "from"),
		   *older = args_value(&admin->args, "older");
	struct fault fault;
	int code;

	if ((code = choose_account(admin, choice, args_value(&admin->args, "account"))) != 0 ||
	    (code = choose_destination(admin, choice, args_value(&admin->args, "to"))) != 0)
		return code;
	if (from != NULL && cidr_parse(from, &choice->from, &fault) == -1)
		return admin_usage(admin, "%s", fault.text);
	if (older != NULL && age_read(older, &choice->filter.older_ms, &fault) == -1)
		return admin_usage(admin, "%s", fault.text);
	choice->filter.from = from != NULL ? &choice->from : NULL;
	return 0;
}

static bool
on_reply(void *ctx, const char *process, json_t *reply)
{
	struct session_table *table = ctx;
	json_t *sessions = json_object_get(reply, "sessions");

	for (size_t i = 0; i < json_array_size(sessions); i++)
		session_table_take(table, process, json_array_get(sessions, i));
	return json_is_array(sessions);
}

static void
show(const struct admin *admin, const struct session_table *table)
{
	size_t count = session_table_count(table);
	struct buf text = BUF_INIT;

	for (size_t i = 0; admin->json && i < count; i++)
		admin_print_json(json_incref(session_table_json(table, i)));
	if (!admin->json) {
		session_table_write(table, &text);
		fwrite(buf_str(&text).ptr, 1, buf_len(&text), stdout);
		buf_fini(&text);
	}
	if (count == 0)
		admin_note(admin, "no such sessions");
}

static int
list(struct admin *admin, const struct session_filter *filter)
{
	struct session_table *table = session_table_new(filter);
	json_t *request = json_pack("{s:s}", "do", "sessions");
	int code = fronts_ask(admin, request, on_reply, table);

	session_table_sort(table);
	if (code == 0 || session_table_count(table) > 0)
		show(admin, table);
	json_decref(request);
	session_table_free(&table);
	return code;
}

static int
run(struct admin *admin)
{
	struct choice choice = {0};
	int code = admin_need_settings(admin);

	if (code != 0)
		return code;
	subject_init(&choice.account);
	if ((code = choose(admin, &choice)) == 0)
		code = list(admin, &choice.filter);
	subject_fini(&choice.account);
	buf_fini(&choice.account_text);
	return code;
}

const struct command cmd_sessions = {
    .name = "sessions",
    .usage = "[--account ADDRESS] [--from ADDRESS] [--to DESTINATION] [--older AGE]",
    .sentence = "Lists who is logged in through the front of this host, the oldest first.",
    .options = options,
    .words_least = 0,
    .words_most = 0,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
