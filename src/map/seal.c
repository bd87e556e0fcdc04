/*
 * seal.c - what every fenced change ends with                         (driver)
 */
#include "map/seal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "map/audit.h"
#include "map/barrier.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAUSE_MS = 200 };

void
seal_begin(struct client *client, struct seal *seal)
{
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
	client_words(client, NULL, NULL, "HINCRBY", map_key, "epoch", "1", NULL);
	client_words(client, NULL, NULL, "HSET", map_key, "change", seal->nonce, NULL);
	client_command(client, NULL, NULL, argv, argc);
	free(map_key);
	free(audit_key);
}

bool
seal_take(struct client *client, struct seal *seal, const struct resp *reply)
{
	size_t count = resp_count(reply);

	if (count < SEAL_COMMANDS ||
	    resp_type(resp_at(reply, count - SEAL_COMMANDS)) != RESP_INTEGER)
		return false;
	seal->epoch = (uint64_t)resp_int(resp_at(reply, count - SEAL_COMMANDS));
	client_saw_epoch(client, seal->epoch);
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
		if (found != SEAL_UNKNOWN || clock_ms() >= end_ms)
			return found;
		usleep(PAUSE_MS * 1000);
	}
}
