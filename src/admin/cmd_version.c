/*
 * cmd_version.c - splitmx version                                     (driver)
 */
#include "admin/admin.h"

#include <stdio.h>

static int
run(struct admin *admin)
{
	if (admin->json)
		admin_print_json(json_pack("{s:s, s:i}", "version", PACKAGE_VERSION, "schema",
		    MAP_SCHEMA));
	else
		printf("splitmx %s, schema %d\n", PACKAGE_VERSION, MAP_SCHEMA);
	return 0;
}

const struct command cmd_version = {
    .name = "version",
    .usage = "",
    .sentence = "Shows the version, and the schema of the map that it knows.",
    .options = NULL,
    .words_least = 0,
    .words_most = 0,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
