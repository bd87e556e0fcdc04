/*
 * test_netstring.c - "5:hello,"
 */
#include "net/netstring.h"

#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

static const struct {
	const char *name;
	struct str bytes;
	int rc; /* of the last call, when all bytes are there */
	const char *spoken; /* all payloads, each followed by '|' */
} rows[] = {
    {"one", STR("5:hello,"), 0, "hello|"},
    {"an empty one", STR("0:,"), 0, "|"},
    {"two in one segment", STR("5:hello,3:you,"), 0, "hello|you|"},
    {"one and a half", STR("5:hello,3:yo"), 0, "hello|"},
    {"a comma inside", STR("3:a,b,"), 0, "a,b|"},
    {"a colon inside", STR("3:a:b,"), 0, "a:b|"},
    {"leading zeros", STR("005:hello,"), 0, "hello|"},
    {"twenty digits", STR("00000000000000000005:hello,"), 0, "hello|"},
    {"twenty-one digits", STR("000000000000000000005:hello,"), -1, ""},
    {"a missing comma", STR("5:hello3:you,"), -1, ""},
    {"a comma too late", STR("5:hello!,"), -1, ""},
    {"no length", STR(":hello,"), -1, ""},
    {"a sign", STR("+5:hello,"), -1, ""},
    {"a space", STR(" 5:hello,"), -1, ""},
    {"a line feed behind it", STR("5:hello,\n"), -1, "hello|"},
    {"hexadecimal", STR("0x5:hello,"), -1, ""},
    {"the length is cut", STR("5"), 0, ""},
    {"nothing", STR(""), 0, ""},
    {"a NUL as length", STR("\0:,"), -1, ""},
    {"the ceiling", STR("131072:"), 0, ""},
    {"above the ceiling", STR("131073:"), -1, ""},
    {"above the ceiling, no colon yet", STR("131073"), -1, ""},
};

/* Feed the bytes in two pieces, and say what was understood. */
static int
feed(struct str bytes, size_t cut, struct buf *spoken, struct fault *fault)
{
	struct buf in = BUF_INIT;
	struct str payload;
	int rc = 0;

	for (int piece = 0; piece < 2 && rc == 0; piece++) {
		if (piece == 0)
			buf_add(&in, bytes.ptr, cut);
		else
			buf_add_str(&in, str_from(bytes, cut));
		while ((rc = netstring_next(&in, 10, &payload, fault)) == 1) {
			buf_add_str(spoken, payload);
			buf_add_byte(spoken, '|');
		}
	}
	buf_fini(&in);
	return rc;
}

static void
A3_it_holds_however_it_is_cut(void **state)
{
	struct buf spoken = BUF_INIT;
	struct fault fault = {0};
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t cut = 0; cut <= rows[i].bytes.len; cut++) {
			buf_clear(&spoken);
			rc = feed(rows[i].bytes, cut, &spoken, &fault);
			if (rc != rows[i].rc)
				fail_msg("%s, cut at %zu: %d", rows[i].name, cut, rc);
			assert_string_equal(buf_cstr(&spoken), rows[i].spoken);
		}
	}
	buf_fini(&spoken);
}

static void
A3_one_byte_at_a_time(void **state)
{
	struct str bytes = STR("5:hello,0:,03:you,");
	struct buf in = BUF_INIT, spoken = BUF_INIT;
	struct str payload;
	struct fault fault;

	for (size_t i = 0; i < bytes.len; i++) {
		buf_add_byte(&in, bytes.ptr[i]);
		while (netstring_next(&in, 10, &payload, &fault) == 1) {
			buf_add_str(&spoken, payload);
			buf_add_byte(&spoken, '|');
		}
	}
	assert_string_equal(buf_cstr(&spoken), "hello||you|");
	buf_fini(&in);
	buf_fini(&spoken);
}

static void
A1_length_with_twenty_digits_is_refused_at_the_sixth(void **state)
{
	struct str bytes = STR("99999999999999999999:");
	struct buf in = BUF_INIT;
	struct str payload;
	struct fault fault = {0};

	for (size_t i = 0; i < 6; i++)
		buf_add_byte(&in, bytes.ptr[i]);
	assert_int_equal(netstring_next(&in, 10, &payload, &fault), -1);
	assert_int_equal(fault.verdict, VERDICT_PERM);
	assert_true(in.size <= 256);
	buf_fini(&in);
}

static void
A4_a_long_one_is_given_as_such_up_to_the_ceiling(void **state)
{
	static const size_t lens[] = {9999, 10000, 10001, 100000, NETSTRING_CEILING_BYTES};
	struct buf in, out = BUF_INIT;
	struct str payload;
	struct fault fault;
	char *key = malloc(NETSTRING_CEILING_BYTES);

	memset(key, 'k', NETSTRING_CEILING_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		buf_init(&in, NETSTRING_IN_BYTES);
		buf_clear(&out);
		netstring_add(&out, str_make(key, lens[i]));
		buf_add(&in, out.mem + out.start, buf_len(&out) - 1);
		assert_int_equal(netstring_next(&in, 10000, &payload, &fault), 0);
		buf_add_byte(&in, ',');
		assert_int_equal(netstring_next(&in, 10000, &payload, &fault),
		    lens[i] <= 10000 ? 1 : 2);
		assert_true(str_eq(payload, str_make(key, lens[i])));
		assert_int_equal(buf_len(&in), 0);
		assert_false(in.failed);
		buf_fini(&in);
	}
	buf_fini(&out);
	free(key);
}

static void
what_is_added_can_be_read(void **state)
{
	static const struct str payloads[] = {STR(""), STR("NOTFOUND "), STR("a\0b,:\n")};
	struct buf buf = BUF_INIT;
	struct str payload;
	struct fault fault;

	for (size_t i = 0; i < ARRAY_LEN(payloads); i++)
		netstring_add(&buf, payloads[i]);
	assert_true(str_starts(buf_str(&buf), "0:,9:NOTFOUND ,6:a"));
	for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
		assert_int_equal(netstring_next(&buf, 10, &payload, &fault), 1);
		assert_true(str_eq(payload, payloads[i]));
	}
	buf_fini(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(A3_it_holds_however_it_is_cut),
	    cmocka_unit_test(A3_one_byte_at_a_time),
	    cmocka_unit_test(A1_length_with_twenty_digits_is_refused_at_the_sixth),
	    cmocka_unit_test(A4_a_long_one_is_given_as_such_up_to_the_ceiling),
	    cmocka_unit_test(what_is_added_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
