/*
 * test_domains.c - which domains the map speaks for
 */
#include "map/domains.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

/*
 * A story in words, and what is said of the domain "a" at its end:
 * session, away: Redis tells, or not; begin, end: of a survey; found:X, change:X,
 * look (takes the next, which must be X): yes:X, no:X; all: everything changed.
 * saved:X, maybe:X, whole: from an earlier process, sure of it or not, and that was the list.
 * only, also: the settings say that there are no other domains than theirs, or that there are.
 */
static const struct {
	const char *name;
	const char *story;
	enum domain_state state;
} rows[] = {
    /* clang-format off */
    {"nothing is known at first", "", DOMAIN_UNKNOWN},
    {"nor in a session before the survey ends", "session begin", DOMAIN_UNKNOWN},
    {"what a survey has not found is not ours", "session begin found:b end", DOMAIN_UNMANAGED},
    {"what it has found is, at once", "session begin found:a", DOMAIN_MANAGED},
    {"an alias counts", "session begin alias:a end", DOMAIN_MANAGED},
    {"a hold does not", "session begin hold:a end", DOMAIN_UNMANAGED},
    {"a change makes it unknown", "session begin found:a end change:a", DOMAIN_UNKNOWN},
    {"a new one is unknown too", "session begin end change:a", DOMAIN_UNKNOWN},
    {"until a look finds it", "session begin end change:a look:a yes:a", DOMAIN_MANAGED},
    {"or does not", "session begin found:a end change:a look:a no:a", DOMAIN_UNMANAGED},
    {"a change while we look makes the look worthless",
	"session begin end change:a look:a change:a no:a", DOMAIN_UNKNOWN},
    {"and it is looked at again", "session begin end change:a look:a change:a no:a look:a yes:a",
	DOMAIN_MANAGED},
    {"away, the last complete list serves", "session begin found:a end away", DOMAIN_MANAGED},
    {"also for what is not in it", "session begin found:b end away", DOMAIN_UNMANAGED},
    {"away, an incomplete list says nothing", "session begin found:b away", DOMAIN_UNKNOWN},
    {"away, a changed domain stays unknown", "session begin found:a end change:a away",
	DOMAIN_UNKNOWN},
    {"a new session asks anew what is not in the list", "session begin found:b end away session",
	DOMAIN_UNKNOWN},
    {"and believes what is", "session begin found:a end away session begin", DOMAIN_MANAGED},
    {"until its survey has not seen it", "session begin found:a end away session begin end",
	DOMAIN_UNMANAGED},
    {"a look of an old session is not waited for",
	"session begin end change:a look:a away session begin end look:a no:a", DOMAIN_UNMANAGED},
    {"a survey does not settle what is being looked at", "session begin found:a change:a end",
	DOMAIN_UNKNOWN},
    {"a look during the survey is seen by it", "session begin change:a look:a yes:a end",
	DOMAIN_MANAGED},
    {"after FLUSHALL the survey under way is worthless", "session begin all end", DOMAIN_UNKNOWN},
    {"and the next one counts", "session begin all end begin end", DOMAIN_UNMANAGED},
    {"after FLUSHALL the list is not complete", "session begin end all", DOMAIN_UNKNOWN},
    {"a session that was lost before its survey ended says nothing",
	"session begin found:b end away session begin away", DOMAIN_UNKNOWN},
    {"nor one that was lost after FLUSHALL", "session begin found:b end all away", DOMAIN_UNKNOWN},
    {"where the settings are all there is, nothing else counts", "session begin found:a end only", DOMAIN_UNMANAGED},
    {"what changed meanwhile may be anything later", "session begin end only change:a also", DOMAIN_UNKNOWN},
    {"when Redis is away too", "session begin end only change:a away also", DOMAIN_UNKNOWN},
    {"until a survey says", "session begin end only change:a also begin found:a end", DOMAIN_MANAGED},
    {"a saved list says what is managed", "saved:a", DOMAIN_MANAGED},
    {"and nothing else where it was not complete", "saved:b", DOMAIN_UNKNOWN},
    {"but all where it was", "saved:b whole", DOMAIN_UNMANAGED},
    {"except what it was not sure of", "saved:a maybe:a whole", DOMAIN_UNKNOWN},
    {"a session asks anew what is not in a saved list", "saved:b whole session", DOMAIN_UNKNOWN},
    {"and its survey knows better", "saved:a whole session begin end", DOMAIN_UNMANAGED},
    {"it looks at what was not sure", "maybe:a whole session begin end look:a no:a", DOMAIN_UNMANAGED},
    {"a saved list is none where the settings are all there is", "only saved:b whole also", DOMAIN_UNKNOWN},
    {"one that was begun before cannot", "session begin only change:a also end", DOMAIN_UNKNOWN},
    /* clang-format on */
};

static struct str
key(struct buf *buf, const char *kind, const char *name)
{
	buf_clear(buf);
	buf_addf(buf, "p:%s:@%s", kind, name);
	return buf_str(buf);
}

static void
tell(struct domains *domains, const char *word, struct buf *buf)
{
	const char *name = strchr(word, ':') != NULL ? strchr(word, ':') + 1 : "";
	struct str next;

	if (strcmp(word, "session") == 0)
		domains_session(domains);
	else if (strcmp(word, "away") == 0)
		domains_no_session(domains);
	else if (strcmp(word, "begin") == 0)
		assert_true(domains_survey_begin(domains));
	else if (strcmp(word, "end") == 0)
		domains_survey_end(domains);
	else if (strcmp(word, "all") == 0)
		domains_change_all(domains);
	else if (strncmp(word, "found:", 6) == 0)
		domains_survey_found(domains, key(buf, "owner", name));
	else if (strncmp(word, "alias:", 6) == 0)
		domains_survey_found(domains, key(buf, "login", name));
	else if (strncmp(word, "hold:", 5) == 0)
		domains_survey_found(domains, key(buf, "hold", name));
	else if (strncmp(word, "change:", 7) == 0)
		domains_change(domains, key(buf, "owner", name));
	else if (strncmp(word, "look:", 5) == 0)
		assert_true(domains_next(domains, &next) && str_is(next, name));
	else if (strncmp(word, "yes:", 4) == 0)
		domains_settle(domains, str_of(name), true);
	else if (strncmp(word, "no:", 3) == 0)
		domains_settle(domains, str_of(name), false);
	else if (strncmp(word, "saved:", 6) == 0)
		domains_restore(domains, str_of(name), true);
	else if (strncmp(word, "maybe:", 6) == 0)
		domains_restore(domains, str_of(name), false);
	else if (strcmp(word, "whole") == 0)
		domains_restore_complete(domains);
	else if (strcmp(word, "only") == 0 || strcmp(word, "also") == 0)
		domains_set_floor(domains, NULL, 0, word[0] == 'o');
	else
		fail_msg("%s: no such word", word);
}

static void
stories_end_as_they_should(void **state)
{
	struct buf buf = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct domains *domains = domains_new("p");
		char *story = xstrdup(rows[i].story), *rest = NULL;

		for (char *word = strtok_r(story, " ", &rest); word != NULL;
		     word = strtok_r(NULL, " ", &rest))
			tell(domains, word, &buf);
		if (domains_find(domains, STR("a")) != rows[i].state)
			fail_msg("%s: %d", rows[i].name, (int)domains_find(domains, STR("a")));
		free(story);
		domains_free(&domains);
	}
	buf_fini(&buf);
}

static void
the_settings_are_a_floor_or_all_there_is(void **state)
{
	struct domains *domains = domains_new("p");
	struct str floor[] = {STR("a"), STR("b")};

	domains_set_floor(domains, floor, 2, false);
	assert_int_equal(domains_find(domains, STR("a")), DOMAIN_MANAGED);
	assert_int_equal(domains_find(domains, STR("c")), DOMAIN_UNKNOWN);
	domains_set_floor(domains, floor, 1, true);
	assert_int_equal(domains_find(domains, STR("a")), DOMAIN_MANAGED);
	assert_int_equal(domains_find(domains, STR("b")), DOMAIN_UNMANAGED);
	domains_session(domains);
	assert_false(domains_survey_begin(domains));
	domains_set_floor(domains, floor, 1, false);
	assert_true(domains_survey_begin(domains));
	domains_free(&domains);
}

static void
note_name(void *ctx, struct str domain, bool is_sure)
{
	struct buf *seen = ctx;

	buf_add_str(seen, domain);
	buf_add_text(seen, is_sure ? " " : "? ");
}

static void
going_over_the_list_survives_whatever_happens_between(void **state)
{
	struct domains *domains = domains_new("p");
	struct buf seen = BUF_INIT, buf = BUF_INIT;

	domains_walk_begin(domains);
	assert_false(domains_walk(domains, 10, note_name, &seen));
	for (const char *word = "a\0b\0c\0d\0"; *word != '\0'; word += 2)
		domains_restore(domains, str_of(word), *word != 'b');
	domains_session(domains);
	domains_walk_begin(domains);
	assert_true(domains_walk(domains, 2, note_name, &seen));
	tell(domains, "change:c", &buf);
	tell(domains, "look:b", &buf);
	tell(domains, "look:c", &buf);
	tell(domains, "no:c", &buf); /* the next to be shown is gone */
	tell(domains, "change:e", &buf);
	assert_false(domains_walk(domains, 2, note_name, &seen));
	assert_string_equal(buf_cstr(&seen), "a b? d e? ");
	assert_false(domains_list_is_complete(domains));
	tell(domains, "begin", &buf);
	tell(domains, "end", &buf);
	assert_true(domains_list_is_complete(domains));
	domains_set_floor(domains, NULL, 0, true);
	assert_true(domains_are_complete(domains));
	assert_false(domains_list_is_complete(domains));
	buf_fini(&seen);
	buf_fini(&buf);
	domains_free(&domains);
}

static void
test_A7_a_prefix_is_no_pattern(void **state)
{
	struct domains *domains = domains_new("we*[ird");

	assert_string_equal(domains_pattern(domains), "we\\*\\[ird:*:@*");
	domains_free(&domains);
}

static void
names_that_are_only_like_ours_are_left_alone(void **state)
{
	static const char *const keys[] = {
	    "", "p", "p:", "p:owner:@", "p:owner:x@a", "q:owner:@a", "p:ownerx:@a", "px:owner:@a"};
	struct domains *domains = domains_new("p");

	domains_session(domains);
	assert_true(domains_survey_begin(domains));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		domains_survey_found(domains, str_of(keys[i]));
		domains_change(domains, str_of(keys[i]));
	}
	assert_int_equal(domains_count(domains), 0);
	domains_free(&domains);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stories_end_as_they_should),
	    cmocka_unit_test(the_settings_are_a_floor_or_all_there_is),
	    cmocka_unit_test(going_over_the_list_survives_whatever_happens_between),
	    cmocka_unit_test(test_A7_a_prefix_is_no_pattern),
	    cmocka_unit_test(names_that_are_only_like_ours_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
