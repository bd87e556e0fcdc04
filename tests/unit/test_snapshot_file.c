/*
 * test_snapshot_file.c - a snapshot and its tombstones as bytes
 */
#include "map/snapshot_file.h"

#include "base/mem.h"
#include "base/pack.h"
#include "map/tombs_file.h"

#include <sodium.h>
#include <stdlib.h>

#include "unit.h"

/* ---- snapshots */

static const struct snapshot_head head = {
    .map_id = {"11111111-2222", 13},
    .prefix = {"splitmx", 7},
    .boot_id = {"b00t", 4},
    .reading = {1, 2, 3},
    .series = {9, 8, 7},
    .number = 5,
    .epoch = 77,
    .end = {1ULL << 40, 600000, 12345},
};

static struct finding
found(const char *owner, enum hold hold, const char *account, const char *matched)
{
	return (struct finding){.verdict = VERDICT_FOUND,
	    .owner = str_of(owner),
	    .hold = hold,
	    .account = str_of(account),
	    .matched = str_of(matched)};
}

static void
write_all(struct buf *out)
{
	struct snapshot_writer *writer = snapshot_writer_new();
	struct finding ann = found("new", HOLD_NONE, "ann@x", "owner:ann@x");
	struct finding alias = found("old", HOLD_MAIL, "bob@x", "owner:@x");

	alias.is_unknown = true;
	snapshot_write_head(writer, &head, out);
	snapshot_write_finding(writer, STR("ann@x"), &ann, out);
	snapshot_write_domain(writer, STR("x"), true, out);
	snapshot_write_finding(writer, STR("b@y"), &alias, out);
	snapshot_write_domain(writer, STR("y"), false, out);
	snapshot_write_key(writer, STR("owner:ann@x"), MIRROR_STRING, STR("new"), out);
	snapshot_write_key(writer, STR("no name"), MIRROR_STRING, STR("new"), out);
	snapshot_write_key(writer, STR("owner:"), MIRROR_STRING, STR("new"), out);
	snapshot_write_key(writer, STR("hold:@x"), MIRROR_ODD, STR(""), out);
	snapshot_write_key(writer, STR("login:b@y"), MIRROR_UNKNOWN, STR(""), out);
	snapshot_write_trailer(writer, SNAPSHOT_FLAGS, out);
	snapshot_writer_free(&writer);
}

static void
what_was_written_is_read(void **state)
{
	struct buf bytes = BUF_INIT;
	struct snapshot_reader reader;
	struct snapshot_row row;
	struct fault fault;

	write_all(&bytes);
	assert_int_equal(snapshot_read(&reader, buf_str(&bytes), &fault), 0);
	assert_true(str_eq(reader.head.map_id, head.map_id));
	assert_true(str_eq(reader.head.prefix, head.prefix));
	assert_true(str_eq(reader.head.boot_id, head.boot_id));
	assert_memory_equal(reader.head.reading, head.reading, sizeof(head.reading));
	assert_memory_equal(reader.head.series, head.series, sizeof(head.series));
	assert_true(reader.head.number == 5 && reader.head.epoch == 77);
	assert_memory_equal(&reader.head.end, &head.end, sizeof(head.end));
	assert_true(reader.counts.findings == 2 && reader.counts.domains == 2);
	assert_int_equal(reader.counts.keys, 3); /* those that anybody asks for */
	assert_int_equal(reader.flags, SNAPSHOT_ALL_DOMAINS | SNAPSHOT_ALL_KEYS);

	assert_true(snapshot_next(&reader, &row));
	assert_true(row.kind == SNAPSHOT_FINDING && str_is(row.asked, "ann@x"));
	assert_true(str_is(row.finding.owner, "new") && str_is(row.finding.account, "ann@x"));
	assert_true(str_is(row.finding.matched, "owner:ann@x") && !row.finding.is_unknown);
	assert_true(row.finding.hold == HOLD_NONE && row.finding.epoch == 77);
	assert_true(snapshot_next(&reader, &row));
	assert_true(row.kind == SNAPSHOT_DOMAIN && str_is(row.domain, "x") && row.is_sure);
	assert_true(snapshot_next(&reader, &row));
	assert_true(row.kind == SNAPSHOT_FINDING && str_is(row.asked, "b@y"));
	assert_true(str_is(row.finding.account, "bob@x") && row.finding.hold == HOLD_MAIL);
	assert_true(row.finding.is_unknown && row.finding.verdict == VERDICT_FOUND);
	assert_true(snapshot_next(&reader, &row));
	assert_true(row.kind == SNAPSHOT_DOMAIN && str_is(row.domain, "y") && !row.is_sure);
	assert_true(snapshot_next(&reader, &row));
	assert_true(row.kind == SNAPSHOT_KEY && row.what == MIRROR_STRING);
	assert_true(str_is(row.key, "owner:ann@x") && str_is(row.value, "new"));
	assert_true(snapshot_next(&reader, &row));
	assert_true(row.kind == SNAPSHOT_KEY && row.what == MIRROR_ODD);
	assert_true(str_is(row.key, "hold:@x") && row.value.len == 0);
	assert_true(snapshot_next(&reader, &row));
	assert_true(row.kind == SNAPSHOT_KEY && row.what == MIRROR_UNKNOWN);
	assert_true(str_is(row.key, "login:b@y") && row.value.len == 0);
	assert_false(snapshot_next(&reader, &row));
	buf_fini(&bytes);
}

static int
read_copy(struct str bytes, size_t len)
{
	char *copy = xstrndup(bytes.ptr, len); /* exact, so that reading past it shows */
	struct snapshot_reader reader;
	struct fault fault;
	int rc = snapshot_read(&reader, str_make(copy, len), &fault);

	free(copy);
	return rc;
}

static void
test_A20_a_snapshot_cut_anywhere_or_longer_is_refused(void **state)
{
	struct buf bytes = BUF_INIT;

	write_all(&bytes);
	for (size_t len = 0; len < buf_len(&bytes); len++)
		assert_int_equal(read_copy(buf_str(&bytes), len), -1);
	assert_int_equal(read_copy(buf_str(&bytes), buf_len(&bytes)), 0);
	buf_add_byte(&bytes, 0);
	assert_int_equal(read_copy(buf_str(&bytes), buf_len(&bytes)), -1);
	buf_fini(&bytes);
}

static void
test_A20_a_snapshot_with_any_bit_flipped_is_refused(void **state)
{
	struct buf bytes = BUF_INIT;
	char *text;

	write_all(&bytes);
	text = bytes.mem + bytes.start;
	for (size_t bit = 0; bit < buf_len(&bytes) * 8; bit++) {
		text[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(read_copy(buf_str(&bytes), buf_len(&bytes)), -1);
		text[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_fini(&bytes);
}

/* The checksum is right here, as if a program with a fault had written it. */
static void
rows_that_say_nothing_sensible_are_refused(void **state)
{
	static const struct {
		const char *name, *rows;
		size_t len;
		int rc;
	} cases[] = {
#define ROWS(text) text, sizeof(text) - 1
#define NUMBER(n) n "\0\0\0\0\0\0\0"
#define COUNTS(f, d) "\0\0" NUMBER(f) NUMBER(d) NUMBER("\0")
#define KEYS(n) "\0\2" NUMBER("\0") NUMBER("\0") NUMBER(n)
	    {"none", ROWS(COUNTS("\0", "\0")), 0},
	    {"a domain", ROWS("\2\1\1x" COUNTS("\0", "\1")), 0},
	    {"a finding", ROWS("\1\0\0\3\0a@x\3new\0\0\7\0owner:x" COUNTS("\1", "\0")), 0},
	    {"no trailer", ROWS(""), -1},
	    {"half a trailer", ROWS("\0\0\0\0"), -1},
	    {"a row that is not counted", ROWS("\2\1\1x" COUNTS("\0", "\0")), -1},
	    {"a row counted as another", ROWS("\2\1\1x" COUNTS("\1", "\0")), -1},
	    {"something behind the trailer", ROWS(COUNTS("\0", "\0") "x"), -1},
	    {"an unknown row", ROWS("\11\1\1x" COUNTS("\0", "\1")), -1},
	    {"a domain without a name", ROWS("\2\1\0" COUNTS("\0", "\1")), -1},
	    {"a domain neither sure nor not", ROWS("\2\2\1x" COUNTS("\0", "\1")), -1},
	    {"a finding without a name", ROWS("\1\0\0\0\0\3new\0\0\0\0" COUNTS("\1", "\0")), -1},
	    {"without an owner", ROWS("\1\0\0\3\0a@x\0\0\0\0\0" COUNTS("\1", "\0")), -1},
	    {"an owner in two lines", ROWS("\1\0\0\3\0a@x\2n\n\0\0\0\0" COUNTS("\1", "\0")), -1},
	    {"an unknown hold", ROWS("\1\3\0\3\0a@x\3new\0\0\0\0" COUNTS("\1", "\0")), -1},
	    {"an unknown flag", ROWS("\1\0\2\3\0a@x\3new\0\0\0\0" COUNTS("\1", "\0")), -1},
	    {"a key", ROWS("\3\2\3\0o:a\3\0new" KEYS("\1")), 0},
	    {"a key of which nothing is known", ROWS("\3\0\3\0o:a" KEYS("\1")), 0},
	    {"a key that is no string", ROWS("\3\3\3\0o:a" KEYS("\1")), 0},
	    {"a key that is not counted", ROWS("\3\0\3\0o:a" KEYS("\0")), -1},
	    {"a key that is not there", ROWS("\3\1\3\0o:a" KEYS("\1")), -1},
	    {"a key of an unknown kind", ROWS("\3\4\3\0o:a" KEYS("\1")), -1},
	    {"a key without a name", ROWS("\3\0\2\0o:" KEYS("\1")), -1},
	    {"a key of nothing", ROWS("\3\0\0\0" KEYS("\1")), -1},
	    {"a key that is cut", ROWS("\3\2\3\0o:a\3\0n" KEYS("\1")), -1},
	    {"a key longer than any", ROWS("\3\0\377\377o:a" KEYS("\1")), -1},
	    {"a value longer than any", ROWS("\3\2\3\0o:a\377\377n" KEYS("\1")), -1},
	    {"a flag that nobody knows", ROWS("\0\4" NUMBER("\0") NUMBER("\0") NUMBER("\0")), -1},
	    {"a name longer than any", ROWS("\1\0\0\377\377a@x\3new\0\0\0\0" COUNTS("\1", "\0")),
		-1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct snapshot_writer *writer = snapshot_writer_new();
		struct buf bytes = BUF_INIT;
		unsigned char check[32];

		snapshot_write_head(writer, &head, &bytes);
		buf_add(&bytes, cases[i].rows, cases[i].len);
		crypto_generichash(check, sizeof(check), (const unsigned char *)buf_str(&bytes).ptr,
		    buf_len(&bytes), NULL, 0);
		buf_add(&bytes, check, sizeof(check));
		if (read_copy(buf_str(&bytes), buf_len(&bytes)) != cases[i].rc)
			fail_msg("%s", cases[i].name);
		snapshot_writer_free(&writer);
		buf_fini(&bytes);
	}
}

/* ---- tombstones */

static const struct tombs_head tombs_head = {.series = {9, 8, 7}, .base = 5};

static const struct tomb tombs[] = {
    {.kind = TOMB_NAME, .name = {"ann@x", 5}},
    {.kind = TOMB_END, .end = {1ULL << 41, 3, 4}},
    {.kind = TOMB_ROWS},
    {.kind = TOMB_NAME, .name = {"@y", 2}},
    {.kind = TOMB_DOMAINS},
};

static void
tombs_write_all(struct buf *out, size_t *ends_r)
{
	tombs_write_head(&tombs_head, out);
	ends_r[0] = buf_len(out);
	for (size_t i = 0; i < ARRAY_LEN(tombs); i++) {
		tombs_write(&tombs_head, tombs_head.base + 1 + i, &tombs[i], out);
		ends_r[i + 1] = buf_len(out);
	}
}

/* How many records there are, each right; -1 an unusable file. */
static int
tombs_count(struct str bytes, size_t len)
{
	char *copy = xstrndup(bytes.ptr, len);
	struct tombs_reader reader;
	struct tomb tomb;
	struct fault fault;
	int rc = tombs_read(&reader, str_make(copy, len), &fault), count = 0;

	while (rc == 0 && (rc = tombs_next(&reader, &tomb, &fault)) == 1) {
		const struct tomb *is = &tombs[count++];

		assert_true(tomb.kind == is->kind && str_eq(tomb.name, is->name));
		assert_memory_equal(&tomb.end, &is->end, sizeof(is->end));
		assert_int_equal(reader.number, tombs_head.base + (uint64_t)count);
		rc = 0;
	}
	free(copy);
	return rc == -1 ? -1 : count;
}

static void
test_A20_tombstones_cut_short_end_with_the_last_whole_one(void **state)
{
	size_t ends[ARRAY_LEN(tombs) + 1], whole = 0;
	struct buf bytes = BUF_INIT;

	tombs_write_all(&bytes, ends);
	for (size_t len = 0; len <= buf_len(&bytes); len++) {
		if (whole < ARRAY_LEN(tombs) && len == ends[whole + 1])
			whole++;
		assert_int_equal(tombs_count(buf_str(&bytes), len),
		    len < ends[0] ? -1 : (int)whole);
	}
	assert_int_equal(whole, ARRAY_LEN(tombs));
	buf_fini(&bytes);
}

static void
test_A20_tombstones_with_any_bit_flipped_are_refused(void **state)
{
	size_t ends[ARRAY_LEN(tombs) + 1];
	struct buf bytes = BUF_INIT;
	char *text;

	tombs_write_all(&bytes, ends);
	text = bytes.mem + bytes.start;
	for (size_t bit = 0; bit < buf_len(&bytes) * 8; bit++) {
		text[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(tombs_count(buf_str(&bytes), buf_len(&bytes)), -1);
		text[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_fini(&bytes);
}

static void
a_record_that_is_missing_or_of_another_series_is_noticed(void **state)
{
	static const struct tombs_head other = {.series = {9, 8, 6}, .base = 5};
	size_t ends[ARRAY_LEN(tombs) + 1];
	struct buf bytes = BUF_INIT, cut = BUF_INIT;
	struct str all;

	tombs_write_all(&bytes, ends);
	all = buf_str(&bytes);
	buf_add(&cut, all.ptr, ends[1]);
	buf_add_str(&cut, str_from(all, ends[2]));
	assert_int_equal(tombs_count(buf_str(&cut), buf_len(&cut)), -1);
	buf_clear(&cut);
	buf_add(&cut, all.ptr, ends[1]);
	tombs_write(&other, 7, &tombs[1], &cut);
	assert_int_equal(tombs_count(buf_str(&cut), buf_len(&cut)), -1);
	buf_fini(&bytes);
	buf_fini(&cut);
}

/* ---- numbers */

static void
numbers_have_their_width_and_their_low_byte_first(void **state)
{
	struct buf out = BUF_INIT;
	struct unpack in;

	pack_number(&out, 0x0102, 2);
	pack_number(&out, UINT64_MAX - 1, 8);
	pack_text(&out, STR("abc"), 1);
	assert_memory_equal(buf_str(&out).ptr, "\2\1\376\377\377\377\377\377\377\377\3abc", 14);
	in = (struct unpack){.rest = buf_str(&out)};
	assert_int_equal(unpack_number(&in, 2), 0x0102);
	assert_true(unpack_number(&in, 8) == UINT64_MAX - 1);
	assert_true(str_is(unpack_text(&in, 1, 3), "abc") && !in.failed);
	assert_int_equal(unpack_number(&in, 1), 0);
	assert_true(in.failed);
	in = (struct unpack){.rest = str_from(buf_str(&out), 10)};
	assert_int_equal(unpack_text(&in, 1, 2).len, 0); /* longer than it may be */
	assert_true(in.failed);
	assert_int_equal(unpack_bytes(&in, 0).len, 0);
	assert_true(in.failed);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_written_is_read),
	    cmocka_unit_test(test_A20_a_snapshot_cut_anywhere_or_longer_is_refused),
	    cmocka_unit_test(test_A20_a_snapshot_with_any_bit_flipped_is_refused),
	    cmocka_unit_test(rows_that_say_nothing_sensible_are_refused),
	    cmocka_unit_test(test_A20_tombstones_cut_short_end_with_the_last_whole_one),
	    cmocka_unit_test(test_A20_tombstones_with_any_bit_flipped_are_refused),
	    cmocka_unit_test(a_record_that_is_missing_or_of_another_series_is_noticed),
	    cmocka_unit_test(numbers_have_their_width_and_their_low_byte_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
