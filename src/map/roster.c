/*
 * roster.c - what a node says of itself in the map                      (pure)
 */
#include "map/roster.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- members */

/* Cut where it is too long; missing: empty. */
static void
text_member(const json_t *object, const char *name, char *room, size_t size)
{
	const char *text = json_string_value(json_object_get(object, name));

	snprintf(room, size, "%s", text != NULL ? text : "");
}

static uint64_t
number_member(const json_t *object, const char *name)
{
	json_int_t number = json_integer_value(json_object_get(object, name));

	return number > 0 ? (uint64_t)number : 0;
}

/* A time that somebody must wait for: there, and no longer than "most". */
static int
time_member(const json_t *object, const char *name, uint32_t most, uint32_t *ms_r,
    struct fault *fault_r)
{
	const json_t *member = json_object_get(object, name);
	json_int_t ms = json_integer_value(member);

	if (!json_is_integer(member) || ms < 0 || ms > most)
		return fault_set(fault_r, VERDICT_TEMP, "no usable %s, a number from 0 to %u", name,
		    most);
	*ms_r = (uint32_t)ms;
	return 0;
}

static char *
object_text(json_t *object)
{
	char *text;

	must(object != NULL);
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	must(text != NULL);
	return text;
}

static json_t *
object_read(struct str text, struct fault *fault_r)
{
	json_t *object = NULL;

	if (text.len <= ROSTER_TEXT_MAX_BYTES)
		object = json_loadb(text.ptr, text.len, 0, NULL);
	if (!json_is_object(object)) {
		fault_set(fault_r, VERDICT_TEMP, "not a JSON object of at most %d bytes",
		    ROSTER_TEXT_MAX_BYTES);
		json_decref(object);
		return NULL;
	}
	return object;
}

/* What is not UTF-8, or was cut inside a character, must not cost the whole entry. */
static json_t *
text_json(const char *text)
{
	json_t *json = json_string(text);

	return json != NULL ? json : json_string("(not UTF-8)");
}

/* ---- the roster */

char *
roster_entry_text(const struct roster_entry *entry)
{
	return object_text(json_pack("{s:o, s:o, s:I, s:o, s:[i,i], s:I, s:I, s:s, s:s}", "host",
	    text_json(entry->host), "role", text_json(entry->role), "pid", (json_int_t)entry->pid,
	    "version", text_json(entry->version), "schema", (int)entry->schema_least,
	    (int)entry->schema_most, "grace_ms", (json_int_t)entry->grace_ms, "drain_ms",
	    (json_int_t)entry->drain_ms, "run", entry->run, "since", entry->since));
}

int
roster_entry_read(struct str text, struct roster_entry *entry_r, struct fault *fault_r)
{
	json_t *object = object_read(text, fault_r);
	const json_t *schema = json_object_get(object, "schema");
	int rc = -1;

	if (object == NULL)
		return -1;
	*entry_r = (struct roster_entry){0};
	text_member(object, "host", entry_r->host, sizeof(entry_r->host));
	text_member(object, "role", entry_r->role, sizeof(entry_r->role));
	text_member(object, "version", entry_r->version, sizeof(entry_r->version));
	text_member(object, "since", entry_r->since, sizeof(entry_r->since));
	text_member(object, "run", entry_r->run, sizeof(entry_r->run));
	entry_r->pid = number_member(object, "pid");
	entry_r->schema_least = (unsigned)json_integer_value(json_array_get(schema, 0));
	entry_r->schema_most = (unsigned)json_integer_value(json_array_get(schema, 1));
	if (time_member(object, "grace_ms", GRACE_MOST_MS, &entry_r->grace_ms, fault_r) == 0 &&
	    time_member(object, "drain_ms", DRAIN_MOST_MS, &entry_r->drain_ms, fault_r) == 0)
		rc = 0;
	json_decref(object);
	return rc;
}

/* ---- beats */

char *
roster_beat_text(const struct roster_beat *beat)
{
	json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:I}", "run", beat->run, "beat",
	    (json_int_t)beat->beat, "epoch", (json_int_t)beat->epoch, "lease_left_ms",
	    (json_int_t)beat->lease_left_ms, "phase", beat->phase, "answers",
	    (json_int_t)beat->answers, "entries", (json_int_t)beat->entries);

	if (beat->alarm[0] != '\0')
		json_object_set_new(object, "alarm", text_json(beat->alarm));
	if (beat->refuses[0] != '\0')
		json_object_set_new(object, "refuses", text_json(beat->refuses));
	return object_text(object);
}

int
roster_beat_read(struct str text, struct roster_beat *beat_r, struct fault *fault_r)
{
	json_t *object = object_read(text, fault_r);

	if (object == NULL)
		return -1;
	*beat_r = (struct roster_beat){.beat = number_member(object, "beat"),
	    .epoch = number_member(object, "epoch"),
	    .lease_left_ms = (uint32_t)number_member(object, "lease_left_ms"),
	    .answers = number_member(object, "answers"),
	    .entries = number_member(object, "entries")};
	text_member(object, "run", beat_r->run, sizeof(beat_r->run));
	text_member(object, "phase", beat_r->phase, sizeof(beat_r->phase));
	text_member(object, "alarm", beat_r->alarm, sizeof(beat_r->alarm));
	text_member(object, "refuses", beat_r->refuses, sizeof(beat_r->refuses));
	json_decref(object);
	return 0;
}
