/*
 * test_record.c - what the stored values mean
 */
#include "map/record.h"

#include "base/mem.h"

#include "unit.h"

#define BYTES64 "0123456789012345678901234567890123456789012345678901234567890123"

static const struct account_rules rules = {true, "+"};

static void
an_owner_is_a_bare_name(void **state)
{
	static const struct {
		struct str value;
		bool is_valid;
	} rows[] = {
	    {STR("new"), true},
	    {STR("x"), true},
	    {STR(BYTES64), true},
	    {STR(BYTES64 "x"), false},
	    {STR(""), false},
	    {STR("new\n"), false},
	    {STR("new\r"), false},
	    {STR("n\0w"), false},
	    {STR("not a destination, but rules know that"), true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(record_owner_is_valid(rows[i].value), rows[i].is_valid);
}

static void
a_hold_typed_by_hand_holds_all(void **state)
{
	static const struct {
		struct str value;
		enum hold hold;
		const char *operation;
	} rows[] = {
	    {STR("mail:op17"), HOLD_MAIL, "op17"},
	    {STR("mail:a:b"), HOLD_MAIL, "a:b"},
	    {STR("mail:"), HOLD_MAIL, ""},
	    {STR("all:op17"), HOLD_ALL, "op17"},
	    {STR("all"), HOLD_ALL, ""},
	    {STR("mail"), HOLD_ALL, ""},
	    {STR("MAIL:op17"), HOLD_ALL, "op17"},
	    {STR("yes"), HOLD_ALL, ""},
	    {STR("no"), HOLD_ALL, ""},
	    {STR("0"), HOLD_ALL, ""},
	    {STR(""), HOLD_ALL, ""},
	    {STR("\0\n"), HOLD_ALL, ""},
	};
	struct str operation;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(record_hold(rows[i].value, &operation), rows[i].hold);
		assert_true(str_is(operation, rows[i].operation));
	}
}

static void
a_login_leads_to_an_address(void **state)
{
	static const struct {
		struct str value;
		const char *target; /* NULL: unreadable */
	} rows[] = {
	    {STR("Ann@X.org"), "ann@x.org"},
	    {STR("ann+a@x.org"), "ann+a@x.org"},
	    {STR("@x.org"), NULL},
	    {STR("ann"), NULL},
	    {STR(""), NULL},
	    {STR("ann@x.org\n"), NULL},
	    {STR("a\0nn@x.org"), NULL},
	};
	struct account target;

	account_init(&target);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(record_login(rows[i].value, &rules, &target),
		    rows[i].target != NULL);
		if (rows[i].target != NULL)
			assert_true(str_is(target.name, rows[i].target));
	}
	account_fini(&target);
}

static void
an_alias_domain_keeps_the_local_part(void **state)
{
	static const struct {
		struct str asked, value;
		const char *target; /* NULL: unreadable */
	} rows[] = {
	    {STR("ann@a.org"), STR("@B.org"), "ann@b.org"},
	    {STR("ann+x@a.org"), STR("@b.org."), "ann+x@b.org"},
	    {STR("\"a b@c\"@a.org"), STR("@b.org"), "\"a b@c\"@b.org"},
	    {STR("ann@[1.2.3.4]"), STR("@[IPv6:::1]"), "ann@[ipv6:::1]"},
	    {STR("ann@a.org"), STR("b.org"), NULL},
	    {STR("ann@a.org"), STR("x@b.org"), NULL},
	    {STR("ann@a.org"), STR("@x@b.org"), NULL},
	    {STR("ann@a.org"), STR("@"), NULL},
	    {STR("ann@a.org"), STR("@b.org\n"), NULL},
	    {STR("ann@a.org"), STR(""), NULL},
	};
	struct account asked, target;

	account_init(&asked);
	account_init(&target);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(account_parse(&asked, rows[i].asked, &rules), ACCOUNT_ADDRESS);
		assert_int_equal(record_login_domain(rows[i].value, &asked, &rules, &target),
		    rows[i].target != NULL);
		if (rows[i].target != NULL)
			assert_true(str_is(target.name, rows[i].target));
	}
	account_fini(&asked);
	account_fini(&target);
}

static void
only_yes_makes_a_domain_complete(void **state)
{
	static const struct {
		struct str value;
		enum completeness completeness;
	} rows[] = {
	    {STR("yes"), COMPLETE_YES},
	    {STR("YES"), COMPLETE_YES},
	    {STR("catch-all"), COMPLETE_CATCH_ALL},
	    {STR("Catch-All"), COMPLETE_CATCH_ALL},
	    {STR("no"), COMPLETE_UNSAID},
	    {STR("yes\n"), COMPLETE_UNSAID},
	    {STR("yes\0"), COMPLETE_UNSAID},
	    {STR("ye"), COMPLETE_UNSAID},
	    {STR("catchall"), COMPLETE_UNSAID},
	    {STR(""), COMPLETE_UNSAID},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(record_completeness(rows[i].value), rows[i].completeness);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_owner_is_a_bare_name),
	    cmocka_unit_test(a_hold_typed_by_hand_holds_all),
	    cmocka_unit_test(a_login_leads_to_an_address),
	    cmocka_unit_test(an_alias_domain_keeps_the_local_part),
	    cmocka_unit_test(only_yes_makes_a_domain_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
