/*
 * commands.c - the commands of splitmx                                (driver)
 */
#include "admin/command.h"

#include "admin/admin.h"
#include "base/suggest.h"

#include <string.h>

const struct command *const commands[] = {
    &cmd_init,
    &cmd_explain,
    &cmd_set,
    &cmd_unset,
    &cmd_barrier,
    &cmd_list,
    &cmd_import,
    &cmd_export,
    &cmd_check,
    &cmd_status,
    &cmd_sessions,
    &cmd_kick,
    &cmd_strays,
    &cmd_doctor,
    &cmd_node,
    &cmd_member,
    &cmd_window,
    &cmd_help,
    &cmd_version,
    NULL,
};

const struct command *
command_find(const char *name)
{
	for (size_t i = 0; commands[i] != NULL; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

int
command_unknown(const struct admin *admin, const char *name)
{
	struct suggestion near = suggestion_for(name);

	for (size_t i = 0; commands[i] != NULL; i++)
		suggestion_offer(&near, commands[i]->name);
	return admin_usage(admin, "there is no command \"%s\"; %s%s%s", name,
	    near.best != NULL ? "do you mean " : "\"splitmx help\" shows all",
	    near.best != NULL ? near.best : "", near.best != NULL ? "?" : "");
}
