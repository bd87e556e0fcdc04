/*
 * test_delegation.c - Postfix's policy delegation protocol
 */
#include "policy/delegation.h"

#include "feed.h"

#define LATER "action=DEFER_IF_PERMIT 4.3.0 Temporary lookup failure\n\n"
#define HEAD "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"

static const struct {
	const char *name;
	struct str bytes;
	const char *out;
} rows[] = {
    {"no end yet", STR(HEAD "recipient=ann@example.org\n"), ""},
    {"a recipient", STR(HEAD "recipient=ann@example.org\nsize=0\n\n"),
	"action=m=ann@example.org\n\n"},
    {"lines with CR", STR("request=smtpd_access_policy\r\nrecipient=a\r\n\r\n"), "action=m=a\n\n"},
    {"not in the map", STR(HEAD "recipient=absent\n\n"), "action=DUNNO\n\n"},
    {"trouble keeps its reason to itself", STR(HEAD "recipient=temp\n\n"), LATER},
    {"PERM is no refusal either", STR(HEAD "recipient=perm\n\n"), LATER},
    {"no recipient yet", STR(HEAD "sender=a@b\n\n"), "action=DUNNO\n\n"},
    {"an empty recipient", STR(HEAD "recipient=\n\n"), "action=DUNNO\n\n"},
    {"one after the other", STR(HEAD "recipient=a\n\n" HEAD "recipient=absent\n\n" HEAD "\n"),
	"action=m=a\n\naction=DUNNO\n\naction=DUNNO\n\n"},
    {"a recipient with odd bytes", STR(HEAD "recipient=a=b c\t\0\n\n"), NULL},
    {"a name that only begins like it", STR(HEAD "recipients=b\nrecipient_count=1\n\n"),
	"action=DUNNO\n\n"},
    {"another request", STR("request=junk_mail\nrecipient=a\n\n"), LATER},
    {"no request", STR("recipient=a\n\n"), LATER},
    {"an empty line alone", STR("\n"), LATER},
    {"a line that is no attribute", STR(HEAD "recipient\n\n"), LATER},
    {"two recipients", STR(HEAD "recipient=a\nrecipient=b\n\n" HEAD "recipient=c\n\n"),
	LATER "action=m=c\n\n"},
};

static enum step
next(void *machine, struct buf *in, struct buf *out, struct query *query_r)
{
	query_r->map = STR("m");
	return delegation_next(machine, in, out, query_r);
}

static void
say(void *machine, const struct answer *answer, struct buf *out)
{
	delegation_say(machine, answer, out);
}

static void
requests_are_answered_however_they_are_cut(void **state)
{
	struct buf out = BUF_INIT;
	struct delegation delegation;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece <= rows[i].bytes.len; piece++) {
			struct str want =
			    rows[i].out ? str_of(rows[i].out) : STR("action=m=a=b c\t\0\n\n");

			buf_clear(&out);
			delegation_init(&delegation);
			assert_int_equal(feed(&delegation, next, say, rows[i].bytes, piece, &out),
			    STEP_WAIT);
			delegation_fini(&delegation);
			if (!str_eq(buf_str(&out), want))
				fail_msg("%s, in pieces of %zu: %s", rows[i].name, piece,
				    buf_cstr(&out));
		}
	}
	buf_fini(&out);
}

static void
limits_end_it_with_a_word(void **state)
{
	struct buf bytes = BUF_INIT, out = BUF_INIT;
	struct delegation delegation;

	for (int i = 0; i < 300; i++)
		buf_add_text(&bytes, "name=value\n");
	delegation_init(&delegation);
	assert_int_equal(feed(&delegation, next, say, buf_str(&bytes), 7, &out), STEP_END);
	assert_string_equal(buf_cstr(&out), LATER);
	delegation_fini(&delegation);

	buf_clear(&bytes);
	buf_clear(&out);
	for (int i = 0; i < 20000; i++)
		buf_add_text(&bytes, "x");
	delegation_init(&delegation);
	assert_int_equal(feed(&delegation, next, say, buf_str(&bytes), 100, &out), STEP_END);
	assert_string_equal(buf_cstr(&out), LATER);
	delegation_fini(&delegation);
	buf_fini(&bytes);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_answered_however_they_are_cut),
	    cmocka_unit_test(limits_end_it_with_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
