/*
 * test_trace.c - the header by which a message is recognised
 */
#include "milter/trace.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include "trace_case.h"

#define ANN "ann@example.org"
#define BOB "bob+list@example.net"

static const char *const ann_and_bob[] = {ANN, BOB, NULL};

struct house {
	struct trace_keys *keys;
	struct buf value; /* as it is written, folded */
	struct buf plain; /* the same without what means nothing */
};

static void
squeeze(struct str value, struct buf *out)
{
	buf_clear(out);
	for (size_t i = 0; i < value.len; i++)
		if (strchr(" \t\r\n", value.ptr[i]) == NULL)
			buf_add_byte(out, value.ptr[i]);
}

static int
open_house(void **state)
{
	struct house *house = xnew(struct house);
	struct trace trace;

	house->keys = case_keys(FILE_BOTH);
	case_trace(&trace, trace_keys_first(house->keys), "mx1.example.org", 1763730000, 'n',
	    ann_and_bob);
	trace_write(&trace, &house->value);
	squeeze(buf_str(&house->value), &house->plain);
	*state = house;
	return 0;
}

static int
close_house(void **state)
{
	struct house *house = *state;

	trace_keys_free(&house->keys);
	buf_fini(&house->value);
	buf_fini(&house->plain);
	free(house);
	return 0;
}

static enum trace_kind
read_with(const char *file, struct str value)
{
	struct trace_keys *keys = case_keys(file);
	struct trace trace;
	enum trace_kind kind = trace_read(&trace, value, keys);

	trace_keys_free(&keys);
	return kind;
}

static void
what_was_written_is_read(void **state)
{
	struct house *house = *state;
	struct trace trace;

	assert_int_equal(trace_read(&trace, buf_str(&house->value), house->keys), TRACE_GOOD);
	assert_string_equal(trace.instance, "mx1.example.org");
	assert_int_equal(trace.epoch, 4711);
	assert_int_equal(trace.time_s, 1763730000);
	assert_string_equal(trace.key->id, "2026b");
	assert_true(trace_claims(&trace, STR(ANN)) && trace_claims(&trace, STR(BOB)));
	assert_false(trace_claims(&trace, STR("bob@example.net")));
	assert_false(trace_claims(&trace, STR("eve@example.org")));
}

static void
no_recipient_stands_in_it(void **state)
{
	struct house *house = *state;
	static const char *const parts[] = {"ann", "bob", "example.net", "@"};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		assert_null(strstr(buf_cstr(&house->plain), parts[i]));
}

static void
all_have_the_same_length_whoever_gets_the_message(void **state)
{
	struct house *house = *state;
	static const char *const nobody[] = {NULL};
	const char *many[501];
	char names[500][32];
	struct buf out = BUF_INIT;
	struct trace trace;

	for (size_t i = 0; i < 500; i++) {
		snprintf(names[i], sizeof(names[i]), "user%zu@example.org", i);
		many[i] = names[i];
	}
	many[500] = NULL;
	for (int i = 0; i < 2; i++) {
		buf_clear(&out);
		case_trace(&trace, trace_keys_first(house->keys), "mx1.example.org", 1763730000,
		    'n', i == 0 ? nobody : many);
		trace_write(&trace, &out);
		assert_int_equal(buf_len(&out), buf_len(&house->value));
		assert_int_equal(trace_read(&trace, buf_str(&out), house->keys), TRACE_GOOD);
		assert_int_equal(trace.bloom.is_saturated, i == 1);
		assert_false(trace_claims(&trace, STR("user1@example.org")));
	}
	buf_fini(&out);
}

static void
lines_are_short_and_folded_as_milters_fold(void **state)
{
	struct house *house = *state;
	const char *line = buf_cstr(&house->value), *end;
	size_t before = strlen(TRACE_HEADER ": ");

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1, before = 7) {
		assert_in_range(before + (size_t)(end - line), 1, TRACE_LINE_MOST);
		assert_int_equal(end[1], '\t');
	}
	assert_in_range(before + strlen(line), 1, TRACE_LINE_MOST);
}

static void
a_header_cut_anywhere_says_nothing(void **state)
{
	struct house *house = *state;
	struct str whole = buf_str(&house->plain);
	struct trace trace;

	for (size_t len = 0; len < whole.len; len++) {
		if (trace_read(&trace, str_make(whole.ptr, len), house->keys) == TRACE_GOOD)
			fail_msg("the first %zu bytes", len);
		if (trace_read(&trace, str_from(whole, len + 1), house->keys) == TRACE_GOOD)
			fail_msg("all but the first %zu bytes", len + 1);
	}
}

static void
a_header_folded_anywhere_is_the_same(void **state)
{
	static const char *const folds[] = {"\n\t", "\r\n ", " ", "\r\n\t\t \n "};
	struct house *house = *state;
	struct str whole = buf_str(&house->plain);
	struct buf text = BUF_INIT;
	struct trace trace;

	for (size_t at = 0; at <= whole.len; at++) {
		for (size_t i = 0; i < ARRAY_LEN(folds); i++) {
			buf_clear(&text);
			buf_add(&text, whole.ptr, at);
			buf_add_text(&text, folds[i]);
			buf_add_str(&text, str_from(whole, at));
			assert_int_equal(trace_read(&trace, buf_str(&text), house->keys),
			    TRACE_GOOD);
		}
	}
	buf_fini(&text);
}

/* Every bit of every byte counts: no two headers mean the same but for their folding. */
static void
a_header_with_any_bit_changed_is_not_ours(void **state)
{
	struct house *house = *state;
	size_t len = buf_len(&house->plain);
	char *bytes = xstrndup(buf_str(&house->plain).ptr, len);
	unsigned forged = 0;
	struct trace trace;

	for (size_t i = 0; i < len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			enum trace_kind kind;

			bytes[i] ^= (char)(1 << bit);
			kind = trace_read(&trace, str_make(bytes, len), house->keys);
			if (kind == TRACE_GOOD)
				fail_msg("byte %zu, bit %d: %c", i, bit, bytes[i]);
			forged += kind == TRACE_FORGED;
			bytes[i] ^= (char)(1 << bit);
		}
	}
	assert_int_equal(trace_read(&trace, str_make(bytes, len), house->keys), TRACE_GOOD);
	assert_in_range(forged, 100, 8 * len); /* the HMAC was asked, not only the form */
	free(bytes);
}

static void
each_key_of_the_file_is_believed(void **state)
{
	struct house *house = *state;
	struct buf out = BUF_INIT;
	struct trace trace;

	case_trace(&trace, trace_keys_find(house->keys, STR("2026a")), "mx2", 1, 'm', ann_and_bob);
	trace_write(&trace, &out);
	assert_int_equal(read_with(FILE_BOTH, buf_str(&out)), TRACE_GOOD);
	assert_int_equal(read_with(FILE_FORMER, buf_str(&out)), TRACE_GOOD);
	assert_int_equal(read_with(FILE_STRANGER, buf_str(&out)), TRACE_FOREIGN);
	buf_fini(&out);
}

static void
a_key_that_is_gone_or_another_is_none(void **state)
{
	struct house *house = *state;

	assert_int_equal(read_with(FILE_FORMER, buf_str(&house->value)), TRACE_FOREIGN);
	assert_int_equal(read_with(FILE_STRANGER, buf_str(&house->value)), TRACE_FORGED);
}

/* A good header in which something is put in the place of something else. */
static const struct {
	const char *what, *from, *to;
	enum trace_kind kind;
} rows[] = {
    {"another instance", "i=mx1.", "i=mx2.", TRACE_FORGED},
    {"an epoch more", "e=4711", "e=4712", TRACE_FORGED},
    {"a second later", "t=1763730000", "t=1763730001", TRACE_FORGED},
    {"the other key", "k=2026b", "k=2026a", TRACE_FORGED},
    {"a key of nobody", "k=2026b", "k=2027", TRACE_FOREIGN},
    {"no key", "k=2026b", "k=", TRACE_FOREIGN},
    {"another version", "v=1", "v=2", TRACE_MALFORMED},
    {"zeros before", "e=4711", "e=04711", TRACE_MALFORMED},
    {"a sign", "e=4711", "e=-4711", TRACE_MALFORMED},
    {"the largest number", "e=4711", "e=18446744073709551615", TRACE_FORGED},
    {"one more", "e=4711", "e=18446744073709551616", TRACE_MALFORMED},
    {"no number", "e=4711", "e=", TRACE_MALFORMED},
    {"no instance", "i=mx1.example.org", "i=", TRACE_MALFORMED},
    {"an instance in capitals", "i=mx1", "i=MX1", TRACE_MALFORMED},
    {"an instance with a quote", "i=mx1", "i=\"x", TRACE_MALFORMED},
    {"a field too many", ";e=", ";x=1;e=", TRACE_MALFORMED},
    {"a field twice", ";e=", ";e=4711;e=", TRACE_MALFORMED},
    {"a field missing", "e=4711;", "", TRACE_MALFORMED},
    {"another order", "v=1;k=2026b", "k=2026b;v=1", TRACE_MALFORMED},
    {"capital names", "v=1", "V=1", TRACE_MALFORMED},
    {"padding", ";f=", "=;f=", TRACE_MALFORMED},
    {"a comment", "v=1", "(v=1)v=1", TRACE_MALFORMED},
    {"nothing before", "v=1;", ";v=1;", TRACE_MALFORMED},
};

static void
what_differs_in_form_or_content_is_told_apart(void **state)
{
	struct house *house = *state;
	const char *good = buf_cstr(&house->plain);
	struct buf text = BUF_INIT;
	struct trace trace;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *at = strstr(good, rows[i].from);
		enum trace_kind kind;

		assert_non_null(at);
		buf_clear(&text);
		buf_add(&text, good, (size_t)(at - good));
		buf_add_text(&text, rows[i].to);
		buf_add_text(&text, at + strlen(rows[i].from));
		kind = trace_read(&trace, buf_str(&text), house->keys);
		if (kind != rows[i].kind)
			fail_msg("%s: %s", rows[i].what, trace_kind_name(kind));
	}
	buf_fini(&text);
}

static void
bytes_behind_the_end_make_it_another(void **state)
{
	static const struct str tails[] = {
	    STR(";"), STR("="), STR("A"), STR("\0"), STR(";x=1"), STR("\v")};
	struct house *house = *state;
	struct buf text = BUF_INIT;
	struct trace trace;

	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		buf_clear(&text);
		buf_add_str(&text, buf_str(&house->plain));
		buf_add_str(&text, tails[i]);
		assert_int_equal(trace_read(&trace, buf_str(&text), house->keys), TRACE_MALFORMED);
	}
	buf_fini(&text);
}

static void
test_B2_oversized_values_are_bounded(void **state)
{
	static const struct {
		char with;
		size_t bytes;
		enum trace_kind kind;
	} sizes[] = {
	    {' ', 100, TRACE_GOOD},
	    {' ', TRACE_FOLDED_MOST, TRACE_MALFORMED},
	    {' ', 65536, TRACE_MALFORMED},
	    {'A', TRACE_VALUE_MOST, TRACE_MALFORMED},
	    {'A', 65536, TRACE_MALFORMED},
	    {'\0', 65536, TRACE_MALFORMED},
	};
	struct house *house = *state;
	struct buf text = BUF_INIT;
	struct trace trace;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		buf_clear(&text);
		buf_add_str(&text, buf_str(&house->plain));
		for (size_t k = 0; k < sizes[i].bytes; k++)
			buf_add_byte(&text, sizes[i].with);
		assert_int_equal(trace_read(&trace, buf_str(&text), house->keys), sizes[i].kind);
	}
	buf_fini(&text);
}

static void
an_instance_is_a_host_name_that_fits(void **state)
{
	static const unsigned char nonce[TRACE_NONCE_BYTES];
	struct house *house = *state;
	const struct trace_key *key = trace_keys_first(house->keys);
	char longest[TRACE_INSTANCE_MOST + 1];
	struct buf out = BUF_INIT;
	struct trace trace;

	memset(longest, 'x', sizeof(longest));
	assert_false(trace_begin(&trace, STR(""), key, 0, 0, nonce));
	assert_false(trace_begin(&trace, STR("a;b"), key, 0, 0, nonce));
	assert_false(trace_begin(&trace, STR("a\nb"), key, 0, 0, nonce));
	assert_false(trace_begin(&trace, str_make(longest, sizeof(longest)), key, 0, 0, nonce));
	assert_true(trace_begin(&trace, str_make(longest, TRACE_INSTANCE_MOST), key, UINT64_MAX,
	    UINT64_MAX, nonce));
	trace_write(&trace, &out);
	assert_int_equal(trace_read(&trace, buf_str(&out), house->keys), TRACE_GOOD);
	assert_true(trace.time_s == UINT64_MAX && trace.epoch == UINT64_MAX);
	buf_fini(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_was_written_is_read),
	    TEST(no_recipient_stands_in_it),
	    TEST(all_have_the_same_length_whoever_gets_the_message),
	    TEST(lines_are_short_and_folded_as_milters_fold),
	    TEST(a_header_cut_anywhere_says_nothing),
	    TEST(a_header_folded_anywhere_is_the_same),
	    TEST(a_header_with_any_bit_changed_is_not_ours),
	    TEST(each_key_of_the_file_is_believed),
	    TEST(a_key_that_is_gone_or_another_is_none),
	    TEST(what_differs_in_form_or_content_is_told_apart),
	    TEST(bytes_behind_the_end_make_it_another),
	    TEST(test_B2_oversized_values_are_bounded),
	    TEST(an_instance_is_a_host_name_that_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
