/*
 * test_arrivals.c - how many messages an account got since its last flip
 */
#include "map/arrivals.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

enum { T = 1763730000 }; /* 2025-11-21T13:00:00Z */

/* "field=value field=value", a value with '_' for spaces. */
static struct arrivals
hash(const char *text)
{
	struct arrivals arrivals = {0};
	char room[512], *field, *save = NULL;

	snprintf(room, sizeof(room), "%s", text);
	for (field = strtok_r(room, " ", &save); field != NULL;
	     field = strtok_r(NULL, " ", &save)) {
		char *value = strchr(field, '=');

		*value++ = '\0';
		for (char *c = value; *c != '\0'; c++) {
			if (*c == '_')
				*c = ' ';
		}
		arrivals_take(&arrivals, str_of(field), str_of(value));
	}
	return arrivals;
}

static void
assert_hash(const struct arrivals *arrivals, const char *want)
{
	struct str fields[2 * ARRIVALS_FIELDS_MOST];
	struct arrivals_texts texts;
	size_t count = arrivals_write(arrivals, &texts, fields);
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < count; i += 2) {
		buf_add_text(&text, i > 0 ? " " : "");
		buf_add_str(&text, fields[i]);
		buf_add_byte(&text, '=');
		for (size_t k = 0; k < fields[i + 1].len; k++)
			buf_add_byte(&text,
			    fields[i + 1].ptr[k] == ' ' ? '_' : fields[i + 1].ptr[k]);
	}
	assert_string_equal(buf_cstr(&text), want);
	buf_fini(&text);
}

/* Message: an owner, '!' for a stray at old1, seconds behind T. */
static const struct {
	const char *what, *before, *now;
	struct {
		const char *owner;
		bool stray;
		int after_s;
	} messages[3];
	const char *then;
} adds[] = {
    {"the first", "", "new", {{"new", false, 5}},
	"owner=new messages=1 first=2025-11-21T13:00:05Z last=2025-11-21T13:00:05Z"},
    {"the next, out of order",
	"owner=new messages=7 first=2025-11-21T13:00:05Z last=2025-11-21T13:00:05Z", "new",
	{{"new", false, 9}, {"new", false, 1}},
	"owner=new messages=9 first=2025-11-21T13:00:01Z last=2025-11-21T13:00:09Z"},
    {"a flip by hand was between",
	"owner=old messages=7 first=2025-11-21T13:00:00Z last=2025-11-21T13:00:05Z "
	"unknown=2025-11-21T13:00:00Z_lost",
	"new", {{"new", false, 9}},
	"owner=new messages=1 first=2025-11-21T13:00:09Z last=2025-11-21T13:00:09Z"},
    {"what came in the time of the former owner is not counted", "", "new",
	{{"old", false, 1}, {"new", false, 2}},
	"owner=new messages=1 first=2025-11-21T13:00:02Z last=2025-11-21T13:00:02Z"},
    {"nor does it disturb",
	"owner=new messages=1 first=2025-11-21T13:00:02Z last=2025-11-21T13:00:02Z", "new",
	{{"old", true, 1}},
	"owner=new messages=1 first=2025-11-21T13:00:02Z last=2025-11-21T13:00:02Z"},
    {"a stray", "", "new", {{"new", true, 3}},
	"owner=new messages=1 first=2025-11-21T13:00:03Z last=2025-11-21T13:00:03Z strays=1 "
	"stray=2025-11-21T13:00:03Z_old1"},
    {"an older stray",
	"owner=new messages=1 first=2025-11-21T13:00:03Z last=2025-11-21T13:00:03Z strays=1 "
	"stray=2025-11-21T13:00:03Z_old2",
	"new", {{"new", true, 1}},
	"owner=new messages=2 first=2025-11-21T13:00:01Z last=2025-11-21T13:00:03Z strays=2 "
	"stray=2025-11-21T13:00:03Z_old2"},
    {"unknown stays unknown",
	"owner=new messages=1 first=2025-11-21T13:00:03Z last=2025-11-21T13:00:03Z "
	"unknown=2025-11-21T13:00:00Z_one_was_lost",
	"new", {{"new", false, 4}},
	"owner=new messages=2 first=2025-11-21T13:00:03Z last=2025-11-21T13:00:04Z "
	"unknown=2025-11-21T13:00:00Z_one_was_lost"},
};

static void
messages_are_added(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(adds); i++) {
		struct arrivals arrivals = hash(adds[i].before);

		for (size_t k = 0; k < 3 && adds[i].messages[k].owner != NULL; k++) {
			const struct arrivals_message message = {
			    .owner = str_of(adds[i].messages[k].owner),
			    .from = STR("old1"),
			    .at_s = T + adds[i].messages[k].after_s,
			    .is_stray = adds[i].messages[k].stray};

			assert_int_equal(arrivals_add(&arrivals, &message, str_of(adds[i].now)),
			    strcmp(adds[i].messages[k].owner, adds[i].now) == 0);
		}
		assert_hash(&arrivals, adds[i].then);
	}
}

static void
what_cannot_be_read_is_unknown_and_stays_so(void **state)
{
	static const char *const odd[] = {"owner=", "messages=-1", "messages=x",
	    "messages=", "messages=9223372036854775808", "first=yesterday",
	    "last=2025-11-21T13:00:00", "strays=1_", "stray=2025-11-21T13:00:00Z", "unknown=x",
	    "unknown="};
	const struct arrivals_message message = {.owner = STR("new"), .at_s = T};

	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		struct arrivals arrivals = hash(odd[i]);

		if (arrivals.unknown[0] == '\0')
			fail_msg("%s", odd[i]);
		assert_true(arrivals_add(&arrivals, &message, STR("new")));
		assert_string_not_equal(arrivals.unknown, "");
	}
	assert_string_equal(hash("newer=field").unknown, "");
}

static void
unknown_is_marked_with_its_reason(void **state)
{
	struct arrivals arrivals = hash("owner=new messages=3 first=2025-11-21T13:00:03Z "
					"last=2025-11-21T13:00:04Z");

	arrivals_set_unknown(&arrivals, STR("new"), T + 9, STR("a\nb\x80"));
	arrivals_set_unknown(&arrivals, STR("new"), T + 8, STR("before that"));
	assert_hash(&arrivals, "owner=new messages=3 first=2025-11-21T13:00:03Z "
			       "last=2025-11-21T13:00:04Z unknown=2025-11-21T13:00:09Z_a?b?");
	arrivals_set_unknown(&arrivals, STR("old"), T + 10, STR("after a flip"));
	assert_hash(&arrivals, "owner=old messages=0 unknown=2025-11-21T13:00:10Z_after_a_flip");
}

static void
what_is_too_long_is_cut(void **state)
{
	char from[ARRIVALS_FROM_MOST + 50];
	struct arrivals arrivals = {0}, again;
	struct arrivals_message message = {.owner = STR("new"), .at_s = T, .is_stray = true};
	struct str fields[2 * ARRIVALS_FIELDS_MOST];
	struct arrivals_texts texts;
	size_t count;

	memset(from, 'm', sizeof(from));
	message.from = str_make(from, sizeof(from));
	assert_true(arrivals_add(&arrivals, &message, STR("new")));
	arrivals_set_unknown(&arrivals, STR("new"), T, str_make(from, sizeof(from)));
	count = arrivals_write(&arrivals, &texts, fields);
	assert_int_equal(count, 2 * ARRIVALS_FIELDS_MOST);
	again = (struct arrivals){0};
	for (size_t i = 0; i < count; i += 2)
		arrivals_take(&again, fields[i], fields[i + 1]);
	assert_memory_equal(&again, &arrivals, sizeof(again));
	assert_int_equal(strlen(again.stray_from), ARRIVALS_FROM_MOST);
}

static const struct {
	const char *what, *counts;
	int64_t since_s, unknown_s, flip_s;
	enum arrivals_state state;
	uint64_t messages;
	int64_t told_since_s;
	const char *reason;
} tells[] = {
    {"nobody counts", "", 0, 0, T, ARRIVALS_UNCOUNTED, 0, 0, NULL},
    {"nothing since the flip", "", T - 9, 0, T, ARRIVALS_KNOWN, 0, 0, NULL},
    {"some since the flip", "owner=new messages=23", T - 9, 0, T, ARRIVALS_KNOWN, 23, 0, NULL},
    {"begun after the flip", "owner=new messages=23", T + 9, 0, T, ARRIVALS_KNOWN, 23, T + 9, NULL},
    {"another owner's", "owner=old messages=23", T - 9, 0, T, ARRIVALS_KNOWN, 0, 0, NULL},
    {"a node lost count before the flip", "owner=new messages=1", T - 9, T - 1, T, ARRIVALS_KNOWN,
	1, 0, NULL},
    {"in that second", "owner=new messages=1", T - 9, T, T, ARRIVALS_UNKNOWN, 1, 0, "all"},
    {"after it", "owner=new messages=1", T - 9, T + 1, T, ARRIVALS_UNKNOWN, 1, 0, "all"},
    {"nobody knows when the flip was", "owner=new messages=1", T - 9, T - 5, 0, ARRIVALS_UNKNOWN, 1,
	0, "all"},
    {"nobody knows, and nothing was lost", "owner=new messages=1", T - 9, 0, 0, ARRIVALS_KNOWN, 1,
	T - 9, NULL},
    {"its own", "owner=new messages=1 unknown=2025-11-21T13:00:05Z_mine", T - 9, T + 1, T,
	ARRIVALS_UNKNOWN, 1, 0, "mine"},
    {"another owner's own", "owner=old messages=1 unknown=2025-11-21T13:00:05Z_mine", T - 9, 0, T,
	ARRIVALS_KNOWN, 0, 0, NULL},
    {"lost, and nobody counts any more", "", 0, T + 1, T, ARRIVALS_UNKNOWN, 0, 0, "all"},
};

static void
a_person_is_told_what_is_known(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(tells); i++) {
		struct arrivals counts = hash(tells[i].counts);
		struct arrivals_all all = {
		    .since_s = tells[i].since_s, .unknown_s = tells[i].unknown_s, .unknown = "all"};
		struct arrivals_told told;

		arrivals_tell(&told, &counts, &all, STR("new"), tells[i].flip_s);
		if (told.state != tells[i].state || told.counts.messages != tells[i].messages ||
		    told.since_s != tells[i].told_since_s)
			fail_msg("%s: state %d, %u messages", tells[i].what, (int)told.state,
			    (unsigned)told.counts.messages);
		if (tells[i].reason != NULL)
			assert_string_equal(told.reason, tells[i].reason);
	}
}

static void
the_latest_loss_of_all_nodes_counts(void **state)
{
	struct arrivals_all all = {0};

	arrivals_all_take(&all, STR("since"), STR("2025-11-21T13:00:00Z"));
	arrivals_all_take(&all, STR("unknown:mx1/policyd/0"), STR("2025-11-21T13:00:07Z a crash"));
	arrivals_all_take(&all, STR("unknown:mx2/policyd/0"), STR("2025-11-21T13:00:05Z 3 lost"));
	arrivals_all_take(&all, STR("else"), STR("x"));
	assert_int_equal(all.since_s, T);
	assert_int_equal(all.unknown_s, T + 7);
	assert_string_equal(all.unknown, "a crash");
	arrivals_all_take(&all, STR("unknown:mx3/policyd/0"), STR("x"));
	assert_true(all.unknown_s == ARRIVALS_TIME_MOST);
	all = (struct arrivals_all){0};
	arrivals_all_take(&all, STR("since"), STR("x"));
	assert_true(all.since_s == ARRIVALS_TIME_MOST);
}

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"

static const struct {
	const char *what;
	struct arrivals_place found, last, next;
	enum arrivals_step step;
} steps[] = {
    {"the first ever", {"", 0, 0}, {"", 0, 0}, {A, 1, 1}, ARRIVALS_APPLY},
    {"the next part", {A, 1, 1}, {A, 1, 1}, {A, 1, 2}, ARRIVALS_APPLY},
    {"the next batch", {A, 1, 2}, {A, 1, 2}, {A, 2, 1}, ARRIVALS_APPLY},
    {"sent again, and it was there", {A, 1, 2}, {A, 1, 1}, {A, 1, 2}, ARRIVALS_APPLIED},
    {"a new process: of the batch before", {A, 4, 9}, {"", 0, 0}, {A, 5, 1}, ARRIVALS_APPLY},
    {"a new process: a part is there", {A, 5, 2}, {"", 0, 0}, {A, 5, 1}, ARRIVALS_APPLIED},
    {"a new process: that one is", {A, 5, 2}, {"", 0, 0}, {A, 5, 2}, ARRIVALS_APPLIED},
    {"a new process: the next is not", {A, 5, 2}, {A, 5, 2}, {A, 5, 3}, ARRIVALS_APPLY},
    {"the same batch again: it could not be removed", {A, 5, 3}, {A, 5, 3}, {A, 5, 1},
	ARRIVALS_APPLIED},
    {"Redis went back", {A, 1, 1}, {A, 1, 2}, {A, 1, 3}, ARRIVALS_APPLY_LOST},
    {"Redis was emptied", {"", 0, 0}, {A, 3, 1}, {A, 3, 2}, ARRIVALS_APPLY_LOST},
    {"Redis was emptied before a new process", {"", 0, 0}, {"", 0, 0}, {A, 4, 1},
	ARRIVALS_APPLY_LOST},
    {"Redis is ahead of our file", {A, 9, 1}, {"", 0, 0}, {A, 4, 1}, ARRIVALS_APPLY_LOST},
    {"our file was removed", {A, 4, 1}, {"", 0, 0}, {B, 1, 1}, ARRIVALS_APPLY_LOST},
    {"our file was removed after the first", {A, 1, 1}, {"", 0, 0}, {B, 1, 1}, ARRIVALS_APPLY_LOST},
    {"our file was removed before the second", {A, 1, 1}, {"", 0, 0}, {B, 2, 1},
	ARRIVALS_APPLY_LOST},
    {"another one with our id", {B, 3, 1}, {A, 3, 1}, {A, 3, 2}, ARRIVALS_APPLY_LOST},
};

static void
what_was_applied_is_not_applied_again(void **state)
{
	char text[ARRIVALS_PLACE_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct arrivals_place place = {.batch = 7};

		if (arrivals_step(&steps[i].found, &steps[i].last, &steps[i].next) != steps[i].step)
			fail_msg("%s", steps[i].what);
		arrivals_place_write(steps[i].next, text);
		assert_true(arrivals_place_read(str_of(text), &place));
		assert_memory_equal(&place, &steps[i].next, sizeof(place));
	}
}

static void
what_is_no_place_is_none(void **state)
{
	static const char *const odd[] = {"", "1 2", A, A " 1", A " ", A "  ", A " 1 ", A " 1 2 3",
	    A " -1 2", A " 1 x", "aaaaaaaaaaaaaaa 1 2", "AAAAAAAAAAAAAAAA 1 2", A "a 1 2",
	    " " A " 1 2", A " 9223372036854775808 1"};
	struct arrivals_place place = {.batch = 7};

	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		if (arrivals_place_read(str_of(odd[i]), &place))
			fail_msg("%s", odd[i]);
	}
	assert_int_equal(place.batch, 7);
}

static void
keys_are_no_records_of_the_map(void **state)
{
	struct buf key = BUF_INIT;

	arrivals_key(&key, "px", STR("ann@x.org"));
	assert_string_equal(buf_cstr(&key), "px.arrivals:ann@x.org");
	buf_clear(&key);
	arrivals_all_key(&key, "px");
	assert_string_equal(buf_cstr(&key), "px.arrivals");
	buf_clear(&key);
	arrivals_batch_key(&key, "px", STR("mx1/policyd/0"));
	assert_string_equal(buf_cstr(&key), "px.arrivals.batch:mx1/policyd/0");
	buf_clear(&key);
	arrivals_reports_key(&key, "px");
	assert_string_equal(buf_cstr(&key), "px.arrivals.reports");
	buf_clear(&key);
	arrivals_unknown_field(&key, STR("mx1/policyd/0"));
	buf_add_byte(&key, '=');
	arrivals_unknown_value(&key, T, STR("a\tcrash"));
	assert_string_equal(buf_cstr(&key), "unknown:mx1/policyd/0=2025-11-21T13:00:00Z a?crash");
	buf_fini(&key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_are_added),
	    cmocka_unit_test(what_cannot_be_read_is_unknown_and_stays_so),
	    cmocka_unit_test(unknown_is_marked_with_its_reason),
	    cmocka_unit_test(what_is_too_long_is_cut),
	    cmocka_unit_test(a_person_is_told_what_is_known),
	    cmocka_unit_test(the_latest_loss_of_all_nodes_counts),
	    cmocka_unit_test(what_was_applied_is_not_applied_again),
	    cmocka_unit_test(what_is_no_place_is_none),
	    cmocka_unit_test(keys_are_no_records_of_the_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
