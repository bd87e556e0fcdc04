/*
 * test_rcpt.c - a line of an SMTP server's answer
 */
#include "admin/rcpt.h"

#include "base/mem.h"

#include "unit.h"

static const struct {
	const char *line;
	int code; /* 0: no answer */
	bool more;
} rows[] = {
    {"250 2.1.5 Ok", 250, false},
    {"250-PIPELINING", 250, true},
    {"250-", 250, true},
    {"250", 250, false},
    {"550 5.1.1 <a@b>: no", 550, false},
    {"421 4.7.0 too many", 421, false},
    {"199 x", 0, false},
    {"600 x", 0, false},
    {"25", 0, false},
    {"", 0, false},
    {"2500 Ok", 0, false},
    {"250+Ok", 0, false},
    {"2 0 Ok", 0, false},
    {"-50 Ok", 0, false},
    {"HTTP/1.0 400", 0, false},
    {"* OK IMAP", 0, false},
};

static void
an_answer_is_a_code_and_perhaps_more(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool more = false;
		int code = 0;
		bool good = rcpt_line(str_of(rows[i].line), &code, &more);

		if (good != (rows[i].code != 0) ||
		    (good && (code != rows[i].code || more != rows[i].more)))
			fail_msg("%s: %d, %d", rows[i].line, good, code);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_is_a_code_and_perhaps_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
