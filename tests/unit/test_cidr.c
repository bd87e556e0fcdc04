/*
 * test_cidr.c - is this address one of those?
 */
#include "net/cidr.h"

#include "base/mem.h"

#include <string.h>

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct sockaddr_storage
address_of(const char *text)
{
	struct sockaddr_storage peer;
	struct sockaddr_in *in4 = (struct sockaddr_in *)&peer;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&peer;

	memset(&peer, 0, sizeof(peer));
	peer.ss_family = AF_UNIX;
	if (inet_pton(AF_INET, text, &in4->sin_addr) == 1)
		peer.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		peer.ss_family = AF_INET6;
	return peer;
}

static void
networks_have_their_addresses_and_no_others(void **state)
{
	static const struct {
		const char *cidr, *peer;
		bool has;
	} rows[] = {
	    {"192.0.2.0/24", "192.0.2.0", true},
	    {"192.0.2.0/24", "192.0.2.255", true},
	    {"192.0.2.0/24", "192.0.3.0", false},
	    {"192.0.2.0/24", "192.0.1.255", false},
	    {"192.0.2.0/24", "::ffff:192.0.2.7", true},
	    {"192.0.2.0/24", "::192.0.2.7", false},
	    {"192.0.2.0/23", "192.0.3.255", true},
	    {"192.0.2.128/25", "192.0.2.127", false},
	    {"192.0.2.128/25", "192.0.2.128", true},
	    {"192.0.2.7", "192.0.2.7", true},
	    {"192.0.2.7", "192.0.2.6", false},
	    {"192.0.2.7/32", "192.0.2.7", true},
	    {"0.0.0.0/0", "203.0.113.9", true},
	    {"0.0.0.0/0", "2001:db8::1", false},
	    {"0.0.0.0/0", "unix", false},
	    {"::/0", "2001:db8::1", true},
	    {"::/0", "192.0.2.7", false},
	    {"::/0", "::ffff:192.0.2.7", false},
	    {"::/0", "unix", false},
	    {"2001:db8::/32", "2001:db8:ffff::1", true},
	    {"2001:db8::/32", "2001:db9::1", false},
	    {"2001:db8::/33", "2001:db8:8000::1", false},
	    {"2001:db8::1", "2001:db8::1", true},
	    {"2001:db8::1", "2001:db8::2", false},
	    {"::ffff:192.0.2.0/120", "192.0.2.7", true},
	};
	struct sockaddr_storage peer;
	struct fault fault = {0};
	struct cidr cidr;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (cidr_parse(rows[i].cidr, &cidr, &fault) == -1)
			fail_msg("%s", fault.text);
		peer = address_of(rows[i].peer);
		if (cidr_has(&cidr, &peer) != rows[i].has)
			fail_msg("%s has %s?", rows[i].cidr, rows[i].peer);
	}
}

static void
what_is_no_network_is_refused(void **state)
{
	static const char *const rows[] = {
	    "",
	    "/",
	    "/24",
	    "192.0.2.7/24",
	    "192.0.2.0/33",
	    "192.0.2.0/",
	    "192.0.2.0/-1",
	    "192.0.2.0/+8",
	    "192.0.2.0/024x",
	    "192.0.2.0/0024",
	    "192.0.2/24",
	    "192.0.2.0/255.255.255.0",
	    "2001:db8::1/32",
	    "2001:db8::/129",
	    "[::1]",
	    "localhost",
	    " 127.0.0.1",
	    "127.0.0.1 ",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct fault fault;
	struct cidr cidr;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fault = (struct fault){0};
		if (cidr_parse(rows[i], &cidr, &fault) != -1)
			fail_msg("%s was accepted", rows[i]);
		assert_int_equal(fault.verdict, VERDICT_PERM);
		assert_string_not_equal(fault.text, "");
	}
}

static void
loopback_is_what_never_leaves_the_host(void **state)
{
	static const struct {
		const char *peer;
		bool is;
	} rows[] = {
	    {"127.0.0.1", true},
	    {"127.255.255.255", true},
	    {"126.255.255.255", false},
	    {"128.0.0.0", false},
	    {"::1", true},
	    {"::2", false},
	    {"::", false},
	    {"::ffff:127.0.0.1", true},
	    {"unix", false},
	};
	struct sockaddr_storage peer;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		peer = address_of(rows[i].peer);
		if (cidr_is_loopback(&peer) != rows[i].is)
			fail_msg("%s", rows[i].peer);
	}
	assert_false(cidr_any_has(NULL, 0, &peer));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(networks_have_their_addresses_and_no_others),
	    cmocka_unit_test(what_is_no_network_is_refused),
	    cmocka_unit_test(loopback_is_what_never_leaves_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
