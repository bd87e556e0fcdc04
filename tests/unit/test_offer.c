/*
 * test_offer.c - what a server announces, and what several announce together
 */
#include "front/offer.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

/* "IDLE;SIZE=100;SASL=PLAIN LOGIN": words with, perhaps, a value behind the first '='. */
static struct offer *
offer_from(const char *text)
{
	struct offer *offer = offer_new();
	struct str rest = str_of(text);

	while (rest.len > 0) {
		size_t end = str_find(rest, ';');
		struct str item = str_make(rest.ptr, end);
		size_t equals = str_find(item, '=');
		struct str value =
		    equals < item.len ? str_from(item, equals + 1) : str_make(item.ptr, 0);

		assert_true(offer_add(offer, str_make(item.ptr, equals), value));
		rest = str_from(rest, end < rest.len ? end + 1 : end);
	}
	return offer;
}

static const char *
offer_text(const struct offer *offer, struct buf *out)
{
	struct str word, value;

	buf_clear(out);
	for (size_t i = 0; i < offer_count(offer); i++) {
		offer_at(offer, i, &word, &value);
		buf_addf(out, "%s%.*s", i > 0 ? ";" : "", STR_FMT(word));
		if (value.len > 0)
			buf_addf(out, "=%.*s", STR_FMT(value));
	}
	return buf_cstr(out);
}

static void
words_are_kept_in_their_order_and_compared_without_case(void **state)
{
	struct offer *offer = offer_from("IDLE;Size=100;UIDPLUS;size=200;idle");
	struct buf out = BUF_INIT;
	struct str value;

	assert_string_equal(offer_text(offer, &out), "idle;size=200;UIDPLUS");
	assert_true(offer_has(offer, "UidPlus"));
	assert_false(offer_has(offer, "UID"));
	assert_false(offer_has(offer, "UIDPLUS2"));
	assert_true(offer_value(offer, "SIZE", &value));
	assert_true(str_is(value, "200"));
	assert_true(offer_value(offer, "IDLE", &value));
	assert_int_equal(value.len, 0);
	assert_false(offer_value(offer, "NONE", &value));

	offer_remove(offer, "SIZE");
	offer_remove(offer, "NONE");
	assert_string_equal(offer_text(offer, &out), "idle;UIDPLUS");
	offer_remove(offer, "UIDPLUS");
	offer_remove(offer, "IDLE");
	assert_int_equal(offer_count(offer), 0);
	buf_fini(&out);
	offer_free(&offer);
	assert_null(offer);
	offer_free(&offer);
}

static void
what_has_changed_is_noticed(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_same;
	} rows[] = {
	    {"", "", true},
	    {"IDLE;SIZE=100", "IDLE;SIZE=100", true},
	    {"IDLE;SIZE=100", "IDLE;SIZE=200", false},
	    {"IDLE;SIZE=100", "IDLE", false},
	    {"IDLE", "IDLE;UIDPLUS", false},
	    {"IDLE;MOVE", "MOVE;IDLE", false}, /* clients see the order */
	    {"IDLE", "Idle", false},
	    {"AB=C", "A=BC", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct offer *a = offer_from(rows[i].a), *b = offer_from(rows[i].b);

		if (offer_is_same(a, b) != rows[i].is_same ||
		    offer_is_same(b, a) != rows[i].is_same)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
		offer_free(&a);
		offer_free(&b);
	}
}

static void
what_both_say_is_offered(void **state)
{
	static const struct {
		const char *name, *a, *b, *common;
	} rows[] = {
	    {"nothing", "", "IDLE", ""},
	    {"the same words", "IDLE;MOVE", "MOVE;IDLE", "IDLE;MOVE"},
	    {"without case", "8bitmime", "8BITMIME", "8bitmime"},
	    {"only one has it", "IDLE;COMPRESS;MOVE", "IDLE;MOVE;QRESYNC", "IDLE;MOVE"},
	    {"equal values", "VERSION=1.0", "VERSION=1.0", "VERSION=1.0"},
	    {"different values", "EXPIRE=NEVER;X", "EXPIRE=30;X", "X"},
	    {"a value and none", "MAXREDIRECTS=5;X", "MAXREDIRECTS;X", "X"},
	    {"values are compared with case", "LANGUAGE=en", "LANGUAGE=EN", ""},
	    {"SIZE: the smaller", "SIZE=52428800", "SIZE=10240000", "SIZE=10240000"},
	    {"SIZE: the smaller, other way round", "SIZE=9", "SIZE=10", "SIZE=9"},
	    {"SIZE: 0 is no limit", "SIZE=0", "SIZE=100", "SIZE=100"},
	    {"SIZE: 0 is no limit, other way round", "SIZE=100", "SIZE=0", "SIZE=100"},
	    {"SIZE: none is no limit", "size", "SIZE=100", "size=100"},
	    {"SIZE: both without", "SIZE", "SIZE", "SIZE"},
	    {"SIZE: no limit in two ways", "SIZE", "SIZE=0", "SIZE=0"},
	    {"SIZE: not a number", "SIZE=1e9;X", "SIZE=100;X", "X"},
	    {"SIZE: more than a number", "SIZE=99999999999999999999;X", "SIZE=100;X", "X"},
	    {"SIEVE: words of both", "SIEVE=fileinto vacation body", "SIEVE=body  FILEINTO ",
		"SIEVE=fileinto body"},
	    {"SASL: words of both", "SASL=PLAIN LOGIN", "sasl=PLAIN OAUTHBEARER", "SASL=PLAIN"},
	    {"SASL: none in common", "SASL=PLAIN", "SASL=LOGIN", "SASL"},
	    {"SASL: no part of a word", "SASL=PLAIN", "SASL=PLAINER", "SASL"},
	    {"NOTIFY", "NOTIFY=mailto xmpp", "NOTIFY=xmpp", "NOTIFY=xmpp"},
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct offer *a = offer_from(rows[i].a), *b = offer_from(rows[i].b);
		struct offer *common = offer_common(a, b);

		if (strcmp(offer_text(common, &out), rows[i].common) != 0)
			fail_msg("%s: \"%s\"", rows[i].name, buf_cstr(&out));
		offer_free(&a);
		offer_free(&b);
		offer_free(&common);
	}
	buf_fini(&out);
}

static void
D1_more_words_than_are_sane_are_not_taken(void **state)
{
	struct offer *offer = offer_new();
	char word[16];

	for (int i = 0; i < OFFER_WORDS_MOST; i++) {
		snprintf(word, sizeof(word), "W%d", i);
		assert_true(offer_add(offer, str_of(word), STR("")));
	}
	assert_false(offer_add(offer, STR("ONE-MORE"), STR("")));
	assert_false(offer_has(offer, "ONE-MORE"));
	assert_true(offer_add(offer, STR("w7"), STR("known already")));
	offer_remove(offer, "W0");
	assert_true(offer_add(offer, STR("ONE-MORE"), STR("")));
	assert_int_equal(offer_count(offer), OFFER_WORDS_MOST);
	offer_free(&offer);
}

static void
D1_longer_words_than_are_sane_are_not_taken(void **state)
{
	struct offer *offer = offer_new();
	char *bytes = xcalloc(1, OFFER_BYTES_MOST + 1);
	struct str most = {bytes, OFFER_BYTES_MOST - 1};

	assert_false(offer_add(offer, str_make(bytes, OFFER_BYTES_MOST + 1), STR("")));
	assert_false(offer_add(offer, STR("A"), str_make(bytes, OFFER_BYTES_MOST)));
	assert_true(offer_add(offer, STR("A"), most));
	assert_false(offer_add(offer, STR("B"), STR("")));
	assert_true(offer_add(offer, STR("A"), most)); /* in its own place there is room */
	assert_true(offer_add(offer, STR("A"), STR("short")));
	assert_true(offer_add(offer, STR("B"), STR("")));
	offer_remove(offer, "A");
	assert_true(offer_add(offer, STR("C"), str_make(bytes, OFFER_BYTES_MOST - 2)));
	assert_false(offer_add(offer, STR("D"), STR("")));
	offer_free(&offer);
	free(bytes);
}

/* A limit that only b names, and a list in which a repeats itself: more than either had. */
static void
what_has_no_room_in_common_is_left_out(void **state)
{
	struct offer *a = offer_from("SIZE"), *b = offer_from("SIZE=123;SASL=x"), *common;
	struct buf list = BUF_INIT, out = BUF_INIT;

	buf_add_text(&list, "x");
	while (buf_len(&list) < OFFER_BYTES_MOST - 9)
		buf_add_text(&list, " x");
	assert_true(offer_add(a, STR("SASL"), buf_str(&list)));
	common = offer_common(a, b);
	assert_string_equal(offer_text(common, &out), "SIZE=123");
	offer_free(&common);
	common = offer_common(b, a);
	assert_string_equal(offer_text(common, &out), "SIZE=123;SASL=x");
	offer_free(&common);
	offer_free(&a);
	offer_free(&b);
	buf_fini(&list);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_are_kept_in_their_order_and_compared_without_case),
	    cmocka_unit_test(what_has_changed_is_noticed),
	    cmocka_unit_test(what_both_say_is_offered),
	    cmocka_unit_test(D1_more_words_than_are_sane_are_not_taken),
	    cmocka_unit_test(D1_longer_words_than_are_sane_are_not_taken),
	    cmocka_unit_test(what_has_no_room_in_common_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
