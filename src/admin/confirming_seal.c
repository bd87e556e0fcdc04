/*
 * confirming_seal.c - a barrier without a change                      (driver)
 *
 * A new epoch and a line of the audit stream that says whose the accounts are at
 * this moment: what confirming_wait() can then wait for.
 */
#include "admin/confirming.h"

#include "admin/found.h"
#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEAL_TRIES_MOST = 20 };

struct sealing {
	struct client *client;
	struct seal *seal;
	bool failed, disturbed;
	struct fault fault;
};

static void
on_exec(void *ctx, const struct resp *reply)
{
	struct sealing *sealing = ctx;

	sealing->disturbed = resp_type(reply) == RESP_NIL;
	if (sealing->disturbed ||
	    (resp_type(reply) == RESP_ARRAY && seal_take(sealing->client, sealing->seal, reply)))
		return;
	sealing->failed = true;
	fault_set(&sealing->fault, VERDICT_TEMP, "Redis at %s refused a new epoch: %.*s",
	    client_target(sealing->client), STR_FMT(resp_str(reply)));
}

/* Which names it is about, and whose they are at this moment. */
static int
seal_once(struct sealing *sealing, const struct change_note *note, const struct str *names,
    size_t count, struct fault *fault_r)
{
	struct client *client = sealing->client;
	struct seal_field fields[2] = {{"accounts", STR("*")}, {"found", STR("")}};
	struct journal_line line = {.accounts = count};
	struct buf found = BUF_INIT;
	char number[24], *name;
	int rc;

	sealing->disturbed = sealing->failed = false;
	seal_begin(client, sealing->seal);
	if (found_owners(client, names, count, &found, fault_r) == -1) {
		buf_fini(&found);
		return -1;
	}
	snprintf(number, sizeof(number), "%zu", count);
	if (count == 1)
		fields[0] = (struct seal_field){"account", names[0]};
	else if (count > 1)
		fields[0].value = str_of(number);
	fields[1].value = buf_str(&found);
	line.name = name = count == 1 ? xstrndup(names[0].ptr, names[0].len) : NULL;
	rc = seal_journal(client, sealing->seal, note, &line, fault_r);
	free(name);
	if (rc == -1) {
		buf_fini(&found);
		return -1;
	}
	client_words(client, NULL, NULL, "MULTI", NULL);
	seal_queue(client, sealing->seal, note, fields, buf_len(&found) > 0 ? 2 : 1);
	client_words(client, on_exec, sealing, "EXEC", NULL);
	rc = client_wait(client, 0, fault_r);
	buf_fini(&found);
	return rc;
}

int
confirming_seal(struct admin *admin, const char *what, const struct str *names, size_t count,
    struct seal *seal_r, struct fault *fault_r)
{
	struct client *client = admin->client;
	struct sealing sealing = {.client = client, .seal = seal_r};
	const struct change_note note = {
	    .who = admin_who(admin), .what = what, .why = admin_why(admin)};
	struct fault unimportant;
	int rc, tries = 0;

	if (head_writable(&client_map(client)->head, client_prefix(client), fault_r) == -1)
		return -1;
	do
		rc = seal_once(&sealing, &note, names, count, fault_r);
	while (rc == 0 && sealing.disturbed && ++tries < SEAL_TRIES_MOST);
	if (rc == 0 && sealing.disturbed)
		return fault_set(fault_r, VERDICT_TEMP,
		    "others change these accounts all the time: no barrier was written, try again");
	if (rc == -1 && client_is_lost(client) &&
	    seal_find(client, seal_r, CLIENT_TIMEOUT_MS, &unimportant) == SEAL_IS_THERE)
		return 0;
	if (sealing.failed)
		*fault_r = sealing.fault;
	return rc == -1 || sealing.failed ? -1 : 0;
}
