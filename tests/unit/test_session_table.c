/*
 * test_session_table.c - the sessions of a login front, as a table
 */
#include "admin/session_table.h"

#include "base/mem.h"

#include <string.h>

#include "unit.h"

#define SESSION(id, account, from, to, ms)                                                         \
	"{\"session\":\"" id "\",\"protocol\":\"imap\",\"account\":\"" account                     \
	"\",\"from\":\"" from "\",\"destination\":\"" to                                           \
	"\",\"to\":\"b1\",\"phase\":\"running\",\"ms\":" #ms ",\"in\":812,\"out\":3355443}"
#define LOGIN(id, ms)                                                                              \
	"{\"session\":\"" id "\",\"phase\":\"talking\",\"protocol\":\"pop3\",\"from\":\"::1\","    \
	"\"ms\":" #ms ",\"account\":null,\"owner\":null}"
#define PARKED(id, account, owner, ms)                                                             \
	"{\"session\":\"" id "\",\"phase\":\"parked\",\"protocol\":\"imap\",\"from\":\"::1\","     \
	"\"ms\":" #ms ",\"account\":\"" account "\",\"owner\":\"" owner "\"}"

static void
take(struct session_table *table, const char *process, const char *text)
{
	json_t *session = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(session);
	session_table_take(table, process, session);
	json_decref(session);
}

static void
fill(struct session_table *table)
{
	take(table, "frontd-0", SESSION("a", "ann@example.org", "192.0.2.7", "old", 5000));
	take(table, "frontd-1", SESSION("b", "bob@example.org", "2001:db8::7", "new", 7500000));
	take(table, "frontd-0", SESSION("c", "ann@example.org", "192.0.2.8", "new", 60000));
	take(table, "frontd-1", LOGIN("d", 1000));
	take(table, "frontd-1", PARKED("e", "ann@example.org", "old", 60000));
}

/* The ids in their order, in a piece of memory that the next call takes again. */
static const char *
ids(const struct session_filter *filter)
{
	static char text[32];
	struct session_table *table = session_table_new(filter);

	fill(table);
	session_table_sort(table);
	text[0] = '\0';
	for (size_t i = 0; i < session_table_count(table); i++)
		strcat(text,
		    json_string_value(json_object_get(session_table_json(table, i), "session")));
	session_table_free(&table);
	assert_null(table);
	session_table_free(&table);
	return text;
}

static void
the_oldest_come_first_and_equals_by_name(void **state)
{
	assert_string_equal(ids(&(struct session_filter){0}), "bcead");
}

static void
each_filter_leaves_out_what_does_not_match(void **state)
{
	static const struct {
		const char *account, *destination, *from;
		uint64_t older_ms;
		const char *ids;
	} rows[] = {
	    {"ann@example.org", NULL, NULL, 0, "cea"},
	    {"an@example.org", NULL, NULL, 0, ""},
	    {NULL, "new", NULL, 0, "bc"},
	    {NULL, "old", NULL, 0, "ea"}, /* where a login waits for */
	    {NULL, NULL, "192.0.2.7", 0, "a"},
	    {NULL, NULL, "192.0.2.0/24", 0, "ca"},
	    {NULL, NULL, "2001:db8::/32", 0, "b"},
	    {NULL, NULL, "::1", 0, "ed"},
	    {NULL, NULL, NULL, 60000, "bce"},
	    {NULL, NULL, NULL, 60001, "b"},
	    {"ann@example.org", "new", "192.0.2.8", 60000, "c"},
	    {"ann@example.org", "old", "192.0.2.8", 60000, ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cidr from;
		struct fault fault;
		struct session_filter filter = {
		    rows[i].account, rows[i].destination, NULL, rows[i].older_ms};

		if (rows[i].from != NULL) {
			assert_int_equal(cidr_parse(rows[i].from, &from, &fault), 0);
			filter.from = &from;
		}
		if (strcmp(ids(&filter), rows[i].ids) != 0)
			fail_msg("row %zu: %s", i, ids(&filter));
	}
}

static void
columns_are_as_wide_as_what_is_in_them(void **state)
{
	const struct session_filter filter = {0};
	struct session_table *table = session_table_new(&filter);
	struct buf out = BUF_INIT;

	session_table_write(table, &out);
	assert_int_equal(buf_len(&out), 0);
	fill(table);
	session_table_sort(table);
	session_table_write(table, &out);
	assert_string_equal(buf_cstr(&out),
	    "ACCOUNT         PROTOCOL FROM        TO  PHASE     AGE  IN  OUT SESSION PROCESS\n"
	    "bob@example.org imap     2001:db8::7 new running 2h05m 812 3.1M b       frontd-1\n"
	    "ann@example.org imap     192.0.2.8   new running 1m00s 812 3.1M c       frontd-0\n"
	    "ann@example.org imap     ::1         old parked  1m00s   -    - e       frontd-1\n"
	    "ann@example.org imap     192.0.2.7   old running    5s 812 3.1M a       frontd-0\n"
	    "-               pop3     ::1         -   talking    1s   -    - d       frontd-1\n");
	buf_fini(&out);
	session_table_free(&table);
}

static void
bytes_are_told_as_a_person_wants_them(void **state)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = {
	    {"0", " 0 12K x "},
	    {"1023", " 1023 12K x "},
	    {"1024", " 1.0K 12K x "},
	    {"10239", " 9.9K 12K x "},
	    {"10240", " 10K 12K x "},
	    {"1048575", " 1023K 12K x "},
	    {"1048576", " 1.0M 12K x "},
	    {"1099511627776", " 1.0T 12K x "},
	    {"9007199254740992", " 8192T 12K x "},
	};
	const struct session_filter filter = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct session_table *table = session_table_new(&filter);
		struct buf out = BUF_INIT;
		char *text =
		    xasprintf("{\"session\":\"x\",\"in\":%s,\"out\":12345}", rows[i].bytes);
		const char *line;

		take(table, "p", text);
		session_table_write(table, &out);
		line = strchr(buf_cstr(&out), '\n') + 1;
		if (strstr(line, rows[i].text) == NULL)
			fail_msg("%s: %s", rows[i].bytes, line);
		buf_fini(&out);
		session_table_free(&table);
		free(text);
	}
}

static void
test_C21_what_clients_say_is_made_visible(void **state)
{
	const struct session_filter filter = {0};
	struct session_table *table = session_table_new(&filter);
	struct buf out = BUF_INIT;

	take(table, "p", "{\"session\":\"x\",\"account\":\"a\\u001b[2J\\nb@example.org\"}");
	session_table_write(table, &out);
	assert_null(strchr(buf_cstr(&out), '\x1b'));
	assert_null(strstr(buf_cstr(&out), "\nb@"));
	buf_fini(&out);
	session_table_free(&table);
}

static void
what_is_no_session_is_left_out_and_what_lacks_shown_as_such(void **state)
{
	const struct session_filter all = {0}, of_new = {.destination = "new"};
	struct session_table *table = session_table_new(&all);
	struct buf out = BUF_INIT;

	take(table, "p", "[]");
	take(table, "p", "\"session\"");
	take(table, "p", "null");
	assert_int_equal(session_table_count(table), 0);
	take(table, "p", "{}");
	take(table, "p", "{\"account\":7,\"ms\":-5,\"in\":\"x\",\"from\":\"nowhere\"}");
	assert_int_equal(session_table_count(table), 2);
	session_table_sort(table);
	session_table_write(table, &out);
	assert_non_null(strstr(buf_cstr(&out), "-       -        -       -"));
	assert_non_null(strstr(buf_cstr(&out), "nowhere"));
	buf_fini(&out);
	session_table_free(&table);
	table = session_table_new(&of_new);
	take(table, "p", "{}");
	assert_int_equal(session_table_count(table), 0);
	session_table_free(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_oldest_come_first_and_equals_by_name),
	    cmocka_unit_test(each_filter_leaves_out_what_does_not_match),
	    cmocka_unit_test(columns_are_as_wide_as_what_is_in_them),
	    cmocka_unit_test(bytes_are_told_as_a_person_wants_them),
	    cmocka_unit_test(test_C21_what_clients_say_is_made_visible),
	    cmocka_unit_test(what_is_no_session_is_left_out_and_what_lacks_shown_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
