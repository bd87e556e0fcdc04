/*
 * test_sentinel_words.c - what a sentinel says of a master
 */
#include "map/sentinel_words.h"

#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

static const struct {
	const char *title, *bytes;
	const char *is; /* the address; NULL: refused ... */
	const char *says; /* ... with this in the sentence */
} answers[] = {
    {"an address", "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n", "inet:127.0.0.1:6379", NULL},
    {"IPv6", "*2\r\n$11\r\n2001:db8::1\r\n$4\r\n6379\r\n", "inet:[2001:db8::1]:6379", NULL},
    {"a host name", "*2\r\n$11\r\nr1.internal\r\n$5\r\n65535\r\n", "inet:r1.internal:65535", NULL},
    {"an unknown master", "*-1\r\n", NULL, "does not know it"},
    {"an unknown master, of old", "-IDONTKNOW No such master with that name\r\n", NULL,
	"refused: \"IDONTKNOW No such"},
    {"a nil string", "$-1\r\n", NULL, "does not know it"},
    {"no rights", "-NOPERM this user has no permissions\r\n", NULL, "refused: \"NOPERM"},
    {"OK", "+OK\r\n", NULL, "no address"},
    {"a number", ":6379\r\n", NULL, "no address"},
    {"a string", "$9\r\n127.0.0.1\r\n", NULL, "no address"},
    {"nothing", "*0\r\n", NULL, "no address"},
    {"no port", "*1\r\n$9\r\n127.0.0.1\r\n", NULL, "no address"},
    {"too much", "*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n2\r\n", NULL, "no address"},
    {"a port that is no string", "*2\r\n$9\r\n127.0.0.1\r\n:6379\r\n", NULL, "no address"},
    {"a nil in it", "*2\r\n$-1\r\n$4\r\n6379\r\n", NULL, "no address"},
    {"port 0", "*2\r\n$9\r\n127.0.0.1\r\n$1\r\n0\r\n", NULL, "names 127.0.0.1 and 0: a port is"},
    {"an empty host", "*2\r\n$0\r\n\r\n$4\r\n6379\r\n", NULL, "no host name or address"},
    {"an empty port", "*2\r\n$1\r\na\r\n$0\r\n\r\n", NULL, "a port is"},
    {"a host with a space", "*2\r\n$3\r\na b\r\n$4\r\n6379\r\n", NULL,
	"names \"a b\" and 6379: no host name or address"},
    {"a host with a NUL", "*2\r\n$3\r\na\0b\r\n$4\r\n6379\r\n", NULL, NULL},
    {"a socket", "*2\r\n$5\r\n/sock\r\n$4\r\n6379\r\n", NULL, "no host name or address"},
    {"a zone", "*2\r\n$9\r\nfe80::1%2\r\n$4\r\n6379\r\n", NULL, "no host name or address"},
    {"brackets", "*2\r\n$5\r\n[::1]\r\n$4\r\n6379\r\n", NULL, "no host name or address"},
};

static void
an_answer_is_an_address_or_a_sentence(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct resp_reader *reader = resp_reader_new();
		struct resp *reply;
		struct endpoint address;
		struct fault fault = {0};
		int rc;

		if (answers[i].says == NULL && answers[i].is == NULL)
			resp_feed(reader, STR("*2\r\n$3\r\na\0b\r\n$4\r\n6379\r\n"));
		else
			resp_feed(reader, str_of(answers[i].bytes));
		assert_int_equal(resp_next(reader, &reply, &fault), 1);
		rc = sentinel_read_answer(reply, &address, &fault);
		if (rc != (answers[i].is != NULL ? 0 : -1))
			fail_msg("%s: %d %s", answers[i].title, rc, fault.text);
		if (rc == 0)
			assert_string_equal(endpoint_name(&address), answers[i].is);
		else if (strstr(fault.text, answers[i].says ? answers[i].says : "no host") == NULL)
			fail_msg("%s: %s", answers[i].title, fault.text);
		resp_free(&reply);
		resp_reader_free(&reader);
	}
}

static void
a_host_name_has_a_limit(void **state)
{
	struct endpoint address;
	struct fault fault;
	char host[300];

	memset(host, 'a', sizeof(host));
	for (size_t len = 250; len < 260; len++)
		assert_int_equal(endpoint_from(str_make(host, len), STR("1"), &address, &fault),
		    len <= 255 ? 0 : -1);
}

static const struct {
	const char *title, *message;
	const char *is; /* NULL: not for us, or not understood */
} switches[] = {
    {"ours", "splitmx 127.0.0.1 6379 127.0.0.1 6380", "inet:127.0.0.1:6380"},
    {"IPv6", "splitmx ::1 6379 2001:db8::2 6380", "inet:[2001:db8::2]:6380"},
    {"host names", "splitmx r1 6379 r2.internal 6380", "inet:r2.internal:6380"},
    {"where it was is not looked at", "splitmx ? x r2 6380", "inet:r2:6380"},
    {"another master", "other 127.0.0.1 6379 127.0.0.1 6380", NULL},
    {"a longer name", "splitmx2 127.0.0.1 6379 127.0.0.1 6380", NULL},
    {"a shorter name", "split 127.0.0.1 6379 127.0.0.1 6380", NULL},
    {"four words", "splitmx 127.0.0.1 6379 127.0.0.1", NULL},
    {"six words", "splitmx 127.0.0.1 6379 127.0.0.1 6380 1", NULL},
    {"a space at the end", "splitmx 127.0.0.1 6379 127.0.0.1 6380 ", NULL},
    {"two spaces", "splitmx  127.0.0.1 6379 127.0.0.1 6380", NULL},
    {"no port", "splitmx 127.0.0.1 6379 127.0.0.1 x", NULL},
    {"no host", "splitmx 127.0.0.1 6379 -h 6380", NULL},
    {"the name alone", "splitmx", NULL},
    {"nothing", "", NULL},
};

static void
a_switch_is_ours_and_whole_or_nothing(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
		struct endpoint address;
		bool is_ours =
		    sentinel_read_switch(str_of(switches[i].message), "splitmx", &address);

		if (is_ours != (switches[i].is != NULL))
			fail_msg("%s: %d", switches[i].title, is_ours);
		if (is_ours)
			assert_string_equal(endpoint_name(&address), switches[i].is);
	}
}

static void
a_switch_may_be_cut_anywhere(void **state)
{
	static const char message[] = "splitmx ::1 6379 r2 6380";

	for (size_t len = 0; len <= strlen(message); len++) {
		char *piece = xstrndup(message, len); /* so that a byte too far is found */
		struct endpoint address;

		piece = xrealloc(piece, len ? len : 1);
		assert_int_equal(sentinel_read_switch(str_make(piece, len), "splitmx", &address),
		    len > strlen("splitmx ::1 6379 r2 "));
		free(piece);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_is_an_address_or_a_sentence),
	    cmocka_unit_test(a_host_name_has_a_limit),
	    cmocka_unit_test(a_switch_is_ours_and_whole_or_nothing),
	    cmocka_unit_test(a_switch_may_be_cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
