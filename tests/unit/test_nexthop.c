/*
 * test_nexthop.c - the server that a map's text sends mail to
 */
#include "admin/nexthop.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const struct row {
	const char *text;
	const char *server; /* as endpoint_name() writes it; NULL: refused */
	bool is_lmtp;
} rows[] = {
    {"relay:[old.internal]:10026", "inet:old.internal:10026", false},
    {"smtp:[192.0.2.20]", "inet:192.0.2.20:25", false},
    {"smtp:[ipv6:2001:db8::1]:2525", "inet:[2001:db8::1]:2525", false},
    {"smtp:[IPv6:2001:db8::1]", "inet:[2001:db8::1]:25", false},
    {"smtp:[2001:db8::1]:25", "inet:[2001:db8::1]:25", false},
    {"lmtp:unix:private/dovecot-lmtp", "unix:/queue/private/dovecot-lmtp", true},
    {"lmtp:unix:/run/dovecot/lmtp", "unix:/run/dovecot/lmtp", true},
    {"lmtp:inet:host:2400", "inet:host:2400", true},
    {"lmtp:inet:[host]:2400", "inet:host:2400", true},
    {"lmtp:host", "inet:host:24", true},
    {"my-lmtp-side:[host]:24", "inet:host:24", true},
    {"side:unix:private/lmtp", "unix:/queue/private/lmtp", true},
    {"relay:[a]:25, [b]:26", "inet:a:25", false},
    {"relay:[a]:25 [b]:26", "inet:a:25", false},

    {"", NULL, false},
    {"smtp", NULL, false},
    {"smtp:", NULL, false},
    {"local:", NULL, false},
    {"error:[a]:25", NULL, false},
    {"retry:4.2.1 text", NULL, false},
    {"smtp:old.internal:25", NULL, false}, /* by MX */
    {"smtp:[old.internal", NULL, false},
    {"smtp:[old.internal]25", NULL, false},
    {"smtp:[]:25", NULL, false},
    {"smtp:[a]:smtp", NULL, false},
    {"smtp:[a]:", NULL, false},
    {"smtp:[a]:65536", NULL, false},
    {"lmtp:unix:", NULL, true},
    {"lmtp:unix:0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
     "23456789012345678901234567890123456789",
	NULL, true},
};

static void
a_text_names_a_server_or_none(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct nexthop hop;
		struct fault fault;
		int rc = nexthop_parse(str_of(rows[i].text), "/queue", &hop, &fault);

		if (rc != (rows[i].server != NULL ? 0 : -1))
			fail_msg("%s: %d", rows[i].text, rc);
		if (rc == 0 && (strcmp(endpoint_name(&hop.endpoint), rows[i].server) != 0 ||
				   hop.is_lmtp != rows[i].is_lmtp))
			fail_msg("%s: %s", rows[i].text, endpoint_name(&hop.endpoint));
	}
}

/* Cut anywhere it is read within its bounds. */
static void
a_text_is_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t len = 0; len < strlen(rows[i].text); len++) {
			char *cut = xstrndup(rows[i].text, len);
			struct nexthop hop;
			struct fault fault;

			nexthop_parse(str_make(cut, len), "/queue", &hop, &fault);
			free(cut);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_text_names_a_server_or_none),
	    cmocka_unit_test(a_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
