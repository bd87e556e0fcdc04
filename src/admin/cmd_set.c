/*
 * cmd_set.c - splitmx set ADDRESS|@DOMAIN DESTINATION                 (driver)
 *
 * An owner that mail is routed by changes only under a delivery hold that has
 * lasted longer than any Postfix remembers a route. How old a hold is stands
 * nowhere in the map, and two hosts' clocks are not to be compared: so set
 * watches the hold itself for that long, by its own clock, and the transaction
 * then insists that it is the same hold still.
 */
#include "admin/admin.h"
#include "admin/owner.h"
#include "admin/subject.h"

#include "base/log.h"

static const struct option_row options[] = {OWNER_OPTIONS, COMPLETING_OPTIONS, {0}};

static int
run(struct admin *admin)
{
	struct str destination = str_of(admin->args.words[1]);
	struct completing completing;
	struct subject subject;
	int code;

	if ((code = admin_need_settings(admin)) != 0)
		return code;
	if (!ruleset_has_destination(admin->rules, destination))
		return admin_fail(admin, EX_DATAERR, "%s is not a destination; %s has: %s",
		    log_quote(destination), admin->config_path, owner_destinations(admin));
	subject_init(&subject);
	if ((code = owner_subject(admin, &subject, admin->args.words[0])) == 0 &&
	    (code = completing_read(&completing, admin, &subject)) == 0)
		code = owner_change(admin, &subject, destination, &completing);
	subject_fini(&subject);
	return code;
}

const struct command cmd_set = {
    .name = "set",
    .usage = "ADDRESS|@DOMAIN DESTINATION [--hold] [--complete|--not-complete|--catch-all|"
	     "--no-catch-all] [--reason TEXT]",
    .sentence = "Gives an account, or all of a domain without an owner of their own, to a "
		"destination.",
    .options = options,
    .words_least = 2,
    .words_most = 2,
    .run = run,
    .asks = ASKS_WHERE_MANY,
    .writes = WRITES_MAP,
};
