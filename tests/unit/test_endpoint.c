/*
 * test_endpoint.c - where something listens
 */
#include "net/endpoint.h"

#include "base/mem.h"

#include <string.h>

#include "unit.h"

#define BYTES_50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct row {
	const char *name, *text;
	const char *is; /* endpoint_name(); NULL: refused */
	bool tls;
};

static const struct row rows[] = {
    {"a socket", "unix:/run/splitmx/map.sock", "unix:/run/splitmx/map.sock", false},
    {"the longest path", "unix:/" BYTES_50 BYTES_50 "aaaaaa", "unix:/" BYTES_50 BYTES_50 "aaaaaa",
	false},
    {"one byte more", "unix:/" BYTES_50 BYTES_50 "aaaaaaa", NULL, false},
    {"a relative path", "unix:private/map", NULL, false},
    {"no path", "unix:", NULL, false},
    {"address and port", "inet:127.0.0.1:10025", "inet:127.0.0.1:10025", false},
    {"name and port", "inet:mx-1.example.org:1", "inet:mx-1.example.org:1", false},
    {"IPv6", "inet:[::1]:65535", "inet:[::1]:65535", false},
    {"IPv6 with a zone", "inet:[fe80::1%eth0]:25", "inet:[fe80::1%eth0]:25", false},
    {"an empty zone", "inet:[fe80::1%]:25", NULL, false},
    {"IPv4 in brackets", "inet:[127.0.0.1]:25", "inet:127.0.0.1:25", false},
    {"IPv6 without brackets", "inet:::1:25", NULL, false},
    {"a name in brackets", "inet:[localhost]:25", NULL, false},
    {"an open bracket", "inet:[::1", NULL, false},
    {"empty brackets", "inet:[]:25", NULL, false},
    {"something behind the bracket", "inet:[::1]25", NULL, false},
    {"no port", "inet:127.0.0.1", NULL, false},
    {"an empty port", "inet:127.0.0.1:", NULL, false},
    {"port 0", "inet:127.0.0.1:0", NULL, false},
    {"port 65536", "inet:127.0.0.1:65536", NULL, false},
    {"a port of six digits", "inet:127.0.0.1:000025", NULL, false},
    {"a port with a sign", "inet:127.0.0.1:+25", NULL, false},
    {"a service name", "inet:127.0.0.1:smtp", NULL, false},
    {"no host", "inet::25", NULL, false},
    {"a host with a space", "inet:a b:25", NULL, false},
    {"a host that is an option", "inet:-h:25", NULL, false},
    {"a word", "localhost:25", NULL, false},
    {"nothing", "", NULL, false},
    {"a redis URL", "redis://localhost:6379", NULL, false},
};

static const struct row redis_rows[] = {
    {"a socket", "unix:///run/redis.sock", "unix:/run/redis.sock", false},
    {"a socket in Postfix's words", "unix:/run/redis.sock", "unix:/run/redis.sock", false},
    {"two slashes only", "unix://run/redis.sock", NULL, false},
    {"a host", "redis://redis.internal", "inet:redis.internal:6379", false},
    {"a host and a port", "redis://redis.internal:7000", "inet:redis.internal:7000", false},
    {"TLS", "rediss://redis.internal", "inet:redis.internal:6379", true},
    {"IPv6", "rediss://[2001:db8::1]", "inet:[2001:db8::1]:6379", true},
    {"IPv6 and a port", "redis://[2001:db8::1]:7000", "inet:[2001:db8::1]:7000", false},
    {"a database", "redis://localhost/1", NULL, false},
    {"a port and a database", "redis://localhost:6379/1", NULL, false},
    {"a password", "redis://:hunter2@localhost", NULL, false},
    {"no host", "redis://", NULL, false},
    {"no host but a port", "redis://:6379", NULL, false},
    {"another scheme", "http://localhost", NULL, false},
    {"Postfix's words", "inet:localhost:6379", NULL, false},
};

static void
check(const struct row *row, int (*parse)(const char *, struct endpoint *, struct fault *))
{
	struct endpoint endpoint;
	struct fault fault = {0};
	int rc = parse(row->text, &endpoint, &fault);

	if (rc != (row->is != NULL ? 0 : -1))
		fail_msg("%s: %d %s", row->name, rc, fault.text);
	if (row->is == NULL) {
		assert_int_equal(fault.verdict, VERDICT_PERM);
		assert_string_not_equal(fault.text, "");
		assert_null(strstr(fault.text, "hunter2"));
		return;
	}
	assert_string_equal(endpoint_name(&endpoint), row->is);
	assert_int_equal(endpoint.tls, row->tls);
}

static void
words_of_postfix_are_understood(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], endpoint_parse);
}

static void
addresses_of_redis_are_understood(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(redis_rows); i++)
		check(&redis_rows[i], endpoint_parse_redis);
}

static void
a_host_name_has_a_limit(void **state)
{
	struct endpoint endpoint;
	struct fault fault;
	char text[600];

	for (size_t len = 250; len < 260; len++) {
		memcpy(text, "inet:", 5);
		memset(text + 5, 'a', len);
		memcpy(text + 5 + len, ":25", 4);
		assert_int_equal(endpoint_parse(text, &endpoint, &fault), len <= 255 ? 0 : -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_of_postfix_are_understood),
	    cmocka_unit_test(addresses_of_redis_are_understood),
	    cmocka_unit_test(a_host_name_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
