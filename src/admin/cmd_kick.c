/*
 * cmd_kick.c - splitmx kick                                           (driver)
 *
 * Ends sessions gently: a command that runs is completed, and the client is told
 * to come again in the words of its protocol. Nobody is kept out: whoever comes
 * again is led where the map says.
 */
#include "admin/admin.h"

#include "admin/fronts.h"
#include "admin/subject.h"

#include <inttypes.h>
#include <stdio.h>

static const struct option_row options[] = {
    {"session", "ID", "the one with this id, as \"splitmx sessions\" shows it"},
    {0},
};

static bool
on_reply(void *ctx, const char *process, json_t *reply)
{
	uint64_t *ended = ctx;
	const json_t *here = json_object_get(reply, "ended");

	*ended += (uint64_t)json_integer_value(here);
	return json_is_integer(here);
}

/* what is "account" or "session". */
static int
kick(struct admin *admin, const char *what, struct str whom)
{
	json_t *name = admin_json_text(whom);
	json_t *request = json_pack("{s:s, s:O}", "do", "kick", what, name);
	uint64_t ended = 0;
	int code = fronts_ask(admin, request, on_reply, &ended);

	if (admin->json) {
		admin_print_json(json_pack("{s:O, s:I}", what, name, "ended", (json_int_t)ended));
	} else if (ended > 0) {
		printf("%" PRIu64 " session%s of ", ended, ended == 1 ? "" : "s");
		admin_print_text(stdout, whom);
		puts(ended == 1 ? " ends" : " end");
	}
	if (ended == 0 && code == 0)
		code = admin_fail(admin, EX_NOUSER, "%.*s has no session here", STR_FMT(whom));
	json_decref(request);
	json_decref(name);
	return code;
}

static int
kick_account(struct admin *admin, const char *text)
{
	struct account_rules rules = admin_account_rules(admin);
	struct subject subject;
	struct fault fault;
	int code;

	subject_init(&subject);
	if (subject_read(&subject, str_of(text), &rules, &fault) == -1)
		code = admin_usage(admin, "%s", fault.text);
	else if (subject.is_domain)
		code = admin_usage(admin, "%s is a domain: sessions are of accounts", text);
	else
		code = kick(admin, "account", subject.name);
	subject_fini(&subject);
	return code;
}

static int
run(struct admin *admin)
{
	const char *session = args_value(&admin->args, "session");
	int code;

	if ((admin->args.word_count == 1) == (session != NULL))
		return admin_usage(admin, "whom? an account, or --session with an id");
	if ((code = admin_need_settings(admin)) != 0)
		return code;
	return session != NULL ? kick(admin, "session", str_of(session))
			       : kick_account(admin, admin->args.words[0]);
}

const struct command cmd_kick = {
    .name = "kick",
    .usage = "ADDRESS | --session ID",
    .sentence = "Ends, gently, the sessions of an account through the front of this host.",
    .options = options,
    .words_least = 0,
    .words_most = 1,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
