/*
 * cmd_doctor.c - splitmx doctor [ADDRESS|@DOMAIN ...]                 (driver)
 *
 * Everything in the map that does not fit together, each with the command that
 * mends it: what Redis holds against what the audit stream says was written, the
 * records against the settings, the roster against who beats.
 */
#include "admin/admin.h"

#include "admin/doctor.h"
#include "admin/doctor_keys.h"
#include "admin/history.h"
#include "admin/members.h"
#include "admin/nodes.h"
#include "admin/owner.h"
#include "admin/status_map.h"
#include "admin/status_nodes.h"
#include "base/log.h"

#include <stdio.h>

static const struct option_row options[] = {{0}};

static int
look_at_house(struct doctor *doctor, struct fault *fault_r)
{
	struct admin *admin = doctor->admin;
	const struct map_head *head = &client_map(admin->client)->head;
	struct members members;
	struct nodes nodes = {0};
	int rc;

	doctor_say_all(doctor, FINDING_WINDOW, STR("window"), head_troubles(head));
	if (members_read(&members, admin->client, fault_r) == -1)
		return -1;
	doctor_say_all(doctor, FINDING_MEMBERS, STR("members"), members_troubles(head, &members));
	rc = nodes_read(&nodes, admin->client, fault_r);
	if (rc == 0)
		rc = nodes_watch(&nodes, admin->client, NODES_LOOK_MS, admin->json, fault_r);
	for (size_t i = 0; rc == 0 && i < nodes.count; i++)
		doctor_say_all(doctor, FINDING_NODE, str_of(nodes.list[i].id),
		    node_troubles(admin, &nodes, &nodes.list[i]));
	nodes_fini(&nodes);
	return rc;
}

static int
examine(struct doctor *doctor, const struct str *names, size_t count)
{
	struct admin *admin = doctor->admin;
	struct noted *noted = noted_new();
	struct fault fault;
	int code = 0;

	if ((count == 0 && look_at_house(doctor, &fault) == -1) ||
	    history_forth(admin->client, noted_take, noted, &fault) == -1 ||
	    doctor_keys(doctor, noted, names, count, &fault) == -1)
		code = admin_fault(admin, &fault);
	else if (doctor_sum(doctor) > 0)
		code = EX_DATAERR;
	noted_free(&noted);
	return code;
}

static int
run(struct admin *admin)
{
	struct subject subjects[ARGS_WORDS_MOST];
	struct str names[ARGS_WORDS_MOST];
	struct doctor doctor = {.admin = admin};
	size_t count = 0;
	int code;

	if ((code = admin_need_map(admin)) != 0)
		return code;
	while (code == 0 && count < admin->args.word_count) {
		subject_init(&subjects[count]);
		code = owner_subject(admin, &subjects[count], admin->args.words[count]);
		names[count] = subjects[count].name;
		count++;
	}
	if (code == 0)
		code = examine(&doctor, names, count);
	while (count > 0)
		subject_fini(&subjects[--count]);
	return code;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .usage = "[ADDRESS|@DOMAIN ...]",
    .sentence = "Names everything in the map that does not fit together, and what mends it.",
    .options = options,
    .words_least = 0,
    .words_most = ARGS_WORDS_MOST,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
