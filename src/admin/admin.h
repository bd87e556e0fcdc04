/*
 * admin.h - what every command of splitmx needs                       (driver)
 *
 * Settings, rules and the map are opened by the first who asks for them and
 * closed by main(). What the operator reads goes to stdout, what went wrong to
 * stderr; with --json both are JSON objects, one in a line.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "admin/args.h"
#include "admin/command.h"
#include "base/fault.h"
#include "base/settings.h"
#include "map/account.h"
#include "map/client.h"
#include "rules/ruleset.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

struct admin {
	const struct command *command;
	struct args args;
	const char *config_path;
	bool json;
	struct settings *settings;
	struct ruleset *rules;
	struct client *client;
	char *who;
};

void admin_init(struct admin *admin);
void admin_fini(struct admin *admin);

/* Each 0, or a sysexits code after having said what is wrong. Twice is harmless. */
int admin_need_settings(struct admin *admin); /* rules too: all problems are printed */
int admin_need_redis(struct admin *admin); /* whatever answers there */
int admin_need_map(struct admin *admin); /* an initialised map, see map/client.h */
int admin_look_at_map(struct admin *admin); /* the same, but nothing is started for it */
int admin_mend_map(struct admin *admin); /* likewise, and also a map that went back */

/* Settings and rules without a word; problems stay in admin->settings. For check. */
void admin_load(struct admin *admin);

struct account_rules admin_account_rules(const struct admin *admin);

/* Say what went wrong; returns the code, so that "return admin_fail(...)" reads as what it is. */
int admin_fail(const struct admin *admin, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a fault; the code fits its verdict. */
int admin_fault(const struct admin *admin, const struct fault *fault);
int admin_usage(const struct admin *admin, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A remark for a person, on stderr; nothing with --json. */
void admin_note(const struct admin *admin, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Print an object as one line on stdout and release it. */
void admin_print_json(json_t *object);

/* Print bytes of whatever origin for a person: nothing in them is an order to the terminal. */
void admin_print_text(FILE *file, struct str text);

/*
 * Before what a person must agree to (see command.h): 0 when the operator agrees, by --yes or
 * at the terminal; else EX_NOPERM, said. The question ends with "?".
 */
int admin_confirm(const struct admin *admin, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* For the audit stream: --by's text, if given, and "login@host"; lent as long as admin. */
const char *admin_who(struct admin *admin);
const char *admin_why(const struct admin *admin); /* --reason's text or "" */

/* Any text as JSON: bytes that are no UTF-8 are escaped as in the log. */
json_t *admin_json_text(struct str text);

#endif
