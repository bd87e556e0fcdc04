/*
 * test_postfix.c - which lookups of a Postfix come to us, and from where
 */
#include "admin/postfix.h"

#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

static const char services[] =
    "smtp       inet  n       -       y       -       -       smtpd\n"
    "peer       inet  n       -       n       -       -       smtpd -o smtpd_x=y\n"
    "cleanup    unix  n       -       y       -       0       cleanup\n"
    "rewrite    unix  -       -       y       -       -       trivial-rewrite\n"
    "proxymap   unix  -       -       n       -       -       proxymap\n"
    "default    unix  -       -       -       -       -       smtp\n";

static const struct row {
	const char *name, *parameters;
	struct {
		const char *daemon, *endpoint, *map;
		bool chrooted;
	} want[3];
} rows[] = {
    {"transport_maps is read by trivial-rewrite",
	"transport_maps = socketmap:unix:run/s.sock:transport\n",
	{{"trivial-rewrite", "unix:run/s.sock", "transport", true}}},
    {"smtpd in and outside of the chroot", "relay_recipient_maps = hash:/x, socketmap:unix:/s:r\n",
	{{"smtpd", "unix:/s", "r", true}, {"smtpd", "unix:/s", "r", false}}},
    {"proxymap asks from outside", "virtual_alias_maps = proxy:socketmap:unix:/s:a\n",
	{{"proxymap", "unix:/s", "a", false}}},
    {"inside a list of restrictions",
	"smtpd_recipient_restrictions = permit, check_recipient_access "
	"{ socketmap:inet:127.0.0.1:10028:acc, default_action=DUNNO }\n",
	{{"smtpd", "inet:127.0.0.1:10028", "acc", true},
	    {"smtpd", "inet:127.0.0.1:10028", "acc", false}}},
    {"a parameter of one service", "peer/inet/transport_maps = socketmap:unix:s:t\n",
	{{"smtpd", "unix:s", "t", false}}},
    {"a table that several parameters use is asked once",
	"transport_maps = socketmap:unix:s:t\nrelocated_maps=socketmap:unix:s:t\n",
	{{"trivial-rewrite", "unix:s", "t", true}}},
    {"a default of the chroot column", "smtp_tls_policy_maps = socketmap:unix:s:t\n",
	{{"smtp", "unix:s", "t", true}}},
    {"without a map", "transport_maps = socketmap:unix:s\n",
	{{"trivial-rewrite", NULL, NULL, true}}},
    {"nothing of ours", "transport_maps = hash:/etc/postfix/transport\nx =\n\n= y\n", {{0}}},
};

static void
each_lookup_is_found_with_its_daemons(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct postfix *postfix = postfix_new();
		size_t n = 0;

		postfix_take_services(postfix, str_of(services), true);
		postfix_take_parameters(postfix, str_of(rows[i].parameters));
		for (; n < 3 && rows[i].want[n].daemon != NULL; n++) {
			const struct postfix_lookup *lookup;

			if (n >= postfix_count(postfix))
				fail_msg("%s: only %zu", rows[i].name, n);
			lookup = postfix_at(postfix, n);
			assert_string_equal(lookup->daemon, rows[i].want[n].daemon);
			assert_int_equal(lookup->chrooted, rows[i].want[n].chrooted);
			assert_int_equal(lookup->malformed, rows[i].want[n].map == NULL);
			if (lookup->malformed)
				continue;
			assert_string_equal(lookup->endpoint, rows[i].want[n].endpoint);
			assert_string_equal(lookup->map, rows[i].want[n].map);
		}
		if (postfix_count(postfix) != n)
			fail_msg("%s: %zu", rows[i].name, postfix_count(postfix));
		postfix_free(&postfix);
	}
}

static void
output_may_be_cut_anywhere(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t len = 0; len <= strlen(rows[i].parameters); len++) {
			struct postfix *postfix = postfix_new();
			char *cut = xstrndup(rows[i].parameters, len);

			postfix_take_services(postfix, str_make(services, len), false);
			postfix_take_parameters(postfix, str_of(cut));
			free(cut);
			postfix_free(&postfix);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_lookup_is_found_with_its_daemons),
	    cmocka_unit_test(output_may_be_cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
