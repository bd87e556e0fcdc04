/*
 * test_speech.c - enough of four protocols to log in and out: what a line is
 */
#include "admin/speech.h"

#include "base/mem.h"

#include "unit.h"

static const struct {
	enum service_protocol protocol;
	const char *line;
	bool is_list;
	enum speech_line is;
} rows[] = {
    {SERVICE_IMAP, "* OK [CAPABILITY IMAP4rev1] ready", false, SPEECH_YES},
    {SERVICE_IMAP, "* PREAUTH hello", false, SPEECH_YES},
    {SERVICE_IMAP, "* BYE not now", false, SPEECH_NO},
    {SERVICE_IMAP, "* CAPABILITY IMAP4rev1", false, SPEECH_MORE},
    {SERVICE_IMAP, "x OK done", false, SPEECH_YES},
    {SERVICE_IMAP, "x NO [AUTHENTICATIONFAILED] no", false, SPEECH_NO},
    {SERVICE_IMAP, "x BAD what", false, SPEECH_NO},
    {SERVICE_IMAP, "+ ", false, SPEECH_GO_ON},
    {SERVICE_IMAP, "+", false, SPEECH_GO_ON},
    {SERVICE_IMAP, "220 mx ESMTP", false, SPEECH_NO},
    {SERVICE_IMAP, "", false, SPEECH_NO},
    {SERVICE_POP3, "+OK ready", false, SPEECH_YES},
    {SERVICE_POP3, "-ERR [AUTH] no", false, SPEECH_NO},
    {SERVICE_POP3, "+ ", false, SPEECH_GO_ON},
    {SERVICE_POP3, "+OK", true, SPEECH_MORE},
    {SERVICE_POP3, "SASL PLAIN", true, SPEECH_MORE},
    {SERVICE_POP3, ".", true, SPEECH_YES},
    {SERVICE_POP3, "-ERR no CAPA", true, SPEECH_NO},
    {SERVICE_POP3, "* OK ready", false, SPEECH_NO},
    {SERVICE_SUBMISSION, "220 mx ESMTP", false, SPEECH_YES},
    {SERVICE_SUBMISSION, "250-mx", false, SPEECH_MORE},
    {SERVICE_SUBMISSION, "250 SMTPUTF8", false, SPEECH_YES},
    {SERVICE_SUBMISSION, "250", false, SPEECH_YES},
    {SERVICE_SUBMISSION, "334 ", false, SPEECH_GO_ON},
    {SERVICE_SUBMISSION, "535 5.7.8 no", false, SPEECH_NO},
    {SERVICE_SUBMISSION, "421 4.3.2 away", false, SPEECH_NO},
    {SERVICE_SUBMISSION, "2", false, SPEECH_NO},
    {SERVICE_SUBMISSION, "", false, SPEECH_NO},
    {SERVICE_SIEVE, "\"IMPLEMENTATION\" \"OK\"", false, SPEECH_MORE},
    {SERVICE_SIEVE, "OK \"ready\"", false, SPEECH_YES},
    {SERVICE_SIEVE, "NO \"Authentication failed.\"", false, SPEECH_NO},
    {SERVICE_SIEVE, "BYE \"away\"", false, SPEECH_NO},
};

static void
test_what_a_line_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (speech_line(rows[i].protocol, str_of(rows[i].line), rows[i].is_list) !=
		    rows[i].is)
			fail_msg("%s: \"%s\"", speech_names[rows[i].protocol], rows[i].line);
}

static const struct {
	const char *words, *word;
	bool has;
} announced[] = {
    {"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR ", "AUTH=PLAIN", true},
    {"* OK [CAPABILITY STARTTLS] ready ", "starttls", true},
    {"* CAPABILITY AUTH=PLAIN-2 ", "AUTH=PLAIN", false},
    {"* CAPABILITY AUTH=XPLAIN ", "AUTH=PLAIN", false},
    {"250-AUTH PLAIN LOGIN 250 SMTPUTF8 ", "PLAIN", true},
    {"250-XCLIENT NAME ADDR 250 DSN ", "XCLIENT", true},
    {"\"SASL\" \"PLAIN LOGIN\" \"XCLIENT\" ", "XCLIENT", true},
    {"\"SASL\" \"PLAIN\" OK ", "PLAIN", true},
    {"+OK [XCLIENT] ready ", "XCLIENT", true},
    {"+OK SASL SCRAM-SHA-1 . ", "PLAIN", false},
    {"", "PLAIN", false},
};

static void
test_what_was_announced(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(announced); i++) {
		struct speech speech = {0};

		buf_add_text(&speech.words, announced[i].words);
		if (speech_has(&speech, announced[i].word) != announced[i].has)
			fail_msg("%s in %s", announced[i].word, announced[i].words);
		speech_fini(&speech);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_a_line_is),
	    cmocka_unit_test(test_what_was_announced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
