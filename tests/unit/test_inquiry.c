/*
 * test_inquiry.c - what the milter and policyd say to each other
 */
#include "milter/inquiry.h"

#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

#define FOUND "\"verdict\":\"found\",\"account\":\"ann@x.org\",\"owner\":\"new\",\"epoch\":7"

static const struct {
	const char *what;
	struct str reply;
	enum verdict verdict;
	enum hold hold;
	bool is_unknown;
	const char *reason; /* TEMP, PERM */
} rows[] = {
    {"found", STR("OK {" FOUND ",\"hold\":\"none\",\"unknown\":false}"), VERDICT_FOUND, HOLD_NONE,
	false, ""},
    {"held mail", STR("OK {" FOUND ",\"hold\":\"mail\",\"unknown\":false}"), VERDICT_FOUND,
	HOLD_MAIL, false, ""},
    {"held", STR("OK {" FOUND ",\"hold\":\"all\",\"unknown\":false}"), VERDICT_FOUND, HOLD_ALL,
	false, ""},
    {"unknown", STR("OK {" FOUND ",\"hold\":\"none\",\"unknown\":true}"), VERDICT_FOUND, HOLD_NONE,
	true, ""},
    {"a newer policyd", STR("OK {" FOUND ",\"hold\":\"none\",\"unknown\":false,\"more\":[{}]}"),
	VERDICT_FOUND, HOLD_NONE, false, ""},
    {"not managed", STR("OK {\"verdict\":\"absent\"}"), VERDICT_ABSENT, HOLD_NONE, false, ""},
    {"trouble", STR("OK {\"verdict\":\"temp\",\"reason\":\"no Redis\"}"), VERDICT_TEMP, HOLD_NONE,
	false, "no Redis"},
    {"trouble without a word", STR("OK {\"verdict\":\"temp\"}"), VERDICT_TEMP, HOLD_NONE, false,
	""},
    {"impossible", STR("OK {\"verdict\":\"perm\",\"reason\":\"no address\"}"), VERDICT_PERM,
	HOLD_NONE, false, "no address"},
    {"socketmap's own TEMP", STR("TEMP no Redis"), VERDICT_TEMP, HOLD_NONE, false,
	"policyd's answer is not OK and a JSON object"},
    {"a policyd that does not know =ask", STR("NOTFOUND "), VERDICT_TEMP, HOLD_NONE, false,
	"policyd's answer is not OK and a JSON object"},
    {"nothing", STR(""), VERDICT_TEMP, HOLD_NONE, false,
	"policyd's answer is not OK and a JSON object"},
    {"no object", STR("OK []"), VERDICT_TEMP, HOLD_NONE, false,
	"policyd's answer is not OK and a JSON object"},
    {"a name twice", STR("OK {\"verdict\":\"temp\",\"verdict\":\"absent\"}"), VERDICT_TEMP,
	HOLD_NONE, false, "policyd's answer is not OK and a JSON object"},
    {"bytes behind", STR("OK {\"verdict\":\"absent\"}x"), VERDICT_TEMP, HOLD_NONE, false,
	"policyd's answer is not OK and a JSON object"},
    {"a NUL behind", STR("OK {\"verdict\":\"absent\"}\0"), VERDICT_TEMP, HOLD_NONE, false,
	"policyd's answer is not OK and a JSON object"},
    {"a NUL in a name", STR("OK {" FOUND ",\"hold\":\"no\\u0000ne\",\"unknown\":true}"),
	VERDICT_TEMP, HOLD_NONE, false, "policyd's answer is not OK and a JSON object"},
    {"no verdict", STR("OK {}"), VERDICT_TEMP, HOLD_NONE, false, "policyd's answer has no verdict"},
    {"another verdict", STR("OK {\"verdict\":\"perhaps\"}"), VERDICT_TEMP, HOLD_NONE, false,
	"policyd's answer has no verdict"},
    {"a verdict that is no text", STR("OK {\"verdict\":0}"), VERDICT_TEMP, HOLD_NONE, false,
	"policyd's answer has no verdict"},
    {"found nobody",
	STR("OK {\"verdict\":\"found\",\"owner\":\"new\",\"hold\":\"none\",\"unknown\":false,\"epoch\":7}"),
	VERDICT_TEMP, HOLD_NONE, false, "policyd named no account or no owner"},
    {"found nobody's",
	STR("OK {\"verdict\":\"found\",\"account\":\"a@x.org\",\"owner\":\"\",\"hold\":\"none\",\"unknown\":false,\"epoch\":7}"),
	VERDICT_TEMP, HOLD_NONE, false, "policyd named no account or no owner"},
    {"a hold that is none", STR("OK {" FOUND ",\"hold\":\"maybe\",\"unknown\":false}"),
	VERDICT_TEMP, HOLD_NONE, false, "policyd's answer lacks a field"},
    {"no hold", STR("OK {" FOUND ",\"unknown\":false}"), VERDICT_TEMP, HOLD_NONE, false,
	"policyd's answer lacks a field"},
    {"unknown as a text", STR("OK {" FOUND ",\"hold\":\"none\",\"unknown\":\"false\"}"),
	VERDICT_TEMP, HOLD_NONE, false, "policyd's answer lacks a field"},
};

static void
replies_are_answers_or_trouble(void **state)
{
	struct inquiry inquiry;

	inquiry_init(&inquiry);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		inquiry_read(&inquiry, rows[i].reply);
		if (inquiry.verdict != rows[i].verdict || inquiry.hold != rows[i].hold ||
		    inquiry.is_unknown != rows[i].is_unknown ||
		    !str_is(inquiry.reason, rows[i].reason))
			fail_msg("%s: %s, %.*s", rows[i].what, verdict_name(inquiry.verdict),
			    STR_FMT(inquiry.reason));
		if (inquiry.verdict == VERDICT_FOUND)
			assert_true(str_is(inquiry.account, "ann@x.org") &&
				    str_is(inquiry.owner, "new") && inquiry.epoch == 7);
		else
			assert_true(inquiry.account.len == 0 && inquiry.owner.len == 0 &&
				    inquiry.epoch == 0);
	}
	inquiry_fini(&inquiry);
}

static void
a_reply_cut_anywhere_is_trouble(void **state)
{
	struct inquiry inquiry;

	inquiry_init(&inquiry);
	for (size_t len = 0; len < rows[0].reply.len; len++) {
		inquiry_read(&inquiry, str_make(rows[0].reply.ptr, len));
		assert_int_equal(inquiry.verdict, VERDICT_TEMP);
		assert_true(inquiry.reason.len > 0);
	}
	inquiry_fini(&inquiry);
}

static void
what_is_too_long_has_an_end(void **state)
{
	struct buf text = BUF_INIT;
	struct inquiry inquiry;

	inquiry_init(&inquiry);
	buf_add_text(&text, "OK {\"verdict\":\"temp\",\"reason\":\"");
	for (int i = 0; i < 5000; i++)
		buf_add_byte(&text, 'x');
	buf_add_text(&text, "\"}");
	inquiry_read(&inquiry, buf_str(&text));
	assert_int_equal(inquiry.reason.len, INQUIRY_REASON_MOST);
	while (buf_len(&text) <= INQUIRY_REPLY_MOST)
		buf_add_byte(&text, ' ');
	inquiry_read(&inquiry, buf_str(&text));
	assert_true(str_starts(inquiry.reason, "policyd's answer is not"));
	inquiry_trouble(&inquiry, buf_cstr(&text));
	assert_int_equal(inquiry.reason.len, INQUIRY_REASON_MOST);
	inquiry_fini(&inquiry);
	buf_fini(&text);
}

static void
questions_are_netstrings_of_any_bytes(void **state)
{
	struct buf out = BUF_INIT;

	inquiry_ask(&out, STR("ann@x.org"));
	inquiry_ask(&out, STR("\"; rm -rf /\0,1:\"@x.org"));
	assert_true(str_eq(buf_str(&out),
	    STR("14:=ask ann@x.org,27:=ask \"; rm -rf /\0,1:\"@x.org,")));
	buf_fini(&out);
}

static void
a_report_names_each_arrival(void **state)
{
	static const unsigned char id[INQUIRY_ID_BYTES] = {0, 1, 2, 255};
	static const struct arrival arrivals[] = {
	    {STR("ann@x.org"), STR("new"), false}, {STR("\"a \\\"b\"@x.org"), STR("old"), true}};
	struct buf out = BUF_INIT;

	inquiry_arrived(&out, id, STR("mx1"), 3, arrivals, 2);
	assert_string_equal(buf_cstr(&out),
	    "144:=arrived {\"id\":\"000102ff000000000000000000000000\",\"lost\":3,\"from\":\"mx1\","
	    "\"accounts\":[[\"ann@x.org\",\"new\",false],[\"\\\"a \\\\\\\"b\\\"@x.org\",\"old\",true]]},");
	buf_fini(&out);
}

static void
a_report_of_a_great_many_is_cut(void **state)
{
	enum { MANY = 4000 };
	static const unsigned char id[INQUIRY_ID_BYTES];
	static const struct str names[] = {STR("ann.of.the.longest.name@department.example.org"),
	    STR("\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\"@x.org"),
	    STR("\"\x01\x02\x03\x04\x05\x06\"@x.org"), STR("a@b")};
	struct arrival *arrivals = xnew_array(struct arrival, MANY);
	struct buf out = BUF_INIT;
	size_t reports = 0;

	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		for (size_t i = 0; i < MANY; i++)
			arrivals[i] = (struct arrival){names[n], STR("new"), false};
		for (size_t at = 0, fits; at < MANY; at += fits, reports++) {
			fits = inquiry_fits(arrivals + at, MANY - at);
			assert_true(fits > 0 && fits <= MANY - at);
			buf_clear(&out);
			inquiry_arrived(&out, id, STR("mx1"), UINT64_C(1) << 62, arrivals + at,
			    fits);
			assert_true(buf_len(&out) <= INQUIRY_REPORT_MOST);
			/* And it is not cut sooner than it need be. */
			assert_true(at + fits == MANY ||
				    buf_len(&out) > INQUIRY_REPORT_MOST - 1200);
		}
	}
	assert_true(reports > ARRAY_LEN(names) + 3);
	assert_int_equal(inquiry_fits(NULL, 0), 0);
	buf_fini(&out);
	free(arrivals);
}

static void
only_all_of_them_is_kept(void **state)
{
	assert_true(inquiry_kept(STR("OK {\"kept\":2}"), 2));
	assert_false(inquiry_kept(STR("OK {\"kept\":1}"), 2));
	assert_false(inquiry_kept(STR("OK {\"kept\":\"2\"}"), 2));
	assert_false(inquiry_kept(STR("OK {}"), 0));
	assert_false(inquiry_kept(STR("OK []"), 0));
	assert_false(inquiry_kept(STR("TEMP disk full"), 0));
	assert_false(inquiry_kept(STR("OK {\"kept\":2"), 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replies_are_answers_or_trouble),
	    cmocka_unit_test(a_reply_cut_anywhere_is_trouble),
	    cmocka_unit_test(what_is_too_long_has_an_end),
	    cmocka_unit_test(questions_are_netstrings_of_any_bytes),
	    cmocka_unit_test(a_report_names_each_arrival),
	    cmocka_unit_test(a_report_of_a_great_many_is_cut),
	    cmocka_unit_test(only_all_of_them_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
