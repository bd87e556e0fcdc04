/*
 * test_peer.c - who is at the other end, in words
 */
#include "net/peer.h"

#include "base/mem.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void
an_address_has_its_port_behind_it(void **state)
{
	static const struct {
		int family;
		const char *address, *name;
	} rows[] = {
	    {AF_INET, "192.0.2.7", "192.0.2.7:51022"},
	    {AF_INET6, "2001:db8::7", "[2001:db8::7]:51022"},
	    {AF_INET6, "::ffff:192.0.2.7", "192.0.2.7:51022"},
	    {AF_INET6, "1111:2222:3333:4444:5555:6666:7777:8888",
		"[1111:2222:3333:4444:5555:6666:7777:8888]:51022"},
	    {AF_UNIX, NULL, "unknown"},
	    {AF_UNSPEC, NULL, "unknown"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sockaddr_storage peer = {.ss_family = (sa_family_t)rows[i].family};
		struct sockaddr_in *in4 = (struct sockaddr_in *)&peer;
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&peer;
		char room[PEER_NAME_BYTES], *text;

		if (rows[i].family == AF_INET) {
			assert_int_equal(inet_pton(AF_INET, rows[i].address, &in4->sin_addr), 1);
			in4->sin_port = htons(51022);
		} else if (rows[i].family == AF_INET6) {
			assert_int_equal(inet_pton(AF_INET6, rows[i].address, &in6->sin6_addr), 1);
			in6->sin6_port = htons(51022);
		}
		assert_string_equal(peer_name(&peer, room), rows[i].name);
		text = peer_text_of(-1, &peer);
		assert_string_equal(text, rows[i].family == AF_UNIX ? "unix" : rows[i].name);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_has_its_port_behind_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
