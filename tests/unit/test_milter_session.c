/*
 * test_milter_session.c - one SMTP connection, as the milter sees it
 *
 * A policyd of this file answers by the first letters of an address.
 */
#include "milter/session.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include "trace_case.h"

enum { NOW = 1763730000 };

static const unsigned char nonce[TRACE_NONCE_BYTES] = "nonce";

struct house {
	struct trace_keys *keys;
	struct session_terms terms;
	struct session *session;
	struct buf header; /* that the message has got at its end */
};

static int
open_house(void **state)
{
	struct house *house = xnew(struct house);

	house->keys = case_keys(FILE_BOTH);
	house->terms = (struct session_terms){.instance = STR("mx1"),
	    .rules = {true, "+"},
	    .keys = house->keys,
	    .loops = {LOOP_YOUNG_S, LOOP_VISITS_MOST},
	    .side = STR("")};
	house->session = session_new();
	*state = house;
	return 0;
}

static int
close_house(void **state)
{
	struct house *house = *state;

	session_free(&house->session);
	session_free(&house->session);
	trace_keys_free(&house->keys);
	buf_fini(&house->header);
	free(house);
	return 0;
}

/* What policyd would say of an address; ext is cut off, as it does that. */
static struct inquiry
policyd(struct str address)
{
	struct inquiry said = {.verdict = VERDICT_FOUND,
	    .account = str_starts(address, "ann+") ? STR("ann@x.org") : address,
	    .owner = STR("new"),
	    .epoch = 12};

	if (str_starts(address, "foreign"))
		said = (struct inquiry){.verdict = VERDICT_ABSENT};
	else if (str_starts(address, "trouble"))
		said = (struct inquiry){.verdict = VERDICT_TEMP, .reason = STR("no Redis")};
	else if (str_starts(address, "perm"))
		said = (struct inquiry){.verdict = VERDICT_PERM, .reason = STR("too long")};
	else if (str_starts(address, "held"))
		said.hold = HOLD_MAIL;
	else if (str_starts(address, "none"))
		said.is_unknown = true;
	else if (str_starts(address, "moved"))
		said.owner = STR("old");
	return said;
}

static struct session_reply
rcpt(struct house *house, const char *argument)
{
	struct session_reply reply;
	struct inquiry said;
	struct str address;

	if (session_rcpt(house->session, str_of(argument), &address, &reply) == SESSION_SAY)
		return reply;
	said = policyd(address);
	return session_answer(house->session, &said);
}

static struct session_reply
end(struct house *house, uint64_t now_s)
{
	struct str header;
	struct session_reply reply = session_end(house->session, now_s, nonce, &header);

	buf_clear(&house->header);
	buf_add_str(&house->header, header);
	return reply;
}

/* A message to one recipient that has these headers already; its reply at the end. */
static struct session_reply
message(struct house *house, const char *to, const char *const *headers, uint64_t now_s)
{
	session_mail(house->session, &house->terms);
	assert_int_equal(rcpt(house, to).verdict, SESSION_GO_ON);
	for (; headers != NULL && *headers != NULL; headers++)
		session_header(house->session, STR("x-splitmx-trace"), str_of(*headers));
	return end(house, now_s);
}

static bool
header_claims(struct house *house, const char *address)
{
	struct trace trace;

	assert_int_equal(trace_read(&trace, buf_str(&house->header), house->keys), TRACE_GOOD);
	return trace_claims(&trace, str_of(address));
}

/* ---- RCPT */

static const struct {
	const char *what, *argument;
	bool defers_held;
	const char *reply; /* "550 5.1.1 unknown", or what goes on */
	const char *account; /* that has arrived; NULL: none */
} rows[] = {
    {"known", "<ann@x.org>", false, "go_on", "ann@x.org"},
    {"with an extension", "<ann+lists@x.org>", false, "go_on", "ann@x.org"},
    {"without angle brackets, from sendmail(1)", "ann@x.org", false, "go_on", "ann@x.org"},
    {"with a source route", "<@a.org,@b.org:ann@x.org>", false, "go_on", "ann@x.org"},
    {"unknown in a complete domain", "<none@x.org>", false, "550 5.1.1 unknown", NULL},
    {"held: the transport keeps it", "<held@x.org>", false, "go_on", "held@x.org"},
    {"held, where that is told to wait", "<held@x.org>", true, "450 4.2.1 held", NULL},
    {"known, where held ones are told to wait", "<ann@x.org>", true, "go_on", "ann@x.org"},
    {"foreign", "<foreign@y.org>", false, "go_on", NULL},
    {"the store is in trouble", "<trouble@x.org>", false, "451 4.3.0 trouble", NULL},
    {"an address that policyd finds impossible", "<perm@x.org>", false, "go_on", NULL},
    {"postmaster", "<postmaster>", false, "go_on", NULL},
    {"the null address", "<>", false, "go_on", NULL},
    {"nothing", "", false, "go_on", NULL},
    {"test_B3: a shell's letters are letters", "<ann$(reboot)`x`;|&@x.org>", false, "go_on",
	"ann$(reboot)`x`;|&@x.org"},
    {"test_B3: quotes", "<\"a b\\\"\"@x.org>", false, "go_on", "\"a b\\\"\"@x.org"},
    {"test_B3: a colon that is no route", "<\"@a:b\"@x.org>", false, "go_on", "\"@a:b\"@x.org"},
    {"test_B3: a route to nowhere", "<@a.org:>", false, "go_on", NULL},
    {"test_B3: not UTF-8", "<\xff\xfe@x.org>", false, "go_on", NULL},
};

static void
recipients_are_told_what_the_map_says(void **state)
{
	struct house *house = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct session_reply reply;
		char text[64];

		house->terms.defers_held = rows[i].defers_held;
		session_mail(house->session, &house->terms);
		reply = rcpt(house, rows[i].argument);
		snprintf(text, sizeof(text), "%s%s%s%s%s", reply.code ? reply.code : "",
		    reply.code ? " " : "", reply.status ? reply.status : "",
		    reply.status ? " " : "", reply.why);
		if (strcmp(text, rows[i].reply) != 0)
			fail_msg("%s: %s", rows[i].what, text);
		assert_int_equal(reply.verdict == SESSION_GO_ON, reply.code == NULL);
		if (reply.code != NULL)
			assert_int_equal(reply.code[0], reply.verdict == SESSION_NEVER ? '5' : '4');
		assert_int_equal(end(house, NOW).verdict, SESSION_GO_ON);
		assert_int_equal(session_arrivals(house->session), rows[i].account != NULL);
		assert_int_equal(buf_len(&house->header) > 0, rows[i].account != NULL);
		if (rows[i].account != NULL &&
		    !str_is(session_arrival(house->session, 0).account, rows[i].account))
			fail_msg("%s: %.*s", rows[i].what,
			    STR_FMT(session_arrival(house->session, 0).account));
	}
}

static void
test_B3_recipients_of_64_kilobytes_and_with_nul_are_data(void **state)
{
	struct house *house = *state;
	struct session_reply reply;
	struct buf text = BUF_INIT;
	struct str address;

	session_mail(house->session, &house->terms);
	assert_int_equal(session_rcpt(house->session, STR("<a\0b@x.org>"), &address, &reply),
	    SESSION_SAY);
	assert_int_equal(reply.verdict, SESSION_GO_ON);
	buf_add_byte(&text, '<');
	for (int i = 0; i < 65536; i++)
		buf_add_byte(&text, 'a');
	buf_add_text(&text, "@x.org>");
	assert_int_equal(session_rcpt(house->session, buf_str(&text), &address, &reply),
	    SESSION_SAY);
	assert_int_equal(reply.verdict, SESSION_GO_ON);
	buf_fini(&text);
}

static void
test_B7_500_recipients_some_held_some_not(void **state)
{
	static const char *const kinds[] = {"ann", "held", "none", "foreign", "trouble"};
	static const char *const why[] = {"go_on", "go_on", "unknown", "go_on", "trouble"};
	struct house *house = *state;
	char address[64];

	session_mail(house->session, &house->terms);
	for (int i = 0; i < 500; i++) {
		snprintf(address, sizeof(address), "<%s%d@x.org>", kinds[i % 5], i);
		assert_string_equal(rcpt(house, address).why, why[i % 5]);
	}
	assert_int_equal(end(house, NOW).verdict, SESSION_GO_ON);
	assert_int_equal(session_arrivals(house->session), 200);
	assert_true(str_is(session_arrival(house->session, 0).account, "ann0@x.org"));
	assert_true(str_is(session_arrival(house->session, 199).account, "held496@x.org"));
	assert_false(header_claims(house, "ann0@x.org")); /* saturated */
}

static void
recipients_without_end_are_told_to_wait(void **state)
{
	struct house *house = *state;
	char address[9100];
	struct session_reply reply;
	size_t count = 0;

	session_mail(house->session, &house->terms);
	do {
		snprintf(address, sizeof(address), "<ann%zu@x.org>", count);
		reply = rcpt(house, address);
		count += reply.verdict == SESSION_GO_ON;
	} while (reply.verdict == SESSION_GO_ON);
	assert_int_equal(count, SESSION_RECIPIENTS_MOST);
	assert_string_equal(reply.code, "452");
	assert_int_equal(end(house, NOW).verdict, SESSION_GO_ON);
	assert_int_equal(session_arrivals(house->session), SESSION_RECIPIENTS_MOST);

	/* The same by their length. */
	session_mail(house->session, &house->terms);
	memset(address, 'a', sizeof(address));
	memcpy(address + sizeof(address) - 7, "@x.org", 7);
	for (count = 0; rcpt(house, address).verdict == SESSION_GO_ON; count++)
		assert_in_range(count, 0, SESSION_RECIPIENTS_MOST);
	assert_in_range(count, 50, 150);
}

/* ---- circles */

static void
test_B5_the_same_recipient_is_deferred_until_it_is_40_s_old(void **state)
{
	struct house *house = *state;
	struct session_reply reply;
	char *first;
	const char *headers[] = {NULL, NULL};

	assert_int_equal(message(house, "<ann@x.org>", NULL, NOW).verdict, SESSION_GO_ON);
	headers[0] = first = xstrdup(buf_cstr(&house->header));
	reply = message(house, "<ann@x.org>", headers, NOW + 3);
	assert_int_equal(reply.verdict, SESSION_LATER);
	assert_string_equal(reply.code, "451");
	assert_string_equal(reply.status, "4.4.6");
	assert_true(str_is(reply.text,
	    "This message has just been here, try again later; its way: mx1, mx1"));
	assert_int_equal(buf_len(&house->header), 0);
	assert_int_equal(session_arrivals(house->session), 0);
	assert_int_equal(message(house, "<ann@x.org>", headers, NOW + 39).verdict, SESSION_LATER);
	assert_int_equal(message(house, "<ann@x.org>", headers, NOW + 40).verdict, SESSION_GO_ON);
	assert_true(header_claims(house, "ann@x.org"));
	free(first);
}

static void
test_B5_for_another_recipient_it_passes_at_once(void **state)
{
	static const char *const others[] = {
	    "<bob@x.org>", "<ann+lists@x.org>", "<ann@y.org>", "<foreign@y.org>"};
	struct house *house = *state;
	const char *headers[] = {NULL, NULL};
	char *first;

	message(house, "<ann@x.org>", NULL, NOW);
	headers[0] = first = xstrdup(buf_cstr(&house->header));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(message(house, others[i], headers, NOW).verdict, SESSION_GO_ON);
	/* What is remembered is the address, not the account that it belongs to. */
	message(house, "<ann+Lists@X.org>", NULL, NOW);
	assert_true(header_claims(house, "ann+lists@x.org"));
	assert_false(header_claims(house, "ann@x.org"));
	/* The same name, as another server may write it. */
	assert_int_equal(message(house, "<ANN@X.org>", headers, NOW).verdict, SESSION_LATER);
	free(first);
}

static void
past_the_limit_it_is_refused_for_good(void **state)
{
	struct house *house = *state;
	const char *headers[LOOP_VISITS_MOST + 1] = {NULL};
	char *texts[LOOP_VISITS_MOST];
	struct session_reply reply;

	for (unsigned i = 0; i < LOOP_VISITS_MOST; i++) {
		static const char *const ann[] = {"ann@x.org", NULL};
		struct buf out = BUF_INIT;
		struct trace trace;

		reply = message(house, "<ann@x.org>", headers, NOW + 10000);
		assert_int_equal(reply.verdict, SESSION_GO_ON);
		case_trace(&trace, trace_keys_first(house->keys), "mx1", NOW + i * 300,
		    (unsigned char)i, ann);
		trace_write(&trace, &out);
		headers[i] = texts[i] = xstrdup(buf_cstr(&out));
		buf_fini(&out);
	}
	reply = message(house, "<ann@x.org>", headers, NOW + 10000);
	assert_int_equal(reply.verdict, SESSION_NEVER);
	assert_string_equal(reply.code, "554");
	assert_string_equal(reply.status, "5.4.6");
	assert_true(reply.text.len <= 400);
	for (unsigned i = 0; i < LOOP_VISITS_MOST; i++)
		free(texts[i]);
}

static void
forged_foreign_and_broken_headers_are_nothing(void **state)
{
	struct house *house = *state;
	struct trace_keys *theirs = case_keys(FILE_STRANGER);
	static const char *const ann[] = {"ann@x.org", NULL};
	const char *headers[] = {NULL, "", "v=1", "v=1;k=2026b;i=mx1;e=1;t=1;n=;f=;h=", NULL};
	struct buf out = BUF_INIT;
	struct trace trace;

	case_trace(&trace, trace_keys_first(theirs), "mx1", NOW, 1, ann);
	trace_write(&trace, &out);
	headers[0] = buf_cstr(&out);
	house->terms.strips_outgoing = true;
	assert_int_equal(message(house, "<ann@x.org>", headers, NOW).verdict, SESSION_GO_ON);
	assert_int_equal(message(house, "<foreign@y.org>", headers, NOW).verdict, SESSION_GO_ON);
	{
		const unsigned *places;

		assert_int_equal(session_removals(house->session, &places), 0);
	}
	buf_fini(&out);
	trace_keys_free(&theirs);
}

/* Ours are the second, fourth and fifth of that name; the third is a peer's. */
static void
outgoing_mail_loses_ours_where_that_is_wished(void **state)
{
	static const char *const ann[] = {"ann@x.org", NULL};
	static const char *const places_of[] = {"old1", "mx1", "mx1"};
	struct house *house = *state;
	const char *headers[] = {"junk", NULL, NULL, NULL, NULL, NULL};
	struct buf out[3] = {BUF_INIT, BUF_INIT, BUF_INIT};
	struct trace trace;
	const unsigned *places;

	for (unsigned i = 0; i < 3; i++) {
		case_trace(&trace, trace_keys_first(house->keys), places_of[i], NOW - 500,
		    (unsigned char)i, ann);
		trace_write(&trace, &out[i]);
	}
	headers[1] = buf_cstr(&out[1]);
	headers[2] = buf_cstr(&out[0]);
	headers[3] = buf_cstr(&out[2]);
	headers[4] = buf_cstr(&out[1]);
	for (int i = 0; i < 4; i++) {
		bool is_outgoing = (i & 1) != 0, wished = (i & 2) != 0;

		house->terms.strips_outgoing = wished;
		message(house, is_outgoing ? "<foreign@y.org>" : "<ann@x.org>", headers, NOW);
		assert_int_equal(session_removals(house->session, &places),
		    is_outgoing && wished ? 3 : 0);
	}
	assert_int_equal(places[0], 5);
	assert_int_equal(places[1], 4);
	assert_int_equal(places[2], 2);
	for (int i = 0; i < 3; i++)
		buf_fini(&out[i]);
}

/* ---- order */

static void
test_B8_an_abort_at_any_step_leaves_nothing_of_a_message(void **state)
{
	struct house *house = *state;
	const unsigned *places;

	for (int steps = 0; steps <= 5; steps++) {
		for (int twice = 0; twice <= 2; twice++) {
			struct session_reply reply;
			struct str address, header;

			if (steps > 0)
				session_mail(house->session, &house->terms);
			if (steps > 1)
				rcpt(house, "<bob@x.org>");
			if (steps > 2)
				session_header(house->session, STR(TRACE_HEADER), STR("x"));
			if (steps == 4)
				session_end(house->session, NOW, nonce, &header);
			if (steps == 5) {
				session_mail(house->session, &house->terms);
				assert_int_equal(session_rcpt(house->session, STR("<bob@x.org>"),
						     &address, &reply),
				    SESSION_ASK);
			}
			/* 0: the next MAIL comes without an abort. */
			for (int i = 0; i < twice; i++)
				session_abort(house->session);
			if (twice > 0) {
				assert_int_equal(session_arrivals(house->session), 0);
				assert_int_equal(session_removals(house->session, &places), 0);
			}
			assert_int_equal(message(house, "<ann@x.org>", NULL, NOW).verdict,
			    SESSION_GO_ON);
			assert_int_equal(session_arrivals(house->session), 1);
			assert_true(header_claims(house, "ann@x.org"));
			assert_false(header_claims(house, "bob@x.org"));
		}
	}
}

static void
test_B1_steps_out_of_order_are_told_to_wait(void **state)
{
	struct house *house = *state;
	struct inquiry said = policyd(STR("ann@x.org"));
	struct session_reply reply;
	struct str text;

	/* Before MAIL. */
	assert_string_equal(rcpt(house, "<ann@x.org>").why, "disorder");
	assert_string_equal(session_answer(house->session, &said).why, "disorder");
	assert_string_equal(end(house, NOW).why, "disorder");
	session_header(house->session, STR(TRACE_HEADER), STR("x"));
	/* An answer to no question. */
	session_mail(house->session, &house->terms);
	assert_string_equal(session_answer(house->session, &said).why, "disorder");
	/* A second question, headers and the end before the answer to the first. */
	session_mail(house->session, &house->terms);
	assert_int_equal(session_rcpt(house->session, STR("<a@x.org>"), &text, &reply),
	    SESSION_ASK);
	assert_int_equal(session_rcpt(house->session, STR("<b@x.org>"), &text, &reply),
	    SESSION_SAY);
	assert_string_equal(reply.why, "disorder");
	session_mail(house->session, &house->terms);
	assert_int_equal(session_rcpt(house->session, STR("<a@x.org>"), &text, &reply),
	    SESSION_ASK);
	session_header(house->session, STR(TRACE_HEADER), STR("x"));
	reply = session_end(house->session, NOW, nonce, &text);
	assert_string_equal(reply.why, "disorder");
	assert_int_equal(text.len, 0);
	/* A recipient behind a header, and what comes behind the end. */
	session_mail(house->session, &house->terms);
	session_header(house->session, STR("Subject"), STR("x"));
	assert_string_equal(rcpt(house, "<ann@x.org>").why, "disorder");
	message(house, "<ann@x.org>", NULL, NOW);
	assert_string_equal(end(house, NOW).why, "disorder");
	assert_int_equal(session_arrivals(house->session), 0);
	assert_string_equal(rcpt(house, "<ann@x.org>").why, "disorder");
	/* And then as ever. */
	assert_int_equal(message(house, "<ann@x.org>", NULL, NOW).verdict, SESSION_GO_ON);
}

static void
a_side_server_tells_strays(void **state)
{
	struct house *house = *state;

	house->terms.side = STR("old");
	session_mail(house->session, &house->terms);
	rcpt(house, "<ann@x.org>");
	rcpt(house, "<moved@x.org>"); /* is the old side's */
	end(house, NOW);
	assert_true(session_arrival(house->session, 0).is_stray);
	assert_false(session_arrival(house->session, 1).is_stray);
	house->terms.side = STR("");
	message(house, "<ann@x.org>", NULL, NOW);
	assert_false(session_arrival(house->session, 0).is_stray);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(recipients_are_told_what_the_map_says),
	    TEST(test_B3_recipients_of_64_kilobytes_and_with_nul_are_data),
	    TEST(test_B7_500_recipients_some_held_some_not),
	    TEST(recipients_without_end_are_told_to_wait),
	    TEST(test_B5_the_same_recipient_is_deferred_until_it_is_40_s_old),
	    TEST(test_B5_for_another_recipient_it_passes_at_once),
	    TEST(past_the_limit_it_is_refused_for_good),
	    TEST(forged_foreign_and_broken_headers_are_nothing),
	    TEST(outgoing_mail_loses_ours_where_that_is_wished),
	    TEST(test_B8_an_abort_at_any_step_leaves_nothing_of_a_message),
	    TEST(test_B1_steps_out_of_order_are_told_to_wait),
	    TEST(a_side_server_tells_strays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
