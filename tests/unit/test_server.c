/*
 * test_server.c - what a Redis says of its replicas
 */
#include "map/server.h"

#include "base/mem.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static int
read_info(struct str info, struct server_replication *replication, struct fault *fault)
{
	struct resp_reader *reader = resp_reader_new();
	struct buf bytes = BUF_INIT;
	struct resp *reply = NULL;
	int rc;

	buf_addf(&bytes, "$%zu\r\n", info.len);
	buf_add_str(&bytes, info);
	buf_add_text(&bytes, "\r\n");
	resp_feed(reader, buf_str(&bytes));
	assert_int_equal(resp_next(reader, &reply, fault), 1);
	rc = server_replication_read(reply, replication, fault);
	resp_free(&reply);
	resp_reader_free(&reader);
	buf_fini(&bytes);
	return rc;
}

/* As Redis 7.0 writes it. */
static const char info[] =
    "# Replication\r\nrole:master\r\nconnected_slaves:3\r\n"
    "slave0:ip=10.0.0.2,port=6379,state=online,offset=4711,lag=0\r\n"
    "slave1:ip=10.0.0.3,port=6380,state=wait_bgsave,offset=0,lag=0\r\n"
    "slave2:ip=2001:db8::4,port=6379,state=online,offset=4700,lag=1\r\n"
    "master_failover_state:no-failover\r\nmaster_replid:8f1b\r\nmaster_repl_offset:4712\r\n"
    "second_repl_offset:-1\r\n";

static void
a_masters_replicas_are_read(void **state)
{
	struct server_replication r;
	struct fault fault;

	assert_int_equal(read_info(str_of(info), &r, &fault), 0);
	assert_int_equal(r.offset, 4712);
	assert_int_equal(r.replica_count, 3);
	assert_string_equal(r.replicas[0].address, "10.0.0.2:6379");
	assert_true(r.replicas[0].is_online);
	assert_int_equal(r.replicas[0].offset, 4711);
	assert_false(r.replicas[1].is_online);
	assert_string_equal(r.replicas[2].address, "[2001:db8::4]:6379");
	assert_int_equal(r.replicas[2].offset, 4700);
}

static void
a_replica_is_read_or_is_none(void **state)
{
	static const struct {
		const char *name, *line;
		const char *address; /* NULL: none */
		bool online;
		uint64_t offset;
	} rows[] = {
	    {"in another order", "offset=3,state=online,port=1,ip=a", "a:1", true, 3},
	    {"with what a newer one adds", "ip=a,port=1,state=online,offset=3,lag=0,io-thread=0",
		"a:1", true, 3},
	    {"without a state", "ip=a,port=1,offset=3", "a:1", false, 3},
	    {"without an offset", "ip=a,port=1,state=online", NULL, false, 0},
	    {"with an offset that is none", "ip=a,port=1,state=online,offset=x", NULL, false, 0},
	    {"with a negative offset", "ip=a,port=1,state=online,offset=-1", NULL, false, 0},
	    {"without an address", "port=1,state=online,offset=3", NULL, false, 0},
	    {"without a port", "ip=a,state=online,offset=3", NULL, false, 0},
	    {"with a port that is none", "ip=a,port=70000,state=online,offset=3", NULL, false, 0},
	    {"with names that only begin like ours", "ip=a,port=1,states=online,offset=3", "a:1",
		false, 3},
	    {"empty", "", NULL, false, 0},
	    {"without any value", "ip,port,state,offset", NULL, false, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[512];
		struct server_replication r;
		struct fault fault;

		print_message("%s\n", rows[i].name);
		snprintf(text, sizeof(text),
		    "role:master\r\nconnected_slaves:1\r\nslave0:%s\r\nmaster_repl_offset:9\r\n",
		    rows[i].line);
		assert_int_equal(read_info(str_of(text), &r, &fault), 0);
		assert_int_equal(r.replica_count, rows[i].address != NULL);
		if (rows[i].address == NULL)
			continue;
		assert_string_equal(r.replicas[0].address, rows[i].address);
		assert_int_equal(r.replicas[0].is_online, rows[i].online);
		assert_int_equal(r.replicas[0].offset, rows[i].offset);
	}
}

static void
what_is_no_masters_answer_is_refused(void **state)
{
	static const char *const texts[] = {"", "role:slave\r\nmaster_repl_offset:9\r\n",
	    "role:master\r\n", "role:master\r\nmaster_repl_offset:\r\n",
	    "role:master\r\nmaster_repl_offset:x\r\n", "master_repl_offset:9\r\n"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct server_replication r;
		struct fault fault;

		assert_int_equal(read_info(str_of(texts[i]), &r, &fault), -1);
		assert_int_equal(fault.verdict, VERDICT_TEMP);
	}
}

/* It is never cut, as RESP says how long it is; but no cut may show a replica that is further. */
static void
a_cut_answer_never_says_more(void **state)
{
	for (size_t len = 0; len <= sizeof(info) - 1; len++) {
		struct server_replication r;
		struct fault fault;

		if (read_info(str_make(info, len), &r, &fault) == -1)
			continue;
		assert_true(r.offset <= 4712);
		for (size_t i = 0; i < r.replica_count; i++)
			assert_true(r.replicas[i].offset <= 4711);
	}
}

static void
too_many_replicas_are_left_out(void **state)
{
	struct buf text = BUF_INIT;
	struct server_replication r;
	struct fault fault;

	buf_add_text(&text, "role:master\r\nconnected_slaves:2000000000\r\n");
	for (int i = 0; i < 100; i++)
		buf_addf(&text, "slave%d:ip=a,port=%d,state=online,offset=1\r\n", i, i + 1);
	buf_add_text(&text, "master_repl_offset:9\r\n");
	assert_int_equal(read_info(buf_str(&text), &r, &fault), 0);
	assert_int_equal(r.replica_count, SERVER_REPLICAS_MOST);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_masters_replicas_are_read),
	    cmocka_unit_test(a_replica_is_read_or_is_none),
	    cmocka_unit_test(what_is_no_masters_answer_is_refused),
	    cmocka_unit_test(a_cut_answer_never_says_more),
	    cmocka_unit_test(too_many_replicas_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
