/*
 * test_ask.c - a key and a view in, an answer out
 *
 * The map is this file: it manages example.org, does not know slow.test now, and
 * every account in it belongs to "new", but for those whose answer comes later.
 */
#include "rules/ask.h"

#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

struct map_question {
	map_found_fn *fn;
	void *ctx;
};

static struct map_question waiting;
static unsigned asked;

enum verdict
map_domain(struct map *map, struct str domain)
{
	if (str_is(domain, "slow.test"))
		return VERDICT_TEMP;
	return str_is(domain, "example.org") ? VERDICT_FOUND : VERDICT_ABSENT;
}

static void
find(struct str account, struct finding *finding_r)
{
	*finding_r = (struct finding){.verdict = VERDICT_FOUND,
	    .owner = STR("new"),
	    .account = account,
	    .source = SOURCE_MEMORY};
	if (str_starts(account, "temp"))
		*finding_r = (struct finding){.verdict = VERDICT_TEMP, .reason = "Redis is away"};
	if (!str_is(str_from(account, str_rfind(account, '@')), "@example.org"))
		*finding_r = (struct finding){.verdict = VERDICT_ABSENT};
}

struct map_question *
map_ask(struct map *map, const struct account *account, map_found_fn *fn, void *ctx,
    struct finding *finding_r)
{
	asked++;
	if (str_starts(account->name, "later")) {
		waiting = (struct map_question){fn, ctx};
		return &waiting;
	}
	find(account->name, finding_r);
	return NULL;
}

void
map_forget(struct map_question **question)
{
	(*question)->fn = NULL;
	*question = NULL;
}

static const char settings_text[] =
    "destinations = ( { name = \"old\"; }, { name = \"new\"; } );\n"
    "maps = ( { name = \"m\"; owners = { new = \"to:%a\"; old = \"\"; }; } );\n";

static const struct {
	const char *name, *view;
	struct str key;
	size_t padding; /* bytes of 'x' before the key */
	enum verdict verdict;
	const char *text; /* or part of the reason */
	bool asks;
} rows[] = {
    {"an account", "m", STR("ann@example.org"), 0, VERDICT_FOUND, "to:ann@example.org", true},
    {"A8 the same one", "m", STR("Ann@EXAMPLE.org."), 0, VERDICT_FOUND, "to:ann@example.org", true},
    {"trouble", "m", STR("temp@example.org"), 0, VERDICT_TEMP, "Redis is away", true},
    {"of another domain", "m", STR("ann@example.net"), 0, VERDICT_ABSENT, "", true},
    {"A9 a map that is not there", "transprot", STR("ann@example.org"), 0, VERDICT_PERM,
	"no map of this name", false},
    {"A9 no map", "", STR("ann@example.org"), 0, VERDICT_PERM, "names no map", false},
    {"A9 no key", "m", STR(""), 0, VERDICT_PERM, "key is empty", false},
    {"A9 neither", "", STR(""), 0, VERDICT_PERM, "names no map", false},
    {"the default key", "m", STR("*"), 0, VERDICT_ABSENT, "", false},
    {"the null sender", "m", STR("<>"), 0, VERDICT_ABSENT, "", false},
    {"a bare domain, even a managed one", "m", STR("example.org"), 0, VERDICT_ABSENT, "", false},
    {"A4 10,000 bytes", "m", STR("@example.org"), 9988, VERDICT_FOUND, "to:xxx", true},
    {"A4 10,001 bytes", "m", STR("@example.org"), 9989, VERDICT_PERM, "too long", false},
    {"A4 10,001 bytes of a foreign domain", "m", STR("@example.net"), 9989, VERDICT_ABSENT, "",
	false},
    {"A4 100,000 bytes", "m", STR("@Example.ORG"), 99988, VERDICT_PERM, "too long", false},
    {"A4 100,000 bytes of a foreign domain", "m", STR("@example.net"), 99988, VERDICT_ABSENT, "",
	false},
    {"A4 100,000 bytes and no domain", "m", STR(""), 100000, VERDICT_ABSENT, "", false},
    {"A4 too long, and the domain cannot be judged", "m", STR("@slow.test"), 99988, VERDICT_TEMP,
	"not known now", false},
    {"A5 a NUL", "m", STR("a\0b@example.org"), 0, VERDICT_PERM, "", false},
    {"A5 a NUL, foreign", "m", STR("a\0b@example.net"), 0, VERDICT_ABSENT, "", false},
    {"A5 CR LF", "m", STR("a\r\nb@example.org"), 0, VERDICT_PERM, "", false},
    {"A5 invalid UTF-8", "m", STR("a\xff@example.org"), 0, VERDICT_PERM, "", false},
    {"A5 a lone surrogate", "m", STR("a\xed\xa0\x80@example.org"), 0, VERDICT_PERM, "", false},
    {"A5 a lone surrogate, foreign", "m", STR("a\xed\xa0\x80@example.net"), 0, VERDICT_ABSENT, "",
	false},
    {"A5 a NUL behind the domain", "m", STR("a@example.org\0"), 0, VERDICT_PERM, "", false},
    {"A5 a line feed behind the domain", "m", STR("a@example.org\n"), 0, VERDICT_PERM, "", false},
    {"no domain that could be ours", "m", STR("a@-b..c"), 0, VERDICT_ABSENT, "", false},
    {"from no view", "=", STR("a@example.org"), 0, VERDICT_FOUND, "", true},
    {"from no view, trouble", "=", STR("temp@example.org"), 0, VERDICT_TEMP, "Redis is away", true},
    {"from no view, not managed", "=", STR("a@example.net"), 0, VERDICT_ABSENT, "", true},
    {"from no view, no address", "=", STR("alice"), 0, VERDICT_ABSENT, "", false},
    {"from no view, an empty key", "=", STR(""), 0, VERDICT_PERM, "the key is empty", false},
    {"no view at all", "==", STR("a@example.org"), 0, VERDICT_PERM, "no map of this name", false},
    {"A7 is data", "m", STR("%n{}$(id)*@example.org"), 0, VERDICT_FOUND,
	"to:\"%n{}$(id)*\"@example.org", true},
};

static struct answer last;
static struct buf last_text;

static void
answered(void *ctx, const struct answer *answer)
{
	last = *answer;
	buf_clear(&last_text);
	buf_add_str(&last_text, answer->text);
	++*(unsigned *)ctx;
}

static struct asker *
house(void)
{
	struct settings *settings = settings_load_text(settings_text, "test");
	struct asker *asker = asker_new(NULL, ruleset_new(settings), settings);

	settings_free(&settings);
	return asker;
}

static void
keys_get_their_answers(void **state)
{
	struct asker *asker = house();
	struct buf key = BUF_INIT, out = BUF_INIT;
	struct answer answer;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&key);
		buf_clear(&out);
		for (size_t k = 0; k < rows[i].padding; k++)
			buf_add_byte(&key, 'x');
		buf_add_str(&key, rows[i].key);
		asked = 0;
		assert_null(ask(asker, str_of(rows[i].view), buf_str(&key), &out, NULL, NULL,
		    &answer));
		if (answer.verdict != rows[i].verdict || asked != rows[i].asks)
			fail_msg("%s: %s, map asked %u times", rows[i].name,
			    verdict_name(answer.verdict), asked);
		if (answer.reason == NULL ? !str_starts(answer.text, rows[i].text)
					  : strstr(answer.reason, rows[i].text) == NULL)
			fail_msg("%s: %s", rows[i].name, answer.reason);
	}
	buf_fini(&key);
	buf_fini(&out);
	asker_free(&asker);
}

static void
from_no_view_it_is_what_was_found(void **state)
{
	struct asker *asker = house();
	struct buf out = BUF_INIT;
	struct answer answer;
	unsigned answers = 0;
	struct finding finding;
	struct question *question;

	assert_null(ask(asker, ASK_ALONE, STR("A@example.org"), &out, NULL, NULL, &answer));
	assert_true(str_is(answer.finding.account, "a@example.org"));
	assert_true(str_is(answer.finding.owner, "new"));
	assert_int_equal(answer.text.len + buf_len(&out), 0);
	question =
	    ask(asker, ASK_ALONE, STR("later@example.org"), &out, answered, &answers, &answer);
	assert_non_null(question);
	find(STR("later@example.org"), &finding);
	finding.owner = STR("nowhere");
	waiting.fn(waiting.ctx, &finding);
	assert_int_equal(answers, 1);
	assert_int_equal(last.verdict, VERDICT_TEMP);
	assert_true(str_is(last.finding.owner, "nowhere"));
	buf_fini(&out);
	asker_free(&asker);
}

static void
an_answer_comes_later_once(void **state)
{
	struct asker *asker = house();
	struct buf out = BUF_INIT;
	struct finding finding;
	struct answer answer;
	unsigned answers = 0;
	struct question *question =
	    ask(asker, STR("m"), STR("later@example.org"), &out, answered, &answers, &answer);

	assert_non_null(question);
	find(STR("later@example.org"), &finding);
	waiting.fn(waiting.ctx, &finding);
	assert_int_equal(answers, 1);
	assert_int_equal(last.verdict, VERDICT_FOUND);
	assert_string_equal(buf_cstr(&last_text), "to:later@example.org");
	assert_int_equal(buf_len(&out), 0);

	question =
	    ask(asker, STR("m"), STR("later@example.org"), &out, answered, &answers, &answer);
	question_forget(&question);
	assert_null(question);
	assert_null(waiting.fn);
	assert_int_equal(answers, 1);
	buf_fini(&out);
	buf_fini(&last_text);
	asker_free(&asker);
}

static void
a_question_that_waits_gets_the_new_rules(void **state)
{
	static const char *const texts[] = {
	    "destinations = ( { name = \"new\"; } );\n"
	    "maps = ( { name = \"m\"; owners = { new = \"now:%u\"; }; } );\n",
	    "destinations = ( { name = \"new\"; } );\n"
	    "maps = ( { name = \"other\"; owners = { new = \"\"; }; } );\n",
	};
	static const enum verdict verdicts[] = {VERDICT_FOUND, VERDICT_PERM};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct asker *asker = house();
		struct buf out = BUF_INIT;
		struct settings *settings = settings_load_text(texts[i], "test");
		struct finding finding;
		struct answer answer;
		unsigned answers = 0;

		assert_non_null(ask(asker, STR("m"), STR("later@example.org"), &out, answered,
		    &answers, &answer));
		asker_take_rules(asker, ruleset_new(settings), settings);
		settings_free(&settings);
		find(STR("later@example.org"), &finding);
		waiting.fn(waiting.ctx, &finding);
		assert_int_equal(answers, 1);
		assert_int_equal(last.verdict, verdicts[i]);
		if (i == 0)
			assert_string_equal(buf_cstr(&last_text), "now:later");
		buf_fini(&out);
		asker_free(&asker);
	}
	buf_fini(&last_text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_get_their_answers),
	    cmocka_unit_test(from_no_view_it_is_what_was_found),
	    cmocka_unit_test(an_answer_comes_later_once),
	    cmocka_unit_test(a_question_that_waits_gets_the_new_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
