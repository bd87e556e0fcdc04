/*
 * cmd_status.c - splitmx status                                       (driver)
 *
 * The whole house, from above: the map as Redis tells it, the Redis servers that
 * hold it, the nodes that answer from it, and then the processes of this host,
 * which say more of themselves. Those answer when Redis is away, too.
 */
#include "admin/admin.h"

#include "admin/members.h"
#include "admin/nodes.h"
#include "admin/status_map.h"
#include "admin/status_nodes.h"
#include "admin/status_processes.h"

#include <stdio.h>

static const struct option_row options[] = {
    {"all", NULL, "show everything that each process says, not only the table"},
    {"local", NULL, "only the processes of this host: Redis is not asked"},
    {0},
};

static void
empty_line(const struct admin *admin)
{
	if (!admin->json)
		putchar('\n');
	fflush(stdout);
}

/* Returns whether an operator must look at something; -1 and *fault_r. */
static int
show_map(struct admin *admin, struct nodes *nodes, struct fault *fault_r)
{
	struct members members;
	bool any = status_head(admin);

	empty_line(admin);
	if (members_read(&members, admin->client, fault_r) == -1)
		return -1;
	any = status_members(admin, &members) || any;
	empty_line(admin);
	if (nodes_read(nodes, admin->client, fault_r) == -1 ||
	    nodes_watch(nodes, admin->client, NODES_LOOK_MS, admin->json, fault_r) == -1)
		return -1;
	any = status_nodes(admin, nodes) > 0 || any;
	empty_line(admin);
	return any;
}

static int
status_map(struct admin *admin)
{
	struct nodes nodes = {0};
	struct fault fault;
	int code = admin_look_at_map(admin), any;

	if (code != 0)
		return code;
	any = show_map(admin, &nodes, &fault);
	nodes_fini(&nodes);
	if (any == -1)
		return admin_fault(admin, &fault);
	return any ? EX_UNAVAILABLE : 0;
}

static int
run(struct admin *admin)
{
	int code = admin_need_settings(admin), local_code;

	if (code != 0)
		return code;
	if (!args_has(&admin->args, "local"))
		code = status_map(admin);
	local_code = status_processes(admin, args_has(&admin->args, "all"));
	return code != 0 ? code : local_code;
}

const struct command cmd_status = {
    .name = "status",
    .usage = "[--all] [--local]",
    .sentence = "Shows the map, its Redis servers, its nodes, and the processes of this host.",
    .options = options,
    .words_least = 0,
    .words_most = 0,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
