/*
 * cmd_unset.c - splitmx unset ADDRESS|@DOMAIN                         (driver)
 *
 * The account belongs to its domain's owner afterwards, or to nobody.
 */
#include "admin/admin.h"
#include "admin/owner.h"
#include "admin/subject.h"

static const struct option_row options[] = {OWNER_OPTIONS, {0}};

static int
run(struct admin *admin)
{
	const struct completing goes = {.is_said = false};
	struct subject subject;
	int code;

	if ((code = admin_need_settings(admin)) != 0)
		return code;
	subject_init(&subject);
	if ((code = owner_subject(admin, &subject, admin->args.words[0])) == 0)
		code = owner_change(admin, &subject, STR(""), &goes);
	subject_fini(&subject);
	return code;
}

const struct command cmd_unset = {
    .name = "unset",
    .usage = "ADDRESS|@DOMAIN [--hold] [--reason TEXT]",
    .sentence = "Removes an owner key: the account falls back to its domain's owner.",
    .options = options,
    .words_least = 1,
    .words_most = 1,
    .run = run,
    .asks = ASKS_WHERE_MANY,
    .writes = WRITES_MAP,
};
