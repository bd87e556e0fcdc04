/*
 * entry.c - one entry of the audit stream                               (pure)
 */
#include "admin/entry.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <time.h>

bool
entry_read(const struct resp *resp, struct entry *entry_r)
{
	const struct {
		const char *name;
		struct str *place;
	} rows[] = {
	    {"who", &entry_r->who},
	    {"what", &entry_r->what},
	    {"why", &entry_r->why},
	    {"op", &entry_r->op},
	    {"epoch", &entry_r->epoch},
	    {"account", &entry_r->account},
	    {"before", &entry_r->before},
	    {"after", &entry_r->after},
	    {"accounts", &entry_r->accounts},
	    {"changes", &entry_r->changes},
	    {"found", &entry_r->found},
	};
	const struct resp *fields = resp_at(resp, 1);

	*entry_r = (struct entry){.id = resp_str(resp_at(resp, 0))};
	if (resp_count(resp) != 2 || entry_r->id.len == 0)
		return false;
	for (size_t i = 0; i + 1 < resp_count(fields); i += 2) {
		for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
			if (str_is(resp_str(resp_at(fields, i)), rows[r].name))
				*rows[r].place = resp_str(resp_at(fields, i + 1));
		}
	}
	return true;
}

/* ---- the owners in it */

/* Where the last word of a line begins, quoted or not; 0: there is no other before it. */
static size_t
last_word(struct str line)
{
	size_t at;

	if (line.len < 2 || line.ptr[line.len - 1] != '"') {
		at = str_rfind(line, ' ');
		return at < line.len ? at + 1 : 0;
	}
	/* Back to a quote that no backslash stands before, behind a space. */
	for (at = line.len - 2; at > 0; at--) {
		if (line.ptr[at] == '"' && line.ptr[at - 1] == ' ')
			return at;
	}
	return 0;
}

static bool
take_last(struct str *line, struct str *word_r)
{
	size_t at = last_word(*line);

	if (at < 2)
		return false;
	*word_r = str_from(*line, at);
	line->len = at - 1;
	return word_r->len > 0;
}

/* "name before after", or "name owner" of what was found. Names may hold spaces. */
static bool
read_line(struct str line, bool found, struct entry_change *change_r)
{
	if (!take_last(&line, &change_r->after) || (!found && !take_last(&line, &change_r->before)))
		return false;
	if (found)
		change_r->before = STR("");
	change_r->name = line;
	return str_find(line, '@') < line.len;
}

void
entry_walk_begin(struct entry_walk *walk, const struct entry *entry)
{
	walk->one = entry->account.len > 0 && entry->after.len > 0;
	walk->rest = entry->changes.len > 0 ? entry->changes : entry->found;
}

bool
entry_walk_next(struct entry_walk *walk, const struct entry *entry, struct entry_change *change_r)
{
	struct str line;

	if (walk->one) {
		walk->one = false;
		*change_r = (struct entry_change){entry->account, entry->before, entry->after};
		if (!str_eq(change_r->before, change_r->after))
			return true;
	}
	while (walk->rest.len > 0) {
		line = str_make(walk->rest.ptr, str_find(walk->rest, '\n'));
		walk->rest =
		    str_from(walk->rest, line.len < walk->rest.len ? line.len + 1 : line.len);
		if (read_line(line, entry->changes.len == 0, change_r) &&
		    !str_eq(change_r->before, change_r->after))
			return true;
	}
	return false;
}

/* ---- words */

struct str
entry_value(bool there, struct str value)
{
	return there ? str_of(log_quote(value)) : STR("-");
}

const char *
entry_time(struct str id, char room_r[static ENTRY_TIME_BYTES])
{
	uint64_t ms = 0;
	time_t seconds;
	struct tm tm;

	snprintf(room_r, ENTRY_TIME_BYTES, "?");
	if (!str_number(str_make(id.ptr, str_find(id, '-')), INT64_MAX / 1000, &ms))
		return room_r;
	seconds = (time_t)(ms / 1000);
	if (gmtime_r(&seconds, &tm) != NULL &&
	    strftime(room_r, ENTRY_TIME_BYTES, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(room_r, ENTRY_TIME_BYTES, "?");
	return room_r;
}
