/*
 * test_sink.c - a mail server that never takes a message
 */
#include "policy/sink.h"

#include "feed.h"

#define NAME "splitmx-sink.invalid"
#define HELLO                                                                                      \
	"250-" NAME "\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"            \
	"250 ENHANCEDSTATUSCODES\r\n"
#define LATER "450 4.2.1 Moving\r\n"
#define UNKNOWN "500 5.5.2 Unknown command\r\n"

static const struct {
	const char *name;
	struct str bytes;
	const char *out;
	enum step step;
} rows[] = {
    {"EHLO", STR("EHLO mx.example.org\r\n"), HELLO, STEP_WAIT},
    {"LHLO", STR("lhlo mx\r\n"), HELLO, STEP_WAIT},
    {"HELO", STR("HELO mx\r\n"), "250 " NAME "\r\n", STEP_WAIT},
    {"a delivery as Postfix pipelines it",
	STR("MAIL FROM:<a@b> BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f> NOTIFY=NEVER\r\n"
	    "DATA\r\nRSET\r\nQUIT\r\n"),
	"250 2.1.0 Sender noted\r\n" LATER LATER "451 4.5.1 No valid recipients now\r\n"
	"250 2.0.0 Forgotten\r\n221 2.0.0 Until later\r\n",
	STEP_END},
    {"nothing is read after QUIT", STR("QUIT\r\nNOOP\r\n"), "221 2.0.0 Until later\r\n", STEP_END},
    {"a recipient without a sender is no mistake of ours", STR("RCPT TO:<a@b>\r\n"), LATER,
	STEP_WAIT},
    {"verbs in any case", STR("rCpT to:<a@b>\r\nnoop\r\n"), LATER "250 2.0.0 Here\r\n", STEP_WAIT},
    {"bare line feeds", STR("NOOP\nVRFY a\n"), "250 2.0.0 Here\r\n252 2.5.2 Cannot say\r\n",
	STEP_WAIT},
    {"TLS and AUTH are refused for now", STR("STARTTLS\r\nAUTH PLAIN AGEAYg==\r\n"),
	"454 4.7.0 TLS not available\r\n454 4.7.0 Authentication not available\r\n", STEP_WAIT},
    {"BDAT", STR("BDAT 0 LAST\r\n"), "451 4.5.1 No valid recipients now\r\n", STEP_WAIT},
    {"junk", STR("\x16\x03\x01\0\xff\r\n\r\nXFORWARD A=B\r\nRCPTX\r\n"),
	UNKNOWN UNKNOWN UNKNOWN UNKNOWN, STEP_WAIT},
};

static enum step
next(void *machine, struct buf *in, struct buf *out, struct query *query_r)
{
	return sink_next(machine, STR("450 4.2.1 Moving"), in, out);
}

static enum step
next_of_421(void *machine, struct buf *in, struct buf *out, struct query *query_r)
{
	return sink_next(machine, STR("421 4.3.2 Closed"), in, out);
}

static void
dialogues_go_as_they_should_however_they_are_cut(void **state)
{
	struct buf out = BUF_INIT;
	struct sink sink;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece <= rows[i].bytes.len; piece++) {
			enum step step;

			buf_clear(&out);
			sink_init(&sink);
			step = feed(&sink, next, NULL, rows[i].bytes, piece, &out);
			if (step != rows[i].step || strcmp(buf_cstr(&out), rows[i].out) != 0)
				fail_msg("%s, in pieces of %zu: %s", rows[i].name, piece,
				    buf_cstr(&out));
		}
	}
	buf_fini(&out);
}

static void
nothing_of_an_envelope_is_refused_for_ever(void **state)
{
	static const char *const verbs[] = {
	    "MAIL FROM:<", "RCPT TO:<", "DATA", "BDAT ", "STARTTLS"};
	struct buf bytes = BUF_INIT, out = BUF_INIT;
	struct sink sink;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		for (size_t len = 0; len < 40000; len += 9999) {
			buf_clear(&bytes);
			buf_clear(&out);
			buf_add_text(&bytes, verbs[i]);
			for (size_t k = 0; k < len; k++)
				buf_add_byte(&bytes, 'a');
			buf_add_text(&bytes, ">\r\nNOOP\r\n");
			sink_init(&sink);
			assert_int_equal(feed(&sink, next, NULL, buf_str(&bytes), 4096, &out),
			    STEP_WAIT);
			/* One reply to it, not 5xx but where the verb is none; then the NOOP's. */
			assert_non_null(strstr(buf_cstr(&out), "\r\n250 2.0.0 Here\r\n"));
			if (buf_cstr(&out)[0] == '5' && verbs[i][strlen(verbs[i]) - 1] != 'A' &&
			    verbs[i][strlen(verbs[i]) - 1] != 'S')
				fail_msg("%s and %zu bytes: %s", verbs[i], len, buf_cstr(&out));
		}
	}
	buf_fini(&bytes);
	buf_fini(&out);
}

static void
a_message_that_nobody_wanted_ends_it(void **state)
{
	struct buf bytes = BUF_INIT, out = BUF_INIT;
	struct sink sink;

	for (int i = 0; i < 100; i++)
		buf_add_text(&bytes, "Received: from somewhere\r\n");
	sink_init(&sink);
	assert_int_equal(feed(&sink, next, NULL, buf_str(&bytes), 11, &out), STEP_END);
	assert_non_null(strstr(buf_cstr(&out), "421 4.7.0 Too many mistakes\r\n"));
	buf_fini(&bytes);
	buf_fini(&out);
}

static void
a_reply_of_421_closes(void **state)
{
	struct buf out = BUF_INIT;
	struct sink sink;

	sink_init(&sink);
	assert_int_equal(feed(&sink, next_of_421, NULL, STR("RCPT TO:<a@b>\r\nNOOP\r\n"), 100,
			     &out),
	    STEP_END);
	assert_string_equal(buf_cstr(&out), "421 4.3.2 Closed\r\n");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dialogues_go_as_they_should_however_they_are_cut),
	    cmocka_unit_test(nothing_of_an_envelope_is_refused_for_ever),
	    cmocka_unit_test(a_message_that_nobody_wanted_ends_it),
	    cmocka_unit_test(a_reply_of_421_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
