/*
 * test_tls_tickets.c - keys of session tickets come and go
 */
#include "net/tls_tickets.h"

#include "unit.h"

#include <string.h>

enum { LIFE_MS = TLS_TICKET_KEY_MS };

static void
a_key_opens_for_its_life_and_once_again(void **state)
{
	const struct {
		const char *name;
		uint64_t at_ms; /* a ticket of time 0 is shown */
		bool opens, is_old;
	} rows[] = {
	    {"at once", 0, true, false},
	    {"at the end of its life", LIFE_MS - 1, true, false},
	    {"in its second life", LIFE_MS, true, true},
	    {"at the end of that", 2 * (uint64_t)LIFE_MS - 1, true, true},
	    {"afterwards", 2 * (uint64_t)LIFE_MS, false, true},
	    {"long afterwards", 1000 * (uint64_t)LIFE_MS, false, true},
	};
	struct tls_tickets tickets;
	struct tls_ticket_key first, *key;
	bool is_old;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tls_tickets_init(&tickets, 5);
		first = *tls_tickets_seal(&tickets, 5);
		key = tls_tickets_open(&tickets, 5 + rows[i].at_ms, first.name, &is_old);
		if ((key != NULL) != rows[i].opens || is_old != rows[i].is_old)
			fail_msg("%s", rows[i].name);
		if (key != NULL)
			assert_memory_equal(key, &first, sizeof(first));
	}
}

static void
a_key_that_is_gone_is_nowhere_any_more(void **state)
{
	struct tls_tickets tickets;
	struct tls_ticket_key first;

	tls_tickets_init(&tickets, 0);
	first = *tls_tickets_seal(&tickets, 0);
	for (uint64_t turn = 1; turn <= 2; turn++)
		assert_memory_not_equal(tls_tickets_seal(&tickets, turn * LIFE_MS), &first,
		    sizeof(first));
	assert_null(memmem(&tickets, sizeof(tickets), first.cipher, sizeof(first.cipher)));
	assert_null(memmem(&tickets, sizeof(tickets), first.mac, sizeof(first.mac)));
	tls_tickets_wipe(&tickets);
	for (size_t i = 0; i < sizeof(tickets); i++)
		assert_int_equal(((unsigned char *)&tickets)[i], 0);
}

static void
two_servers_have_nothing_in_common(void **state)
{
	struct tls_tickets one, other;
	bool is_old;

	tls_tickets_init(&one, 0);
	tls_tickets_init(&other, 0);
	assert_null(tls_tickets_open(&one, 0, tls_tickets_seal(&other, 0)->name, &is_old));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_opens_for_its_life_and_once_again),
	    cmocka_unit_test(a_key_that_is_gone_is_nowhere_any_more),
	    cmocka_unit_test(two_servers_have_nothing_in_common),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
