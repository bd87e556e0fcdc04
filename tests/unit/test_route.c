/*
 * test_route.c - from what a client calls itself to whom is asked about
 */
#include "front/route.h"

#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

static const struct route_rules with_domain = {"example.org", "*%"};
static const struct route_rules keys_only = {"", "*"};
static const struct route_rules no_masters = {"example.org", ""};

static const struct {
	const char *name;
	struct str login;
	const struct route_rules *rules;
	const char *asked; /* NULL: this can be nobody */
} rows[] = {
    {"an address", STR("ann@example.net"), &with_domain, "ann@example.net"},
    {"a name gets the domain", STR("ann"), &with_domain, "ann@example.org"},
    {"a name is a login key", STR("ann"), &keys_only, "ann"},
    {"an address is no login key", STR("ann@example.net"), &keys_only, "ann@example.net"},
    {"spaces around it", STR("  Ann@Example.org "), &with_domain, "Ann@Example.org"},
    {"spaces around a name", STR(" ann  "), &with_domain, "ann@example.org"},
    {"an extension", STR("ann+x@example.net"), &with_domain, "ann+x@example.net"},
    {"UTF-8", STR("j\xc3\xbcrg"), &with_domain, "j\xc3\xbcrg@example.org"},

    {"C9 user*master", STR("ann@example.net*root"), &with_domain, "ann@example.net"},
    {"C9 user%master", STR("ann@example.net%root"), &with_domain, "ann@example.net"},
    {"C9 a name and a master", STR("ann*root"), &with_domain, "ann@example.org"},
    {"C9 a login key and a master", STR("ann*root"), &keys_only, "ann"},
    {"C9 a master with a domain", STR("ann*root@example.net"), &with_domain, "ann@example.org"},
    {"C9 the first separator counts", STR("ann@example.net*root*bob@example.org"), &with_domain,
	"ann@example.net"},
    {"C9 the first of several", STR("ann%bob@example.net*root"), &with_domain, "ann@example.org"},
    {"C9 a space before the separator", STR("ann *root"), &with_domain, "ann@example.org"},
    {"C9 no separator of ours", STR("ann%root"), &keys_only, "ann%root"},
    {"C9 no masters", STR("ann*root"), &no_masters, "ann*root@example.org"},
    {"C9 nobody and a master", STR("*root"), &with_domain, NULL},
    {"C9 no master", STR("ann@example.net*"), &with_domain, NULL},
    {"C9 only a separator", STR("*"), &with_domain, NULL},

    {"C12 nothing", STR(""), &with_domain, NULL},
    {"C12 only spaces", STR("   "), &with_domain, NULL},
    {"C12 two @", STR("a@b@c"), &with_domain, NULL},
    {"C12 two @ side by side", STR("a@@b"), &with_domain, NULL},
    {"C12 nothing before the @", STR("@example.org"), &with_domain, NULL},
    {"C12 nothing behind the @", STR("ann@"), &with_domain, NULL},
    {"C12 only @", STR("@"), &with_domain, NULL},
    {"C12 a path is data", STR("../../"), &with_domain, "../../@example.org"},
    {"C12 braces are data", STR("{x}"), &with_domain, "{x}@example.org"},
    {"C12 an expansion is data", STR("%u"), &no_masters, "%u@example.org"},
    {"C12 a format is data", STR("%n%s"), &keys_only, "%n%s"},
    {"C12 an expansion, and a master nobody is", STR("%u"), &with_domain, NULL},
    {"C12 NUL", STR("ann\0@example.org"), &with_domain, NULL},
    {"C12 NUL is no separator", STR("ann\0root"), &keys_only, NULL},
    {"C12 CR LF", STR("ann@example.org\r\nX"), &with_domain, NULL},
    {"C12 TAB", STR("\tann"), &with_domain, NULL},
    {"C12 DEL", STR("ann\x7f"), &with_domain, NULL},
    {"C12 C1", STR("ann\xc2\x85"), &with_domain, NULL},
    {"C12 a control character in the master's part", STR("ann*ro\not"), &with_domain, NULL},
    {"C12 no UTF-8", STR("j\xfcrg"), &with_domain, NULL},
    {"C12 a lone surrogate", STR("\xed\xa0\x80"), &with_domain, NULL},
};

static void
C9_C12_logins_are_routed_or_refused(void **state)
{
	struct buf name = BUF_INIT;
	struct fault fault;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc;

		buf_clear(&name);
		fault = (struct fault){.verdict = VERDICT_FOUND};
		rc = route_login(rows[i].rules, rows[i].login, &name, &fault);
		if (rows[i].asked == NULL) {
			if (rc != -1 || buf_len(&name) != 0 || fault.verdict != VERDICT_PERM ||
			    fault.text[0] == '\0')
				fail_msg("%s: %d \"%s\"", rows[i].name, rc, buf_cstr(&name));
		} else if (rc != 0 || strcmp(buf_cstr(&name), rows[i].asked) != 0) {
			fail_msg("%s: %d \"%s\"", rows[i].name, rc, buf_cstr(&name));
		}
	}
	buf_fini(&name);
}

static void
C12_a_login_of_64_KB_is_refused(void **state)
{
	char *bytes = xcalloc(1, 65536);
	struct buf name = BUF_INIT;
	struct fault fault;

	memset(bytes, 'a', 65536);
	assert_int_equal(route_login(&with_domain, str_make(bytes, 65536), &name, &fault), -1);
	assert_int_equal(route_login(&with_domain, str_make(bytes, 1025), &name, &fault), -1);
	assert_int_equal(buf_len(&name), 0);
	assert_int_equal(route_login(&with_domain, str_make(bytes, 1024), &name, &fault), 0);
	assert_int_equal(buf_len(&name), 1024 + strlen("@example.org"));
	buf_fini(&name);
	free(bytes);
}

static void
a_destination_gets_the_name_it_knows(void **state)
{
	static const struct {
		const char *name, *template, *login, *account, *presented; /* NULL: refused */
	} rewrites[] = {
	    {"as the client said it", "", "ann*root", "ann@example.org", ""},
	    {"the account", "%a", "annie", "ann@example.org", "ann@example.org"},
	    {"its local part", "%u", "ann@example.org", "ann@example.org", "ann"},
	    {"its parts", "%d\\%u", "annie", "ann@example.org", "example.org\\ann"},
	    {"the login", "%l", "Annie", "ann@example.org", "Annie"},
	    {"the login, with more", "%l.old%%", "annie", "ann@example.org", "annie.old%"},
	    {"C9 the master's part", "%u", "ann@example.org*root@x", "ann@example.org",
		"ann*root@x"},
	    {"C9 the login and the master's part", "%l@old", "ann%root", "ann@example.org",
		"ann@old%root"},
	    {"C12 no expansion twice", "%l", "{x}", "%a@example.org", "{x}"},
	    {"C12 no expansion of the account", "%u", "x", "%a%d@example.org", "%a%d"},
	    {"another letter", "%x", "ann", "ann@example.org", NULL},
	    {"%o is for maps", "%o", "ann", "ann@example.org", NULL},
	    {"a lone percent sign", "%u%", "ann", "ann@example.org", NULL},
	    {"a control character", "%u\n", "ann", "ann@example.org", NULL},
	    {"a control character of the client's", "%l", "a\rnn", "ann@example.org", NULL},
	    {"nothing comes out", "%d", "ann", "ann", NULL},
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rewrites); i++) {
		bool is_good;

		buf_clear(&out);
		buf_add_text(&out, "before ");
		is_good = route_rewrite(&with_domain, rewrites[i].template,
		    str_of(rewrites[i].login), str_of(rewrites[i].account), &out);
		if (is_good != (rewrites[i].presented != NULL) ||
		    strcmp(buf_cstr(&out) + 7, is_good ? rewrites[i].presented : "") != 0)
			fail_msg("%s: \"%s\"", rewrites[i].name, buf_cstr(&out));
	}
	buf_fini(&out);
}

static void
C12_a_name_that_grows_too_long_is_refused(void **state)
{
	char login[601] = {0};
	struct buf out = BUF_INIT;

	memset(login, 'a', 600);
	assert_true(route_rewrite(&with_domain, "%l", str_of(login), STR("a@b"), &out));
	assert_int_equal(buf_len(&out), 600);
	assert_false(route_rewrite(&with_domain, "%l%l", str_of(login), STR("a@b"), &out));
	assert_int_equal(buf_len(&out), 600);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C9_C12_logins_are_routed_or_refused),
	    cmocka_unit_test(C12_a_login_of_64_KB_is_refused),
	    cmocka_unit_test(a_destination_gets_the_name_it_knows),
	    cmocka_unit_test(C12_a_name_that_grows_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
