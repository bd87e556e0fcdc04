/*
 * cmd_doctor.c - splitmx doctor [ADDRESS|@DOMAIN ...]                 (driver)
 *
 * Everything in the map that does not fit together, each with the command that
 * mends it: what Redis holds against what the audit stream says was written and
 * what this host's journal knows, the records against the settings, the roster
 * against who beats. By itself it writes nothing.
 */
#include "admin/admin.h"

#include "admin/confirming.h"
#include "admin/doctor.h"
#include "admin/doctor_back.h"
#include "admin/doctor_journal.h"
#include "admin/doctor_keys.h"
#include "admin/history.h"
#include "admin/members.h"
#include "admin/named.h"
#include "admin/nodes.h"
#include "admin/status_map.h"
#include "admin/status_nodes.h"
#include "base/log.h"

#include <stdio.h>

static const struct option_row options[] = {
    {"hold", NULL, "hold each account whose last change from here is lost"},
    {"accept", NULL, "a map that went back is the right one from now on"},
    {"epoch", "N", "accept: a host has seen as much as this, more than this one"},
    {"yes", NULL, "accept without being asked"},
    {"reason", "TEXT", "why; stands in the audit stream"},
    {"by", "WHO", "on whose behalf; stands in the audit stream beside your own name"},
    CONFIRMING_OPTIONS,
    {0},
};

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

/* What the stream is compared with, both at once. */
struct readers {
	struct noted *noted;
	struct journaled *journaled;
};

static bool
take_entry(void *ctx, const struct entry *entry)
{
	const struct readers *readers = ctx;

	noted_take(readers->noted, entry);
	return journaled_take_entry(readers->journaled, entry);
}

static int
look(struct doctor *doctor, struct doctor_journal *journal, const struct str *names, size_t count,
    struct fault *fault_r)
{
	struct readers readers = {noted_new(), journal->journaled};
	struct history_place place = {0};
	int rc = -1;

	if ((count > 0 || look_at_house(doctor, fault_r) == 0) &&
	    history_forth(doctor->admin->client, &place, take_entry, &readers, fault_r) == 0 &&
	    doctor_journal(journal, noted_is_whole(readers.noted), names, count, fault_r) == 0)
		rc = doctor_keys(doctor, readers.noted, &place, names, count, fault_r);
	noted_free(&readers.noted);
	return rc;
}

static int
examine(struct doctor *doctor, const struct str *names, size_t count)
{
	struct admin *admin = doctor->admin;
	struct doctor_journal journal;
	struct fault fault;
	int code = 0;

	doctor_back(doctor);
	if (doctor_journal_init(&journal, doctor, &fault) == -1 ||
	    look(doctor, &journal, names, count, &fault) == -1)
		code = admin_fault(admin, &fault);
	else if (doctor_sum(doctor) > 0)
		code = EX_DATAERR;
	if ((code == 0 || code == EX_DATAERR) && args_has(&admin->args, "hold")) {
		int held = doctor_hold(&journal);

		code = held != 0 ? held : code;
	}
	if ((code == 0 || code == EX_DATAERR) && args_has(&admin->args, "accept"))
		code = doctor_accept(&journal);
	doctor_journal_fini(&journal);
	return code;
}

static int
run(struct admin *admin)
{
	struct doctor doctor = {.admin = admin};
	struct named named;
	int code;

	if (admin->args.word_count > 0 &&
	    (args_has(&admin->args, "hold") || args_has(&admin->args, "accept")))
		return admin_usage(admin, "--hold and --accept look at everything");
	if (args_has(&admin->args, "epoch") && !args_has(&admin->args, "accept"))
		return admin_usage(admin, "--epoch goes with --accept");
	if ((code = admin_mend_map(admin)) != 0)
		return code;
	if ((code = named_read(&named, admin)) == 0)
		code = examine(&doctor, named.names, named.count);
	named_fini(&named);
	return code;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .usage = "[ADDRESS|@DOMAIN ...] [--hold] [--accept [--epoch N]]",
    .sentence = "Names everything in the map that does not fit together, and what mends it.",
    .options = options,
    .words_least = 0,
    .words_most = ARGS_WORDS_MOST,
    .run = run,
    .asks = ASKS_FIRST,
    .writes = WRITES_MAP,
};
