/*
 * journal_line.c - one line of the journal of changes                   (pure)
 */
#include "map/journal_line.h"

#include "base/log.h"
#include "base/mem.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUM_DIGITS = 16 };

static const char *const what_names[] = {
    [JOURNAL_BEGUN] = "begun",
    [JOURNAL_WRITTEN] = "written",
    [JOURNAL_CONFIRMED] = "confirmed",
    [JOURNAL_UNCONFIRMED] = "unconfirmed",
    [JOURNAL_LOST] = "lost",
};
_Static_assert(ARRAY_LEN(what_names) == JOURNAL_WHATS, "a line lacks its name");

const char *
journal_what_name(enum journal_what what)
{
	return what_names[what];
}

static void
checksum(struct str text, char sum_r[static SUM_DIGITS + 1])
{
	unsigned char hash[crypto_generichash_BYTES_MIN];

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)text.ptr, text.len, NULL, 0);
	sodium_bin2hex(sum_r, SUM_DIGITS + 1, hash, SUM_DIGITS / 2);
}

/* ---- writing */

static void
add_text(json_t *object, const char *name, const char *text, size_t most)
{
	struct buf visible = BUF_INIT;
	json_t *json;

	if (text == NULL)
		return;
	log_visible(&visible, str_of(text));
	if (buf_len(&visible) > most)
		buf_truncate(&visible, most);
	json = json_string(buf_cstr(&visible));
	json_object_set_new(object, name,
	    json != NULL ? json : json_string("(cut inside a character)"));
	buf_fini(&visible);
}

void
journal_line_write(struct buf *out, const struct journal_line *line)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:s, s:I}", "what", what_names[line->what],
	    "time", line->time, "map", line->map, "epoch", (json_int_t)line->epoch, "nonce",
	    line->nonce, "highest", (json_int_t)line->highest);
	char sum[SUM_DIGITS + 1], *text;

	must(object != NULL);
	add_text(object, "who", line->who, JOURNAL_TEXT_MOST_BYTES);
	add_text(object, "command", line->command, JOURNAL_TEXT_MOST_BYTES);
	add_text(object, "why", line->why, JOURNAL_TEXT_MOST_BYTES);
	add_text(object, "name", line->name, JOURNAL_LINE_MOST_BYTES / 3);
	add_text(object, "before", line->before, JOURNAL_TEXT_MOST_BYTES);
	add_text(object, "after", line->after, JOURNAL_TEXT_MOST_BYTES);
	add_text(object, "complete", line->complete, JOURNAL_TEXT_MOST_BYTES);
	add_text(object, "digest", line->digest, JOURNAL_TEXT_MOST_BYTES);
	add_text(object, "again", line->again, JOURNAL_TEXT_MOST_BYTES);
	add_text(object, "sha256", line->sha256, JOURNAL_TEXT_MOST_BYTES);
	if (line->accounts > 0)
		json_object_set_new(object, "accounts", json_integer((json_int_t)line->accounts));
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	must(text != NULL);
	checksum(str_of(text), sum);
	buf_addf(out, "%s %s\n", sum, text);
	free(text);
}

/* ---- reading */

static bool
read_word(const json_t *object, const char *name, char *room, size_t size)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL && strlen(text) < size && snprintf(room, size, "%s", text) >= 0;
}

static bool
read_number(const json_t *object, const char *name, uint64_t *number_r)
{
	const json_t *json = json_object_get(object, name);

	*number_r = (uint64_t)json_integer_value(json);
	return json_is_integer(json) && json_integer_value(json) >= 0;
}

static const char *
text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool
read_what(const json_t *object, enum journal_what *what_r)
{
	const char *name = text_of(object, "what");

	for (int i = 0; name != NULL && i < JOURNAL_WHATS; i++) {
		if (strcmp(name, what_names[i]) == 0) {
			*what_r = (enum journal_what)i;
			return true;
		}
	}
	return false;
}

bool
journal_line_read(struct str text, struct journal_line *line_r)
{
	char sum[SUM_DIGITS + 1];
	json_t *object;
	struct str json;

	*line_r = (struct journal_line){0};
	if (text.len <= SUM_DIGITS + 1 || text.ptr[SUM_DIGITS] != ' ')
		return false;
	json = str_from(text, SUM_DIGITS + 1);
	checksum(json, sum);
	if (!str_is(str_make(text.ptr, SUM_DIGITS), sum))
		return false;
	object = json_loadb(json.ptr, json.len, 0, NULL);
	if (!json_is_object(object) || !read_what(object, &line_r->what) ||
	    !read_word(object, "time", line_r->time, sizeof(line_r->time)) ||
	    !read_word(object, "map", line_r->map, sizeof(line_r->map)) ||
	    !read_word(object, "nonce", line_r->nonce, sizeof(line_r->nonce)) ||
	    !read_number(object, "epoch", &line_r->epoch) ||
	    !read_number(object, "highest", &line_r->highest)) {
		json_decref(object);
		return false;
	}
	line_r->who = text_of(object, "who");
	line_r->command = text_of(object, "command");
	line_r->why = text_of(object, "why");
	line_r->name = text_of(object, "name");
	line_r->before = text_of(object, "before");
	line_r->after = text_of(object, "after");
	line_r->complete = text_of(object, "complete");
	line_r->digest = text_of(object, "digest");
	line_r->again = text_of(object, "again");
	line_r->sha256 = text_of(object, "sha256");
	read_number(object, "accounts", &line_r->accounts);
	line_r->store = object;
	return true;
}

void
journal_line_fini(struct journal_line *line)
{
	json_decref(line->store);
	*line = (struct journal_line){0};
}
