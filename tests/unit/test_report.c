/*
 * test_report.c - what policyd says to the milter is what the milter reads
 */
#include "policy/report.h"

#include "base/mem.h"
#include "map/arrivals.h"
#include "milter/inquiry.h"
#include "net/netstring.h"

#include "unit.h"

#define ID "00112233445566778899aabbccddeeff"

/* ---- =ask: policyd's answer, and what inquiry_read() makes of it */

static const struct {
	const char *what;
	struct answer answer;
	enum verdict verdict;
	const char *reason;
} answers[] = {
    {"found",
	{.verdict = VERDICT_FOUND,
	    .finding = {.verdict = VERDICT_FOUND,
		.account = STR("ann@example.org"),
		.owner = STR("new"),
		.epoch = 4711}},
	VERDICT_FOUND, ""},
    {"held",
	{.verdict = VERDICT_FOUND,
	    .held = true,
	    .finding = {.verdict = VERDICT_FOUND,
		.account = STR("\"a \\\" b\"@example.org"),
		.owner = STR("new"),
		.hold = HOLD_MAIL}},
	VERDICT_FOUND, ""},
    {"held altogether, and unknown",
	{.verdict = VERDICT_FOUND,
	    .held = true,
	    .finding = {.verdict = VERDICT_FOUND,
		.account = STR("\xc3\xa4@example.org"),
		.owner = STR("old"),
		.hold = HOLD_ALL,
		.is_unknown = true,
		.epoch = INT64_MAX}},
	VERDICT_FOUND, ""},
    {"not managed", {.verdict = VERDICT_ABSENT, .finding = {.verdict = VERDICT_ABSENT}},
	VERDICT_ABSENT, ""},
    {"trouble", {.verdict = VERDICT_TEMP, .reason = "Redis is away"}, VERDICT_TEMP,
	"Redis is away"},
    {"a key that cannot be read, of somebody who stands in no log of the milter's",
	{.verdict = VERDICT_TEMP,
	    .reason = "splitmx:owner:ann@example.org is not a string",
	    .finding = {.verdict = VERDICT_TEMP,
		.account = STR("ann@example.org"),
		.matched = STR("owner:ann@example.org"),
		.reason = "splitmx:owner:ann@example.org is not a string"}},
	VERDICT_TEMP, "a key of the map cannot be read: see policyd's log"},
    {"unknown, when the lease was over: he may have come since",
	{.verdict = VERDICT_FOUND,
	    .finding = {.verdict = VERDICT_FOUND,
		.account = STR("ann@example.org"),
		.owner = STR("old"),
		.source = SOURCE_GRACE,
		.is_unknown = true}},
	VERDICT_TEMP, "Redis is away, so nobody can be said to be unknown"},
    {"known, when the lease was over",
	{.verdict = VERDICT_FOUND,
	    .finding = {.verdict = VERDICT_FOUND,
		.account = STR("ann@example.org"),
		.owner = STR("old"),
		.source = SOURCE_GRACE}},
	VERDICT_FOUND, ""},
    {"an owner that is no destination",
	{.verdict = VERDICT_TEMP,
	    .reason = "the owner in the map is no destination",
	    .finding = {.verdict = VERDICT_FOUND, .account = STR("a@b"), .owner = STR("x")}},
	VERDICT_TEMP, "the owner in the map is no destination"},
    {"impossible", {.verdict = VERDICT_PERM, .reason = "the key is too long"}, VERDICT_PERM,
	"the key is too long"},
    {"trouble without a word", {.verdict = VERDICT_TEMP}, VERDICT_TEMP, ""},
    {"a reason that is no UTF-8", {.verdict = VERDICT_TEMP, .reason = "a\xff"}, VERDICT_TEMP,
	"see policyd's log"},
    {"an account that is no UTF-8",
	{.verdict = VERDICT_FOUND,
	    .finding = {.verdict = VERDICT_FOUND, .account = STR("a\xff@b"), .owner = STR("new")}},
	VERDICT_PERM, "the account or its owner is not UTF-8"},
};

static void
the_milter_reads_what_policyd_answers(void **state)
{
	struct inquiry inquiry;
	struct buf reply = BUF_INIT;

	inquiry_init(&inquiry);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const struct finding *finding = &answers[i].answer.finding;

		buf_clear(&reply);
		buf_add_text(&reply, "OK ");
		report_answer(&reply, &answers[i].answer);
		inquiry_read(&inquiry, buf_str(&reply));
		if (inquiry.verdict != answers[i].verdict ||
		    !str_is(inquiry.reason, answers[i].reason))
			fail_msg("%s: %s", answers[i].what, buf_cstr(&reply));
		if (inquiry.verdict != VERDICT_FOUND)
			continue;
		assert_true(str_eq(inquiry.account, finding->account));
		assert_true(str_eq(inquiry.owner, finding->owner));
		assert_int_equal(inquiry.hold, finding->hold);
		assert_int_equal(inquiry.is_unknown, finding->is_unknown);
		assert_true(inquiry.epoch == finding->epoch);
	}
	inquiry_fini(&inquiry);
	buf_fini(&reply);
}

/* ---- =arrived */

/* The key of a request, behind its map. */
static struct str
key_of(struct buf *request, enum inquiry_kind kind)
{
	struct str payload;
	struct fault fault;
	size_t space;

	assert_int_equal(netstring_next(request, NETSTRING_CEILING_BYTES, &payload, &fault), 1);
	space = str_find(payload, ' ');
	assert_true(space < payload.len);
	assert_int_equal(inquiry_kind(str_make(payload.ptr, space)), kind);
	return str_from(payload, space + 1);
}

static void
policyd_reads_what_the_milter_reports(void **state)
{
	static const struct arrival arrivals[] = {
	    {STR("ann@example.org"), STR("new"), false},
	    {STR("\"a \\\" b\"@example.org"), STR("old"), true},
	    {STR("\xc3\xa4@example.org"), STR("new"), false},
	};
	static const unsigned char id[INQUIRY_ID_BYTES] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
	    0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	struct buf request = BUF_INIT, reply = BUF_INIT, kept = BUF_INIT;
	struct report report, again;
	struct fault fault;

	inquiry_arrived(&request, id, STR("mx1.example.org"), 3, arrivals, ARRAY_LEN(arrivals));
	assert_int_equal(report_read(&report, key_of(&request, INQUIRY_ARRIVED), &fault), 0);
	assert_true(str_is(report.id, ID));
	assert_true(str_is(report.from, "mx1.example.org"));
	assert_int_equal(report.lost, 3);
	assert_int_equal(report.count, ARRAY_LEN(arrivals));
	report_keep(&kept, &report, 1763730000);
	assert_int_equal(report_read(&again, buf_str(&kept), &fault), 0);
	assert_int_equal(again.at_s, 1763730000);
	for (size_t i = 0; i < ARRAY_LEN(arrivals); i++) {
		struct report_account row = report_account(&again, i);

		assert_true(str_eq(row.account, arrivals[i].account));
		assert_true(str_eq(row.owner, arrivals[i].owner));
		assert_int_equal(row.is_stray, arrivals[i].is_stray);
	}
	buf_add_text(&reply, "OK ");
	report_kept(&reply, report.count);
	assert_true(inquiry_kept(buf_str(&reply), ARRAY_LEN(arrivals)));
	assert_false(inquiry_kept(buf_str(&reply), ARRAY_LEN(arrivals) - 1));
	report_fini(&report);
	report_fini(&again);
	buf_fini(&request);
	buf_fini(&reply);
	buf_fini(&kept);
}

static void
a_question_is_an_address(void **state)
{
	struct buf request = BUF_INIT;

	inquiry_ask(&request, STR("a b@example.org"));
	assert_true(str_is(key_of(&request, INQUIRY_ASK), "a b@example.org"));
	assert_int_equal(inquiry_kind(STR("=as")), INQUIRY_NONE);
	assert_int_equal(inquiry_kind(STR("=asks")), INQUIRY_NONE);
	assert_int_equal(inquiry_kind(STR("=")), INQUIRY_NONE);
	assert_int_equal(inquiry_kind(STR("")), INQUIRY_NONE);
	buf_fini(&request);
}

#define REPORT "{\"id\":\"" ID "\",\"from\":\"mx1\",\"lost\":0,\"accounts\":"

static const struct {
	const char *what;
	struct str text;
	const char *why; /* NULL: it is one */
} reports[] = {
    {"nobody, to say what was lost", STR(REPORT "[]}"), NULL},
    {"fields of a newer milter", STR(REPORT "[],\"more\":[1]}"), NULL},
    {"nothing", STR(""), "no JSON object"},
    {"an array", STR("[]"), "no JSON object"},
    {"bytes behind", STR(REPORT "[]}x"), "no JSON object"},
    {"a name twice", STR(REPORT "[],\"id\":\"" ID "\"}"), "no JSON object"},
    {"no id", STR("{\"from\":\"mx1\",\"lost\":0,\"accounts\":[]}"), "no id"},
    {"a short id", STR("{\"id\":\"00\",\"from\":\"mx1\",\"lost\":0,\"accounts\":[]}"), "no id"},
    {"an id in capitals",
	STR("{\"id\":\"00112233445566778899AABBCCDDEEFF\",\"from\":\"mx1\",\"lost\":0,\"accounts\":[]}"),
	"no id"},
    {"from nowhere", STR("{\"id\":\"" ID "\",\"from\":\"\",\"lost\":0,\"accounts\":[]}"), "where"},
    {"lost is none", STR("{\"id\":\"" ID "\",\"from\":\"m\",\"accounts\":[]}"), "lost"},
    {"less than none lost", STR("{\"id\":\"" ID "\",\"from\":\"m\",\"lost\":-1,\"accounts\":[]}"),
	"lost"},
    {"a time that is none", STR(REPORT "[],\"t\":-1}"), "time"},
    {"a time that is far away", STR(REPORT "[],\"t\":253402300800}"), "time"},
    {"no accounts", STR("{\"id\":\"" ID "\",\"from\":\"m\",\"lost\":0}"), "accounts"},
    {"a row of two", STR(REPORT "[[\"a@b\",\"new\"]]}"), "account that is none"},
    {"a row of four", STR(REPORT "[[\"a@b\",\"new\",false,1]]}"), "account that is none"},
    {"no row", STR(REPORT "[\"a@b\"]}"), "account that is none"},
    {"no address", STR(REPORT "[[\"ab\",\"new\",false]]}"), "account that is none"},
    {"no owner", STR(REPORT "[[\"a@b\",\"\",false]]}"), "account that is none"},
    {"an owner with a line feed", STR(REPORT "[[\"a@b\",\"n\\new\",false]]}"),
	"account that is none"},
    {"a NUL", STR(REPORT "[[\"a\\u0000@b\",\"new\",false]]}"), "no JSON object"},
    {"perhaps stray", STR(REPORT "[[\"a@b\",\"new\",0]]}"), "account that is none"},
    {"the second is none", STR(REPORT "[[\"a@b\",\"new\",true],7]}"), "account that is none"},
};

static void
only_reports_are_reports(void **state)
{
	struct report report;
	struct fault fault = {0};

	for (size_t i = 0; i < ARRAY_LEN(reports); i++) {
		int rc = report_read(&report, reports[i].text, &fault);

		if (rc != (reports[i].why == NULL ? 0 : -1))
			fail_msg("%s", reports[i].what);
		if (rc == -1 &&
		    (strstr(fault.text, reports[i].why) == NULL || fault.verdict != VERDICT_PERM))
			fail_msg("%s: %s", reports[i].what, fault.text);
		report_fini(&report);
		for (size_t len = 0; rc == 0 && len < reports[i].text.len; len++)
			assert_int_equal(report_read(&report, str_make(reports[i].text.ptr, len),
					     &fault),
			    -1);
	}
}

static void
a_report_has_its_bounds(void **state)
{
	struct buf text = BUF_INIT;
	struct report report;
	struct fault fault;

	buf_add_text(&text, REPORT "[");
	for (int i = 0; i <= REPORT_ACCOUNTS_MOST; i++)
		buf_add_text(&text, i == 0 ? "[\"a@b\",\"n\",true]" : ",[\"a@b\",\"n\",true]");
	buf_add_text(&text, "]}");
	assert_int_equal(report_read(&report, buf_str(&text), &fault), -1);
	assert_non_null(strstr(fault.text, "too many"));
	while (buf_len(&text) <= REPORT_MOST_BYTES)
		buf_add_byte(&text, ' ');
	assert_int_equal(report_read(&report, buf_str(&text), &fault), -1);
	assert_non_null(strstr(fault.text, "too long"));
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_milter_reads_what_policyd_answers),
	    cmocka_unit_test(policyd_reads_what_the_milter_reports),
	    cmocka_unit_test(a_question_is_an_address),
	    cmocka_unit_test(only_reports_are_reports),
	    cmocka_unit_test(a_report_has_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
