/*
 * test_seen.c - from which address did a server see somebody?
 */
#include "admin/seen.h"

#include "base/mem.h"

#include "unit.h"

#define WHO "username     # proto (pids) (ips)\n"
#define LOG "Nov 21 19:40:05 mx postfix/smtpd[17]: "

static const struct {
	const char *name, *before, *after;
	enum seen seen; /* we are 192.0.2.7 or 2001:db8::7, the front is 192.0.2.1 */
} rows[] = {
    {"nobody", WHO, WHO, SEEN_NOTHING},
    {"empty", "", "", SEEN_NOTHING},
    {"doveadm who", WHO, WHO "ann@example.org 1 imap (4711) (192.0.2.7)\n", SEEN_OWN},
    {"no line end", WHO, WHO "ann@example.org 1 imap (4711) (192.0.2.7)", SEEN_OWN},
    {"the front", WHO, WHO "ann@example.org 1 imap (4711) (192.0.2.1)\n", SEEN_FRONT},
    {"another one", WHO, WHO "ann@example.org 1 imap (4711) (192.0.2.9)\n", SEEN_NOTHING},
    {"both, by us and by somebody else", WHO,
	WHO "ann 1 imap (1) (192.0.2.1)\nann 1 pop3 (2) (192.0.2.7)\n", SEEN_OWN},
    {"one line more of the same session", WHO "ann 1 imap (4) (192.0.2.7)\n",
	WHO "ann 2 imap (4 5) (192.0.2.7)\n", SEEN_OWN},
    {"it was there before", WHO "ann 1 imap (4) (192.0.2.7)\n", WHO "ann 1 imap (4) (192.0.2.7)\n",
	SEEN_NOTHING},
    {"before, and now the front", WHO "ann 1 imap (4) (192.0.2.7)\n",
	WHO "ann 1 imap (4) (192.0.2.7)\nann 1 imap (5) (192.0.2.1)\n", SEEN_FRONT},
    {"a log that moved on", LOG "connect from a[192.0.2.7]\n" LOG "something\n",
	LOG "something\n" LOG "disconnect from unknown[192.0.2.7] ehlo=1\n", SEEN_OWN},
    {"a port behind it", "", LOG "connect from unknown[192.0.2.7]:4711\n", SEEN_OWN},
    {"a comma behind it", "", "rip=192.0.2.7, lip=192.0.2.2\n", SEEN_OWN},
    {"a colon and a port", "", "from 192.0.2.7:4711\n", SEEN_OWN},
    {"the end of a sentence", "", "It was 192.0.2.7.\n", SEEN_OWN},
    {"a longer one", "", "from 192.0.2.71\n", SEEN_NOTHING},
    {"the end of another", "", "from 4192.0.2.7\n", SEEN_NOTHING},
    {"version numbers", "", "release 1.192.0.2.7.5\n", SEEN_NOTHING},
    {"a longer one first", "", "from 192.0.2.77 by 192.0.2.7\n", SEEN_OWN},
};

static const struct {
	const char *name, *line;
	enum seen seen;
} rows_v6[] = {
    {"in brackets", "connect from unknown[2001:db8::7]\n", SEEN_OWN},
    {"in capitals", "rip=2001:DB8::7,\n", SEEN_OWN},
    {"a colon behind it", "2001:db8::7: connected\n", SEEN_OWN},
    {"a longer one", "2001:db8::7:1\n", SEEN_NOTHING},
    {"more digits", "2001:db8::7f\n", SEEN_NOTHING},
    {"the end of another", "1:2001:db8::7\n", SEEN_NOTHING},
};

static void
test_new_lines_tell_who_was_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (seen_in(str_of(rows[i].before), str_of(rows[i].after), "192.0.2.7",
			"192.0.2.1") != rows[i].seen)
			fail_msg("%s", rows[i].name);
	for (size_t i = 0; i < ARRAY_LEN(rows_v6); i++)
		if (seen_in(STR(""), str_of(rows_v6[i].line), "2001:db8::7", "192.0.2.1") !=
		    rows_v6[i].seen)
			fail_msg("IPv6, %s", rows_v6[i].name);
}

static void
test_an_unknown_front_is_not_looked_for(void **state)
{
	(void)state;
	assert_int_equal(SEEN_NOTHING, seen_in(STR(""), STR("from 192.0.2.1"), "192.0.2.7", NULL));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_new_lines_tell_who_was_seen),
	    cmocka_unit_test(test_an_unknown_front_is_not_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
