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
			value(row->domain_hold), value(NULL)},
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

static const struct complete_row {
	const char *name;
	const char *account, *to; /* "" removes */
	const char *complete, *owner, *domain_owner; /* NULL: not there */
	enum completeness takes_back;
	enum change_result result;
	const char *why;
} complete_rows[] = {
    {"a domain becomes complete", "@d", "yes", NULL, "old", "old", 0, CHANGE_DONE, NULL},
    {"over a word that says nothing", "@d", "yes", "no", "old", "old", 0, CHANGE_DONE, NULL},
    {"it is so", "@d", "yes", "YES", "old", "old", 0, CHANGE_UNCHANGED, NULL},
    {"not with a catch-all", "@d", "yes", "catch-all", "old", "old", 0, CHANGE_REFUSED,
	guard_catch_all},
    {"nor with one in capitals", "@d", "yes", "CATCH-ALL", "old", "old", 0, CHANGE_REFUSED,
	guard_catch_all},
    {"not without an owner", "@d", "yes", NULL, NULL, NULL, 0, CHANGE_REFUSED, guard_no_owner},
    {"not even in a domain of the settings", "@floor.org", "yes", NULL, NULL, NULL, 0,
	CHANGE_REFUSED, guard_no_owner},
    {"a catch-all", "@d", "catch-all", NULL, "old", "old", 0, CHANGE_DONE, NULL},
    {"not where the domain is complete", "@d", "catch-all", "yes", "old", "old", 0, CHANGE_REFUSED,
	guard_is_complete},
    {"complete no more", "@d", "", "yes", "old", "old", COMPLETE_YES, CHANGE_DONE, NULL},
    {"it never was", "@d", "", NULL, "old", "old", COMPLETE_YES, CHANGE_UNCHANGED, NULL},
    {"it has a catch-all instead", "@d", "", "catch-all", "old", "old", COMPLETE_YES,
	CHANGE_REFUSED, guard_catch_all},
    {"no catch-all any more", "@d", "", "catch-all", "old", "old", COMPLETE_CATCH_ALL, CHANGE_DONE,
	NULL},
    {"it is complete instead", "@d", "", "yes", "old", "old", COMPLETE_CATCH_ALL, CHANGE_REFUSED,
	guard_is_complete},
    {"a word that says nothing goes", "@d", "", "maybe", NULL, NULL, COMPLETE_YES, CHANGE_DONE,
	NULL},
    {"an alias", "a@d", "alias", NULL, NULL, "old", 0, CHANGE_DONE, NULL},
    {"it is known so", "a@d", "alias", "alias", NULL, "old", 0, CHANGE_UNCHANGED, NULL},
    {"it is another thing now", "a@d", "list", "alias", NULL, "old", 0, CHANGE_DONE, NULL},
    {"an account may be listed, too", "a@d", "alias", NULL, "old", "old", 0, CHANGE_DONE, NULL},
    {"of nobody's domain", "a@d", "alias", NULL, NULL, NULL, 0, CHANGE_REFUSED, guard_unmanaged},
    {"of a domain of the settings", "a@floor.org", "alias", NULL, NULL, NULL, 0, CHANGE_DONE, NULL},
    {"an alias goes", "a@d", "", "alias", NULL, NULL, 0, CHANGE_DONE, NULL},
    {"nothing goes", "a@d", "", NULL, NULL, "old", 0, CHANGE_UNCHANGED, NULL},
};

static struct change
complete_change(const struct complete_row *row)
{
	return (struct change){.name = str_of(row->account),
	    .writes = CHANGE_COMPLETE,
	    .complete = str_of(row->to),
	    .seen = {.owner = value(row->owner),
		.domain_owner = value(row->domain_owner),
		.complete = value(row->complete)},
	    .result = CHANGE_DONE};
}

static void
a_domain_is_complete_or_has_a_catch_all(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(complete_rows); i++) {
		const struct complete_row *row = &complete_rows[i];
		struct guard guard = {.settings = &settings, .takes_back = row->takes_back};
		struct change change = complete_change(row);

		guard_complete(&guard, &change);
		if (change.result != row->result || change.why != row->why)
			fail_msg("%s: %d, %s", row->name, (int)change.result,
			    change.why ? change.why : "-");
	}
}

static void
owner_and_completeness_are_written_together_or_not_at_all(void **state)
{
	static const struct {
		const char *name, *to, *complete_to, *owner, *complete;
		bool force;
		enum change_result result;
		const char *why;
	} both[] = {
	    {"a new domain", "old", "yes", NULL, NULL, false, CHANGE_DONE, NULL},
	    {"all is so", "old", "yes", "old", "yes", false, CHANGE_UNCHANGED, NULL},
	    {"the owner is so", "old", "yes", "old", NULL, false, CHANGE_DONE, NULL},
	    {"the rest is so", "new", "yes", "old", "yes", true, CHANGE_DONE, NULL},
	    {"the owner may not", "new", "yes", "old", NULL, false, CHANGE_REFUSED,
		guard_needs_hold},
	    {"the rest may not", "old", "yes", "old", "catch-all", false, CHANGE_REFUSED,
		guard_catch_all},
	    {"the owner goes, and all with it", "", "", "old", "catch-all", true, CHANGE_DONE,
		NULL},
	    {"there is none", "", "", NULL, "yes", true, CHANGE_UNCHANGED, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct guard guard = {
		    .settings = &settings, .force = both[i].force, .takes_back = COMPLETE_YES};
		struct change change = {.name = STR("@d"),
		    .writes = CHANGE_OWNER | CHANGE_COMPLETE,
		    .owner = str_of(both[i].to),
		    .complete = str_of(both[i].complete_to),
		    .seen = {.owner = value(both[i].owner),
			.domain_owner = value(both[i].owner),
			.complete = value(both[i].complete)},
		    .result = CHANGE_DONE};

		guard_owner_and_complete(&guard, &change);
		if (change.result != both[i].result || change.why != both[i].why)
			fail_msg("%s: %d, %s", both[i].name, (int)change.result,
			    change.why ? change.why : "-");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_is_safe_is_written),
	    cmocka_unit_test(a_domain_of_the_same_file_counts_as_managed),
	    cmocka_unit_test(a_domain_is_complete_or_has_a_catch_all),
	    cmocka_unit_test(owner_and_completeness_are_written_together_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
