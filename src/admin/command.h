/*
 * command.h - what a command of splitmx is                            (driver)
 *
 * One file and one descriptor per command; the columns say what the operator
 * must know before running it, and have no default. commands.c lists them.
 */
#ifndef ADMIN_COMMAND_H
#define ADMIN_COMMAND_H

#include "admin/args.h"

struct admin; /* admin/admin.h */

enum command_asks {
	ASKS_NEVER = 1,
	ASKS_FIRST, /* before what only a person can know: on a terminal, else --yes */
	ASKS_WHERE_MANY /* before more than one account changes: on a terminal, else --yes */
};

enum command_writes {
	WRITES_NOTHING = 1,
	WRITES_MAP /* and a line of the audit stream with it */
};

struct command {
	const char *name;
	const char *usage; /* what follows the name */
	const char *sentence; /* what it is for */
	const struct option_row *options;
	size_t words_least, words_most;
	int (*run)(struct admin *admin); /* returns a sysexits code */
	enum command_asks asks;
	enum command_writes writes;
};

extern const struct command *const commands[]; /* in the order of --help; ends with NULL */

const struct command *command_find(const char *name); /* NULL: no such command */

/* Says so, and which one was perhaps meant; returns EX_USAGE. */
int command_unknown(const struct admin *admin, const char *name);

extern const struct command cmd_init, cmd_explain, cmd_set, cmd_unset, cmd_barrier, cmd_list,
    cmd_import, cmd_export, cmd_check, cmd_status, cmd_doctor, cmd_member, cmd_node, cmd_window,
    cmd_sessions, cmd_kick, cmd_strays, cmd_help, cmd_version;

#endif
