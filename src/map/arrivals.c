/*
 * arrivals.c - how many messages an account got since its last flip     (pure)
 */
#include "map/arrivals.h"

#include "base/mem.h"
#include "map/rehearsed.h"

#include <inttypes.h>
#include <stdio.h>

static const char unknown_of[] = "unknown:"; /* and the id of a node */
static const char unreadable[] = "what was counted before cannot be read";

/* ---- keys */

void
arrivals_key(struct buf *key, const char *prefix, struct str account)
{
	buf_addf(key, "%s.arrivals:", prefix);
	buf_add_str(key, account);
}

void
arrivals_all_key(struct buf *key, const char *prefix)
{
	buf_addf(key, "%s.arrivals", prefix);
}

void
arrivals_batch_key(struct buf *key, const char *prefix, struct str node)
{
	buf_addf(key, "%s.arrivals.batch:", prefix);
	buf_add_str(key, node);
}

void
arrivals_reports_key(struct buf *key, const char *prefix)
{
	buf_addf(key, "%s.arrivals.reports", prefix);
}

/* ---- values */

/* text_r has room for "most" bytes and an end. Cut, and without a byte that is no letter of ours.
 */
static void
copy(char *text_r, size_t most, struct str text)
{
	size_t len = text.len < most ? text.len : most;

	for (size_t i = 0; i < len; i++)
		text_r[i] = text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f ? text.ptr[i] : '?';
	text_r[len] = '\0';
}

/* "2026-11-21T19:40:05Z", a space and words. */
static bool
read_dated(struct str value, int64_t *at_s_r, char *text_r, size_t most)
{
	size_t space = str_find(value, ' ');

	if (space == value.len || !rehearsed_read_time(str_make(value.ptr, space), at_s_r))
		return false;
	copy(text_r, most, str_from(value, space + 1));
	return true;
}

static bool
take_field(struct arrivals *arrivals, struct str field, struct str value)
{
	if (str_is(field, "owner")) {
		if (!record_owner_is_valid(value))
			return false;
		memcpy(arrivals->owner, value.ptr, value.len);
		arrivals->owner[value.len] = '\0';
		return true;
	}
	if (str_is(field, "messages"))
		return str_number(value, INT64_MAX, &arrivals->messages);
	if (str_is(field, "strays"))
		return str_number(value, INT64_MAX, &arrivals->strays);
	if (str_is(field, "first"))
		return rehearsed_read_time(value, &arrivals->first_s);
	if (str_is(field, "last"))
		return rehearsed_read_time(value, &arrivals->last_s);
	if (str_is(field, "stray"))
		return read_dated(value, &arrivals->stray_s, arrivals->stray_from,
		    ARRIVALS_FROM_MOST);
	return true; /* a newer policyd's */
}

void
arrivals_take(struct arrivals *arrivals, struct str field, struct str value)
{
	bool good = str_is(field, "unknown") ? read_dated(value, &arrivals->unknown_s,
						   arrivals->unknown, ARRIVALS_REASON_MOST)
					     : take_field(arrivals, field, value);

	if (!good && arrivals->unknown[0] == '\0')
		copy(arrivals->unknown, ARRIVALS_REASON_MOST, str_of(unreadable));
}

bool
arrivals_is_of(const struct arrivals *arrivals, struct str owner)
{
	return str_is(owner, arrivals->owner);
}

static void
begin(struct arrivals *arrivals, struct str owner)
{
	bool was_unreadable = arrivals->owner[0] == '\0' && arrivals->unknown[0] != '\0';

	if (arrivals_is_of(arrivals, owner))
		return;
	*arrivals = (struct arrivals){0};
	copy(arrivals->owner, RECORD_OWNER_MAX_BYTES, owner);
	if (was_unreadable)
		copy(arrivals->unknown, ARRIVALS_REASON_MOST, str_of(unreadable));
}

bool
arrivals_add(struct arrivals *arrivals, const struct arrivals_message *message, struct str now)
{
	if (!str_eq(message->owner, now))
		return false;
	begin(arrivals, now);
	arrivals->messages++;
	if (arrivals->first_s == 0 || message->at_s < arrivals->first_s)
		arrivals->first_s = message->at_s;
	if (message->at_s > arrivals->last_s)
		arrivals->last_s = message->at_s;
	if (!message->is_stray)
		return true;
	arrivals->strays++;
	if (message->at_s >= arrivals->stray_s) {
		arrivals->stray_s = message->at_s;
		copy(arrivals->stray_from, ARRIVALS_FROM_MOST, message->from);
	}
	return true;
}

void
arrivals_set_unknown(struct arrivals *arrivals, struct str now, int64_t at_s, struct str reason)
{
	begin(arrivals, now);
	if (at_s < arrivals->unknown_s)
		return;
	arrivals->unknown_s = at_s;
	copy(arrivals->unknown, ARRIVALS_REASON_MOST, reason);
}

/* ---- writing */

struct writing {
	struct arrivals_texts *texts;
	struct str *fields;
	size_t count;
};

static void
add_text(struct writing *writing, const char *field, const char *text, const char *more)
{
	char *room = writing->texts->texts[writing->count];

	snprintf(room, ARRIVALS_TEXT_BYTES, "%s%s%s", text, more[0] != '\0' ? " " : "", more);
	writing->fields[2 * writing->count] = str_of(field);
	writing->fields[2 * writing->count + 1] = str_of(room);
	writing->count++;
}

static void
add_number(struct writing *writing, const char *field, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	add_text(writing, field, text, "");
}

static void
add_time(struct writing *writing, const char *field, int64_t at_s, const char *more)
{
	char text[REHEARSED_TIME_BYTES];

	rehearsed_time(at_s, text);
	add_text(writing, field, text, more);
}

size_t
arrivals_write(const struct arrivals *arrivals, struct arrivals_texts *texts,
    struct str fields_r[static 2 * ARRIVALS_FIELDS_MOST])
{
	struct writing writing = {.texts = texts, .fields = fields_r};

	add_text(&writing, "owner", arrivals->owner, "");
	add_number(&writing, "messages", arrivals->messages);
	if (arrivals->messages > 0) {
		add_time(&writing, "first", arrivals->first_s, "");
		add_time(&writing, "last", arrivals->last_s, "");
	}
	if (arrivals->strays > 0) {
		add_number(&writing, "strays", arrivals->strays);
		add_time(&writing, "stray", arrivals->stray_s, arrivals->stray_from);
	}
	if (arrivals->unknown[0] != '\0')
		add_time(&writing, "unknown", arrivals->unknown_s, arrivals->unknown);
	return 2 * writing.count;
}

/* ---- all accounts */

void
arrivals_all_take(struct arrivals_all *all, struct str field, struct str value)
{
	struct arrivals_all one = {0};

	if (str_is(field, "since")) {
		if (!rehearsed_read_time(value, &all->since_s))
			all->since_s =
			    ARRIVALS_TIME_MOST; /* somebody counts, since nobody knows when */
		return;
	}
	if (!str_starts(field, unknown_of))
		return;
	if (!read_dated(value, &one.unknown_s, one.unknown, ARRIVALS_REASON_MOST)) {
		one.unknown_s = ARRIVALS_TIME_MOST;
		copy(one.unknown, ARRIVALS_REASON_MOST,
		    STR("why a node lost count cannot be read"));
	}
	if (one.unknown_s >= all->unknown_s) {
		all->unknown_s = one.unknown_s;
		memcpy(all->unknown, one.unknown, sizeof(all->unknown));
	}
}

void
arrivals_unknown_field(struct buf *field, struct str node)
{
	buf_add_text(field, unknown_of);
	buf_add_str(field, node);
}

void
arrivals_unknown_value(struct buf *value, int64_t at_s, struct str reason)
{
	char at[REHEARSED_TIME_BYTES], text[ARRIVALS_REASON_MOST + 1];

	rehearsed_time(at_s, at);
	copy(text, ARRIVALS_REASON_MOST, reason);
	buf_addf(value, "%s %s", at, text);
}

void
arrivals_tell(struct arrivals_told *told_r, const struct arrivals *counts,
    const struct arrivals_all *all, struct str owner, int64_t flip_s)
{
	bool is_his = counts->owner[0] == '\0' || arrivals_is_of(counts, owner);

	*told_r = (struct arrivals_told){.state = ARRIVALS_KNOWN};
	if (is_his)
		told_r->counts = *counts;
	if (told_r->counts.unknown[0] != '\0') {
		told_r->state = ARRIVALS_UNKNOWN;
		told_r->reason = told_r->counts.unknown;
		told_r->reason_s = told_r->counts.unknown_s;
	} else if (all->unknown_s > 0 && all->unknown_s >= flip_s) {
		told_r->state = ARRIVALS_UNKNOWN;
		told_r->reason = all->unknown;
		told_r->reason_s = all->unknown_s;
	} else if (all->since_s == 0) {
		told_r->state = ARRIVALS_UNCOUNTED;
	} else if (all->since_s > flip_s) {
		told_r->since_s = all->since_s;
	}
}

/* ---- batches */

bool
arrivals_series_is_valid(struct str series)
{
	for (size_t i = 0; i < series.len; i++) {
		if ((series.ptr[i] < '0' || series.ptr[i] > '9') &&
		    (series.ptr[i] < 'a' || series.ptr[i] > 'f'))
			return false;
	}
	return series.len == ARRIVALS_SERIES_BYTES - 1;
}

void
arrivals_place_write(struct arrivals_place place, char text_r[static ARRIVALS_PLACE_BYTES])
{
	snprintf(text_r, ARRIVALS_PLACE_BYTES, "%s %" PRIu64 " %" PRIu64, place.series, place.batch,
	    place.part);
}

bool
arrivals_place_read(struct str text, struct arrivals_place *place_r)
{
	size_t first = str_find(text, ' '), second = str_rfind(text, ' ');
	struct arrivals_place place = {.batch = 0};

	if (first == second || !arrivals_series_is_valid(str_make(text.ptr, first)) ||
	    !str_number(str_make(text.ptr + first + 1, second - first - 1), INT64_MAX,
		&place.batch) ||
	    !str_number(str_from(text, second + 1), INT64_MAX, &place.part))
		return false;
	memcpy(place.series, text.ptr, first);
	*place_r = place;
	return true;
}

static bool
is_nothing(const struct arrivals_place *place)
{
	return place->batch == 0;
}

static bool
is_same(const struct arrivals_place *a, const struct arrivals_place *b)
{
	return a->batch == b->batch && a->part == b->part &&
	       (is_nothing(a) || strcmp(a->series, b->series) == 0);
}

/* The process that put "found" there was another one of this node. */
static enum arrivals_step
step_anew(const struct arrivals_place *found, const struct arrivals_place *next)
{
	if (is_nothing(found))
		return next->batch == 1 ? ARRIVALS_APPLY : ARRIVALS_APPLY_LOST;
	if (strcmp(found->series, next->series) != 0)
		return ARRIVALS_APPLY_LOST;
	if (found->batch + 1 == next->batch ||
	    (found->batch == next->batch && found->part + 1 == next->part))
		return ARRIVALS_APPLY;
	return ARRIVALS_APPLY_LOST;
}

enum arrivals_step
arrivals_step(const struct arrivals_place *found, const struct arrivals_place *last,
    const struct arrivals_place *next)
{
	if (found->batch == next->batch && found->part >= next->part &&
	    strcmp(found->series, next->series) == 0)
		return ARRIVALS_APPLIED;
	if (is_nothing(last))
		return step_anew(found, next);
	return is_same(found, last) ? ARRIVALS_APPLY : ARRIVALS_APPLY_LOST;
}
