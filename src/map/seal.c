/*
 * seal.c - what every fenced change ends with                         (driver)
 */
#include "map/seal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "map/audit.h"
#include "map/barrier.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAUSE_MS = 200 };

void
seal_begin(struct client *client, struct seal *seal)
{
	memcpy(seal->map, client_map(client)->head.id, sizeof(seal->map));
	barrier_nonce_new(seal->nonce);
	seal->epoch = 0;
	seal->before = client_map(client)->head.epoch;
}

void
seal_queue(struct client *client, const struct seal *seal, const struct change_note *note,
    const struct seal_field *fields, size_t count)
{
	char *map_key = xasprintf("%s.map", client_prefix(client));
	char *audit_key = xasprintf("%s.audit", client_prefix(client));
	struct str argv[11 + 2 * SEAL_FIELDS_MOST] = {STR("XADD"), str_of(audit_key), STR("*"),
	    STR("who"), str_of(note->who), STR("what"), str_of(note->what), STR("why"),
	    str_of(note->why), STR("op"), str_of(seal->nonce)};
	size_t argc = 11;

	must(count <= SEAL_FIELDS_MOST);
	for (size_t i = 0; i < count; i++) {
		argv[argc++] = str_of(fields[i].name);
		argv[argc++] = fields[i].value;
	}
	client_words(client, NULL, NULL, "HINCRBY", map_key, "epoch",
	    client_went_back(client) > 0 ? "0" : "1", NULL);
	client_words(client, NULL, NULL, "HSET", map_key, "change", seal->nonce, NULL);
	client_command(client, NULL, NULL, argv, argc);
	free(map_key);
	free(audit_key);
}

/* ---- the journal */

static int
add_line(struct client *client, const struct seal *seal, struct journal_line *line,
    struct fault *fault_r)
{
	memcpy(line->map, seal->map, sizeof(line->map));
	memcpy(line->nonce, seal->nonce, sizeof(line->nonce));
	return journal_add(client_journal(client), line, fault_r);
}

int
seal_journal(struct client *client, const struct seal *seal, const struct change_note *note,
    struct journal_line *line, struct fault *fault_r)
{
	const struct map_head *head = &client_map(client)->head;
	struct journal *journal = client_journal(client);
	uint64_t highest;

	if (journal_highest(journal, head->id, &highest, fault_r) == -1)
		return -1;
	/* Another command of this host may have written since: only what is read now counts. */
	if (head->epoch < highest && client_read_map(client, fault_r) == -1)
		return -1;
	if (head->epoch < highest && client_went_back(client) == 0)
		return fault_set(fault_r, VERDICT_TEMP,
		    "the map went back: Redis says epoch %" PRIu64
		    ", and a change of epoch %" PRIu64
		    " was made from this host; nothing was written. \"splitmx doctor\" says what is "
		    "missing, and accepts the map as it is",
		    head->epoch, highest);
	line->what = JOURNAL_BEGUN;
	line->epoch = head->epoch;
	line->who = note->who;
	line->command = note->what;
	line->why = note->why;
	line->again = note->again;
	line->sha256 = note->sha256;
	return add_line(client, seal, line, fault_r);
}

int
seal_journal_end(struct client *client, const struct seal *seal, enum journal_what what,
    struct fault *fault_r)
{
	struct journal_line line = {.what = what,
	    .epoch = seal->epoch,
	    .is_everywhere = what == JOURNAL_CONFIRMED ||
			     (what == JOURNAL_WRITTEN && head_is_alone(&client_map(client)->head))};

	return add_line(client, seal, &line, fault_r);
}

/* The change is written: a disk that is full only now must not make it look undone. */
static void
note_written(struct client *client, const struct seal *seal)
{
	struct fault unimportant;

	seal_journal_end(client, seal, JOURNAL_WRITTEN, &unimportant);
}

/* ---- Redis */

bool
seal_take(struct client *client, struct seal *seal, const struct resp *reply)
{
	size_t count = resp_count(reply);

	if (count < SEAL_COMMANDS ||
	    resp_type(resp_at(reply, count - SEAL_COMMANDS)) != RESP_INTEGER)
		return false;
	seal->epoch = (uint64_t)resp_int(resp_at(reply, count - SEAL_COMMANDS));
	client_saw_epoch(client, seal->epoch);
	note_written(client, seal);
	return true;
}

static enum seal_found
look(struct client *client, struct seal *seal, struct fault *fault_r)
{
	const struct map_head *head = &client_map(client)->head;
	enum audit_found found;

	if (strcmp(head->change, seal->nonce) == 0) {
		seal->epoch = head->epoch;
		return SEAL_IS_THERE;
	}
	/* Whoever writes raises it; on a former state of the map we have not written either. */
	if (head->epoch <= seal->before)
		return SEAL_IS_NOT;
	if (audit_find(client, seal->nonce, &found, fault_r) == -1)
		return SEAL_UNKNOWN;
	if (found == AUDIT_UNKNOWN)
		fault_set(fault_r, VERDICT_TEMP, "the audit stream does not reach back so far");
	if (found == AUDIT_IS_THERE)
		seal->epoch = head->epoch;
	return found == AUDIT_IS_THERE ? SEAL_IS_THERE
	       : found == AUDIT_IS_NOT ? SEAL_IS_NOT
				       : SEAL_UNKNOWN;
}

enum seal_found
seal_find(struct client *client, struct seal *seal, uint64_t patience_ms, struct fault *fault_r)
{
	uint64_t end_ms = clock_ms() + patience_ms;
	enum seal_found found = SEAL_UNKNOWN;

	for (;;) {
		if (client_reopen(client, fault_r) == 0)
			found = look(client, seal, fault_r);
		if (found == SEAL_IS_THERE)
			note_written(client, seal);
		if (found != SEAL_UNKNOWN || clock_ms() >= end_ms)
			return found;
		usleep(PAUSE_MS * 1000);
	}
}
