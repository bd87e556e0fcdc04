/*
 * test_guard.c - may this change of an owner be written?
 */
#include "admin/guard.h"

#include "base/mem.h"

#include "unit.h"

static const char *floors[] = {"floor.org"};
static const struct settings settings = {.domains = floors, .domain_count = 1};

/* NULL: not there. */
static struct change_value
value(const char *text)
{
	return (struct change_value){text != NULL, text != NULL ? str_of(text) : STR("")};
}

static const struct row {
	const char *name;
	const char *account, *to; /* "" removes */
	const char *owner, *hold, *domain_owner, *domain_hold;
	const char *watched; /* the hold that was watched */
	bool force;
	enum change_result result;
	const char *why;
} rows[] = {
    {"a new key in a managed domain", "a@d", "old", NULL, NULL, "old", NULL, "", false, CHANGE_DONE,
	NULL},
    {"a key as it is", "a@d", "old", "old", NULL, "new", NULL, "", false, CHANGE_UNCHANGED, NULL},
    {"nothing to remove", "a@d", "", NULL, NULL, "new", NULL, "", false, CHANGE_UNCHANGED, NULL},
    {"a domain that is not managed", "a@d", "old", NULL, NULL, NULL, NULL, "", true, CHANGE_REFUSED,
	guard_unmanaged},
    {"a domain of the settings", "a@floor.org", "old", NULL, NULL, NULL, NULL, "", false,
	CHANGE_DONE, NULL},
    {"a domain becomes managed", "@d", "old", NULL, NULL, NULL, NULL, "", false, CHANGE_DONE, NULL},
    {"a stray key may go", "a@d", "", "old", NULL, NULL, NULL, "", true, CHANGE_DONE, NULL},

    {"another owner without a hold", "a@d", "new", "old", NULL, "old", NULL, "", false,
	CHANGE_REFUSED, guard_needs_hold},
    {"the same by the domain's owner", "a@d", "new", NULL, NULL, "old", NULL, "", false,
	CHANGE_REFUSED, guard_needs_hold},
    {"the same by removing", "a@d", "", "new", NULL, "old", NULL, "", false, CHANGE_REFUSED,
	guard_needs_hold},
    {"removing what the domain says too", "a@d", "", "old", NULL, "old", NULL, "", false,
	CHANGE_DONE, NULL},
    {"a whole domain without a hold", "@d", "new", "old", NULL, "old", NULL, "", false,
	CHANGE_REFUSED, guard_needs_hold},
    {"a whole domain goes", "@d", "", "old", NULL, "old", NULL, "", false, CHANGE_REFUSED,
	guard_needs_hold},
    {"by force", "a@d", "new", "old", NULL, "old", NULL, "", true, CHANGE_DONE, NULL},

    {"a hold that nobody has watched", "a@d", "new", "old", "mail:x", "old", NULL, "", false,
	CHANGE_REFUSED, guard_needs_hold},
    {"the hold that was watched", "a@d", "new", "old", "mail:x", "old", NULL, "mail:x", false,
	CHANGE_DONE, NULL},
    {"another hold than that", "a@d", "new", "old", "mail:y", "old", NULL, "mail:x", false,
	CHANGE_REFUSED, guard_hold_changed},
    {"a hold that has ended", "a@d", "new", "old", NULL, "old", NULL, "mail:x", false,
	CHANGE_REFUSED, guard_hold_changed},
    {"the domain's hold, of an account without a key", "a@d", "new", NULL, NULL, "old", "mail:x",
	"mail:x", false, CHANGE_DONE, NULL},
    {"the domain's hold does not hold an account with a key", "a@d", "new", "old", NULL, "old",
	"mail:x", "mail:x", false, CHANGE_REFUSED, guard_hold_changed},
};

static void
only_what_is_safe_is_written(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct guard guard = {.settings = &settings,
		    .force = row->force,
		    .watched = row->watched[0] != '\0',
		    .hold = str_of(row->watched)};
		struct change change = {.name = str_of(row->account),
		    .writes = CHANGE_OWNER,
		    .owner = str_of(row->to),
		    .seen = {value(row->owner), value(row->hold), value(row->domain_owner),
			value(row->domain_hold)},
		    .result = CHANGE_DONE};

		guard_owner(&guard, &change);
		if (change.result != row->result || change.why != row->why)
			fail_msg("%s: %d, %s", row->name, (int)change.result,
			    change.why ? change.why : "-");
	}
}

static bool
manages_d(void *ctx, struct str domain)
{
	return str_is(domain, "@d");
}

static void
a_domain_of_the_same_file_counts_as_managed(void **state)
{
	struct guard guard = {.settings = &settings, .will_manage = manages_d};
	struct change change = {.name = STR("a@d"), .writes = CHANGE_OWNER, .owner = STR("old")};

	guard_owner(&guard, &change);
	assert_int_equal(change.result, CHANGE_DONE);
	change.name = STR("a@e");
	guard_owner(&guard, &change);
	assert_int_equal(change.result, CHANGE_REFUSED);
}

static void
a_domain_with_a_catch_all_is_never_complete(void **state)
{
	static const struct {
		struct change_value before;
		bool may;
	} complete_rows[] = {
	    {{false, STR("")}, true},
	    {{true, STR("no")}, true},
	    {{true, STR("yes")}, true},
	    {{true, STR("catch-all")}, false},
	    {{true, STR("CATCH-ALL")}, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(complete_rows); i++)
		assert_ptr_equal(guard_complete(complete_rows[i].before),
		    complete_rows[i].may ? NULL : guard_catch_all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_is_safe_is_written),
	    cmocka_unit_test(a_domain_of_the_same_file_counts_as_managed),
	    cmocka_unit_test(a_domain_with_a_catch_all_is_never_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
