/*
 * test_decide.c - a finding seen from a view
 */
#include "rules/ruleset.h"

#include "base/mem.h"

#include "unit.h"

static const char settings_text[] =
    "destinations = ( { name = \"old\"; }, { name = \"new\"; } );\n"
    "maps = ( { name = \"transport\"; held = \"hold:%d\";\n"
    "           owners = { new = \"lmtp:unix:%u\"; old = \"relay:[old]\"; }; },\n"
    "         { name = \"verify\"; owners = { new = \"lmtp:\"; old = \"relay:\"; }; },\n"
    "         { name = \"old-side\"; held = \"hold:\"; owners = { new = \"relay:\"; old = \"\"; }; } );\n";

static const struct {
	const char *name, *view;
	struct finding finding;
	enum verdict verdict;
	const char *text; /* or part of the reason */
	bool held;
} rows[] = {
    {"an owner", "transport",
	{VERDICT_FOUND, STR("new"), HOLD_NONE, STR("ann@example.org"), .reason = NULL},
	VERDICT_FOUND, "lmtp:unix:ann", false},
    {"the other owner", "transport",
	{VERDICT_FOUND, STR("old"), HOLD_NONE, STR("ann@example.org"), .reason = NULL},
	VERDICT_FOUND, "relay:[old]", false},
    {"delivery is held", "transport",
	{VERDICT_FOUND, STR("old"), HOLD_MAIL, STR("ann@example.org"), .reason = NULL},
	VERDICT_FOUND, "hold:example.org", true},
    {"everything is held", "transport",
	{VERDICT_FOUND, STR("new"), HOLD_ALL, STR("ann@example.org"), .reason = NULL},
	VERDICT_FOUND, "hold:example.org", true},
    {"a view that ignores holds", "verify",
	{VERDICT_FOUND, STR("old"), HOLD_ALL, STR("ann@example.org"), .reason = NULL},
	VERDICT_FOUND, "relay:", false},
    {"no text is not found", "old-side",
	{VERDICT_FOUND, STR("old"), HOLD_NONE, STR("ann@example.org"), .reason = NULL},
	VERDICT_ABSENT, "", false},
    {"a hold goes before no text", "old-side",
	{VERDICT_FOUND, STR("old"), HOLD_MAIL, STR("ann@example.org"), .reason = NULL},
	VERDICT_FOUND, "hold:", true},
    {"an owner that is no destination", "transport",
	{VERDICT_FOUND, STR("nwe"), HOLD_NONE, STR("ann@example.org"), .reason = NULL},
	VERDICT_TEMP, "no destination", false},
    {"such an owner under a hold", "transport",
	{VERDICT_FOUND, STR("nwe"), HOLD_ALL, STR("ann@example.org"), .reason = NULL}, VERDICT_TEMP,
	"no destination", false},
    {"an owner with a NUL behind it", "transport",
	{VERDICT_FOUND, STR("new\0"), HOLD_NONE, STR("ann@example.org"), .reason = NULL},
	VERDICT_TEMP, "no destination", false},
    {"not managed", "transport", {.verdict = VERDICT_ABSENT}, VERDICT_ABSENT, "", false},
    {"trouble", "transport", {.verdict = VERDICT_TEMP, .reason = "Redis is away"}, VERDICT_TEMP,
	"Redis is away", false},
    {"trouble without a word", "transport", {.verdict = VERDICT_PERM}, VERDICT_PERM, "cannot",
	false},
    {"a text that cannot be written", "transport",
	{VERDICT_FOUND, STR("new"), HOLD_NONE, STR("a\nb@example.org"), .reason = NULL},
	VERDICT_PERM, "cannot be written", false},
};

static void
findings_become_answers(void **state)
{
	struct settings *settings = settings_load_text(settings_text, "test");
	struct ruleset *rules = ruleset_new(settings);
	struct buf out = BUF_INIT;
	struct answer answer;

	assert_non_null(rules);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct view *view = ruleset_view(rules, str_of(rows[i].view));

		buf_clear(&out);
		buf_add_text(&out, "before");
		decide(rules, view, &rows[i].finding, &out, &answer);
		if (answer.verdict != rows[i].verdict || answer.held != rows[i].held)
			fail_msg("%s: %s", rows[i].name, verdict_name(answer.verdict));
		if (answer.verdict == VERDICT_FOUND || answer.verdict == VERDICT_ABSENT) {
			if (!str_is(answer.text, rows[i].text))
				fail_msg("%s: %.*s", rows[i].name, STR_FMT(answer.text));
			assert_int_equal(buf_len(&out), 6 + answer.text.len);
		} else if (strstr(answer.reason, rows[i].text) == NULL) {
			fail_msg("%s: %s", rows[i].name, answer.reason);
		}
	}
	buf_fini(&out);
	ruleset_free(&rules);
	settings_free(&settings);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(findings_become_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
