/*
 * test_head.c - the head of the map: what the hash "prefix.map" says
 */
#include "map/head.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static void
ids_are_random_uuids(void **state)
{
	char one[HEAD_ID_BYTES], two[HEAD_ID_BYTES];

	map_id_new(one);
	map_id_new(two);
	assert_int_equal(strlen(one), 36);
	assert_int_equal(one[14], '4');
	assert_non_null(strchr("89ab", one[19]));
	assert_string_not_equal(one, two);
}

/* A hash as Redis tells it, from "name=value;name=value". */
static struct resp *
hash_of(const char *pairs)
{
	struct resp_reader *reader = resp_reader_new();
	struct buf out = BUF_INIT;
	struct str argv[32], rest = str_of(pairs);
	struct resp *reply;
	struct fault fault;
	size_t argc = 0;

	while (rest.len > 0) {
		struct str pair = str_make(rest.ptr, str_find(rest, ';'));
		size_t equals = str_find(pair, '=');

		assert_true(argc + 2 <= ARRAY_LEN(argv));
		argv[argc++] = str_make(pair.ptr, equals);
		if (equals < pair.len)
			argv[argc++] = str_from(pair, equals + 1);
		rest = str_from(rest, pair.len < rest.len ? pair.len + 1 : pair.len);
	}
	resp_command(&out, argv, argc); /* an array of bulk strings, both ways */
	resp_feed(reader, buf_str(&out));
	assert_int_equal(resp_next(reader, &reply, &fault), 1);
	resp_reader_free(&reader);
	buf_fini(&out);
	return reply;
}

#define BASE "id=a;epoch=5;schema=1;lease_ms=1000"

static const struct {
	const char *name, *hash, *words; /* words NULL: taken */
	uint32_t lease_most_ms;
	unsigned members, all, most; /* as head_replicas_*() say */
} heads[] = {
    {"a head", BASE, NULL, 1000, 1, 0, 0},
    {"fields that we do not know", "x=y;" BASE, NULL, 1000, 1, 0, 0},
    {"three members", BASE ";members=3", NULL, 1000, 3, 2, 1},
    {"five members", BASE ";members=5", NULL, 1000, 5, 4, 2},
    {"by name", BASE ";members=10.0.0.1:6379 [::1]:6380 redis.example:1", NULL, 1000, 3, 2, 1},
    {"one is dead", BASE ";members=3;dead=10.0.0.1:6379", NULL, 1000, 3, 1, 1},
    {"all are dead", BASE ";members=1;dead=a:1 b:2", NULL, 1000, 1, 0, 0},
    {"nobody is dead", BASE ";members=3;dead=", NULL, 1000, 3, 2, 1},
    {"a longer lease may still run", BASE ";lease_most_ms=60000", NULL, 60000, 1, 0, 0},
    {"no longer one", BASE ";lease_most_ms=500", NULL, 1000, 1, 0, 0},
    {"a mark of the lease", BASE ";lease_epoch=4", NULL, 1000, 1, 0, 0},
    {"a mark below 0", BASE ";lease_epoch=-4", "lease_epoch", 0, 0, 0, 0},
    {"a change", BASE ";change=0123abcd", NULL, 1000, 1, 0, 0},
    {"none", "", "run splitmx init", 0, 0, 0, 0},
    {"half a field", "id", "not a hash", 0, 0, 0, 0},
    {"without a lease", "id=a;epoch=5;schema=1", "lease_ms", 0, 0, 0, 0},
    {"without an id", "epoch=5;schema=1;lease_ms=1000", "no usable id", 0, 0, 0, 0},
    {"with an id of two words", "id=a b;epoch=5;schema=1;lease_ms=1000", "no usable id", 0, 0, 0,
	0},
    {"with a lease of no time", "id=a;epoch=5;schema=1;lease_ms=0", "lease_ms", 0, 0, 0, 0},
    {"with an epoch below 0", "id=a;epoch=-1;schema=1;lease_ms=1000", "epoch", 0, 0, 0, 0},
    {"with an empty schema", "id=a;epoch=5;schema=;lease_ms=1000", "schema", 0, 0, 0, 0},
    {"two members", BASE ";members=2", "members", 0, 0, 0, 0},
    {"no members", BASE ";members=0", "members", 0, 0, 0, 0},
    {"members that are one", BASE ";members=a:1 a:1 b:1", "members", 0, 0, 0, 0},
    {"a member without port", BASE ";members=a", "members", 0, 0, 0, 0},
    {"a member without host", BASE ";members=:1", "members", 0, 0, 0, 0},
    {"a port of five digits", BASE ";members=a:65536", "members", 0, 0, 0, 0},
    {"nine members", BASE ";members=a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8 a:9", "members", 0, 0, 0, 0},
    {"two spaces", BASE ";members=3;dead=a:1  b:1", "dead", 0, 0, 0, 0},
    {"a change of two words", BASE ";change=a b", "change", 0, 0, 0, 0},
};

static void
heads_are_read_or_refused_with_advice(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct resp *reply = hash_of(heads[i].hash);
		struct map_head head;
		struct fault fault = {.text = ""};
		int rc = map_head_read(reply, "splitmx", &head, &fault);

		if (rc != (heads[i].words ? -1 : 0) ||
		    (heads[i].words && !strstr(fault.text, heads[i].words)))
			fail_msg("%s: %d %s", heads[i].name, rc, fault.text);
		resp_free(&reply);
		if (rc == -1)
			continue;
		assert_true(strcmp(head.id, "a") == 0 && head.epoch == 5 && head.lease_ms == 1000);
		if (head.lease_most_ms != heads[i].lease_most_ms ||
		    head.members != heads[i].members || head_replicas_all(&head) != heads[i].all ||
		    head_replicas_most(&head) != heads[i].most)
			fail_msg("%s", heads[i].name);
	}
}

static void
what_is_no_hash_is_no_head(void **state)
{
	static const char *const replies[] = {"*-1\r\n", "-WRONGTYPE Operation\r\n", ":1\r\n"};

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct resp_reader *reader = resp_reader_new();
		struct map_head head;
		struct fault fault;
		struct resp *reply;

		resp_feed(reader, str_of(replies[i]));
		assert_int_equal(resp_next(reader, &reply, &fault), 1);
		assert_int_equal(map_head_read(reply, "splitmx", &head, &fault), -1);
		resp_free(&reply);
		resp_reader_free(&reader);
	}
}

static void
a_newer_map_is_read_as_long_as_it_says_so(void **state)
{
	static const struct {
		const char *hash;
		int readable, writable;
	} rows[] = {
	    {"id=a;epoch=5;schema=1;lease_ms=1000", 0, 0},
	    {"id=a;epoch=5;schema=1 1;lease_ms=1000", 0, 0},
	    {"id=a;epoch=5;schema=1 2;lease_ms=1000", 0, -1},
	    {"id=a;epoch=5;schema=2;lease_ms=1000", -1, -1},
	    {"id=a;epoch=5;schema=2 1;lease_ms=1000", -1, -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct resp *reply = hash_of(rows[i].hash);
		struct map_head head;
		struct fault fault = {.text = ""};

		assert_int_equal(map_head_read(reply, "splitmx", &head, &fault), 0);
		assert_int_equal(head_readable(&head, "splitmx", &fault), rows[i].readable);
		assert_int_equal(head_writable(&head, "splitmx", &fault), rows[i].writable);
		if (rows[i].writable == -1)
			assert_non_null(strstr(fault.text, "upgrade splitmx"));
		resp_free(&reply);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ids_are_random_uuids),
	    cmocka_unit_test(heads_are_read_or_refused_with_advice),
	    cmocka_unit_test(what_is_no_hash_is_no_head),
	    cmocka_unit_test(a_newer_map_is_read_as_long_as_it_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
