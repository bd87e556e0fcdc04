/*
 * test_tls_tickets.c - keys of session tickets come and go
 */
#include "net/tls_tickets.h"

#include "base/mem.h"
#include "unit.h"

#include <string.h>

static const uint64_t LIFE_MS = TLS_TICKET_KEY_MS;

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
	    {"at the end of that", 2 * LIFE_MS - 1, true, true},
	    {"afterwards", 2 * LIFE_MS, false, true},
	    {"long afterwards", 1000 * LIFE_MS, false, true},
	};
	struct tls_tickets tickets;
	struct tls_ticket_key first, *key;
	bool is_old;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		tls_tickets_init(&tickets, NULL, STR("imap"), 0);
		first = *tls_tickets_seal(&tickets, 0);
		key = tls_tickets_open(&tickets, rows[i].at_ms, first.name, &is_old);
		if ((key != NULL) != rows[i].opens || is_old != rows[i].is_old)
			fail_msg("%s", rows[i].name);
		if (key != NULL)
			assert_memory_equal(key, &first, sizeof(first));
		tls_tickets_wipe(&tickets);
	}
}

static bool
holds(const void *where, size_t size, const void *what, size_t len)
{
	return memmem(where, size, what, len) != NULL;
}

static void
C22_a_key_that_is_gone_is_nowhere_any_more(void **state)
{
	struct tls_ticket_root *root = tls_ticket_root_new(0), first_root = *root;
	struct tls_tickets tickets;
	struct tls_ticket_key first;

	tls_tickets_init(&tickets, root, STR("imap"), 0);
	first = *tls_tickets_seal(&tickets, 0);
	for (uint64_t turn = 1; turn <= 2; turn++)
		assert_memory_not_equal(tls_tickets_seal(&tickets, turn * LIFE_MS), &first,
		    sizeof(first));
	assert_false(holds(&tickets, sizeof(tickets), first.cipher, sizeof(first.cipher)));
	assert_false(holds(&tickets, sizeof(tickets), first.mac, sizeof(first.mac)));
	assert_false(holds(root, sizeof(*root), first_root.now, sizeof(first_root.now)));
	tls_tickets_wipe(&tickets);
	for (size_t i = 0; i < sizeof(tickets); i++)
		assert_int_equal(((unsigned char *)&tickets)[i], 0);
	tls_ticket_root_free(&root);
	assert_null(root);
}

static void
two_servers_have_nothing_in_common(void **state)
{
	struct tls_tickets one, other;
	bool is_old;

	tls_tickets_init(&one, NULL, STR("imap"), 0);
	tls_tickets_init(&other, NULL, STR("imap"), 0);
	assert_null(tls_tickets_open(&one, 0, tls_tickets_seal(&other, 0)->name, &is_old));
	tls_tickets_wipe(&one);
	tls_tickets_wipe(&other);
}

/* As master and workers do: the same bytes, turned by each for itself. */
static void
who_has_the_same_root_opens_the_same_tickets(void **state)
{
	struct tls_ticket_root *root = tls_ticket_root_new(5), *copy = tls_ticket_root_new(5);
	const struct tls_ticket_root begun = *root;
	struct tls_tickets early, late;
	struct tls_ticket_key sealed;
	bool is_old;

	tls_tickets_init(&early, root, STR("imap"), 5);
	for (uint64_t now_ms = 5; now_ms < 5 * LIFE_MS; now_ms += LIFE_MS / 2) {
		sealed = *tls_tickets_seal(&early, now_ms);
		*copy = begun;
		tls_tickets_init(&late, copy, STR("imap"), now_ms); /* a worker that starts now */
		assert_memory_equal(tls_tickets_open(&late, now_ms, sealed.name, &is_old), &sealed,
		    sizeof(sealed));
		assert_false(is_old);
		assert_memory_equal(tls_tickets_open(&late, now_ms + LIFE_MS, sealed.name, &is_old),
		    &sealed, sizeof(sealed));
		assert_true(is_old);
		tls_tickets_wipe(&late);
	}
	tls_tickets_wipe(&early);
	tls_ticket_root_free(&root);
	tls_ticket_root_free(&copy);
}

static void
what_is_spoken_keeps_tickets_apart(void **state)
{
	struct tls_ticket_root *root = tls_ticket_root_new(0);
	struct tls_tickets imap, pop3;
	bool is_old;

	tls_tickets_init(&imap, root, STR("imap"), 0);
	tls_tickets_init(&pop3, root, STR("pop3"), 0);
	assert_null(tls_tickets_open(&pop3, 0, tls_tickets_seal(&imap, 0)->name, &is_old));
	tls_tickets_wipe(&imap);
	tls_tickets_wipe(&pop3);
	tls_ticket_root_free(&root);
}

static void
whoever_sleeps_wakes_when_the_root_is_to_be_turned(void **state)
{
	assert_int_equal(tls_ticket_root_left_ms(0), LIFE_MS);
	assert_int_equal(tls_ticket_root_left_ms(LIFE_MS - 1), 1);
	assert_int_equal(tls_ticket_root_left_ms(LIFE_MS), LIFE_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_opens_for_its_life_and_once_again),
	    cmocka_unit_test(C22_a_key_that_is_gone_is_nowhere_any_more),
	    cmocka_unit_test(two_servers_have_nothing_in_common),
	    cmocka_unit_test(who_has_the_same_root_opens_the_same_tickets),
	    cmocka_unit_test(what_is_spoken_keeps_tickets_apart),
	    cmocka_unit_test(whoever_sleeps_wakes_when_the_root_is_to_be_turned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
