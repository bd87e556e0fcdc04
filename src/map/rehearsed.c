/*
 * rehearsed.c - what a login that was tried elsewhere came to, as it is kept (pure)
 */
#include "map/rehearsed.h"

#include "base/mem.h"

#include <stdio.h>
#include <time.h>

static const char trying[] = "trying:"; /* no destination has a colon in its name */

void
rehearsed_key(struct buf *key, const char *prefix, struct str account)
{
	buf_addf(key, "%s.rehearsal:", prefix);
	buf_add_str(key, account);
}

void
rehearsed_trying(struct buf *field, struct str destination)
{
	buf_add_text(field, trying);
	buf_add_str(field, destination);
}

/* ---- times */

void
rehearsed_time(int64_t at_s, char text_r[static REHEARSED_TIME_BYTES])
{
	time_t at = (time_t)at_s;
	struct tm parts;

	must(gmtime_r(&at, &parts) != NULL);
	must(strftime(text_r, REHEARSED_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts) ==
	     REHEARSED_TIME_BYTES - 1);
}

static bool
read_number(struct str text, size_t at, size_t len, int *number_r)
{
	uint64_t number;

	if (!str_number(str_make(text.ptr + at, len), 9999, &number))
		return false;
	*number_r = (int)number;
	return true;
}

bool
rehearsed_read_time(struct str text, int64_t *at_s_r)
{
	struct tm parts = {0};
	char again[REHEARSED_TIME_BYTES];
	int64_t at_s;

	if (text.len != REHEARSED_TIME_BYTES - 1 || !read_number(text, 0, 4, &parts.tm_year) ||
	    !read_number(text, 5, 2, &parts.tm_mon) || !read_number(text, 8, 2, &parts.tm_mday) ||
	    !read_number(text, 11, 2, &parts.tm_hour) || !read_number(text, 14, 2, &parts.tm_min) ||
	    !read_number(text, 17, 2, &parts.tm_sec) || parts.tm_year < 1970)
		return false;
	parts.tm_year -= 1900;
	parts.tm_mon -= 1;
	at_s = (int64_t)timegm(&parts);
	rehearsed_time(at_s, again);
	if (!str_is(text, again)) /* the 31st of June, and whatever stands between the numbers */
		return false;
	*at_s_r = at_s;
	return true;
}

/* ---- values */

void
rehearsed_add(struct buf *value, const struct rehearsed *rehearsed)
{
	char at[REHEARSED_TIME_BYTES];

	rehearsed_time(rehearsed->at_s, at);
	buf_addf(value, "%s %s", rehearsed->works ? "yes" : "no", at);
}

bool
rehearsed_read(struct str value, struct rehearsed *rehearsed_r)
{
	size_t space = str_find(value, ' ');
	struct str word = str_make(value.ptr, space);

	if (space == value.len || (!str_is(word, "yes") && !str_is(word, "no")) ||
	    !rehearsed_read_time(str_from(value, space + 1), &rehearsed_r->at_s))
		return false;
	rehearsed_r->works = str_is(word, "yes");
	return true;
}

void
rehearsed_take(struct rehearsals_known *known, struct str destination, struct str field,
    struct str value)
{
	if (str_eq(field, destination))
		known->is_there = rehearsed_read(value, &known->rehearsed);
	else if (str_starts(field, trying) && str_eq(str_from(field, strlen(trying)), destination))
		known->is_tried = rehearsed_read_time(value, &known->tried_s);
}

/* ---- when */

static int64_t
left_s(int64_t since_s, int64_t for_s, int64_t now_s)
{
	if (since_s > now_s)
		return since_s - now_s > for_s ? 0 : for_s;
	return now_s - since_s < for_s ? for_s - (now_s - since_s) : 0;
}

int64_t
rehearsed_wait_s(const struct rehearsals_known *known, int64_t interval_s, int64_t now_s)
{
	int64_t rest_s = known->is_there ? left_s(known->rehearsed.at_s, interval_s, now_s) : 0;
	int64_t try_s = known->is_tried ? left_s(known->tried_s, REHEARSED_TRYING_S, now_s) : 0;

	return rest_s > try_s ? rest_s : try_s;
}
