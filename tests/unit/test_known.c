/*
 * test_known.c - why an address is known, or nobody's
 */
#include "admin/known.h"

#include "base/mem.h"

#include <string.h>

#include "unit.h"

#define KEYS_MOST 4

static const struct row {
	const char *name;
	const char *matched, *account;
	bool is_unknown;
	enum known_how how;
	bool if_complete;
	const char *keys[KEYS_MOST]; /* "key=value"; without "=": no string; "-key": not there */
	const char *said;
} rows[] = {
    {"an owner key", "owner:a@d", "a@d", false, KNOWN_BY_OWNER, true, {"s:complete:@d=yes"},
	"yes: it has an owner key"},
    {"an alias", "owner:@d", "a@d", false, KNOWN_BY_KEY, true,
	{"s:owner:@d=old", "s:complete:a@d=alias", "s:complete:@d=yes"},
	"yes: s:complete:a@d says alias"},
    {"a key that is no string", "owner:@d", "a@d", false, KNOWN_BY_KEY, true,
	{"s:complete:a@d", "s:complete:@d=yes"},
	"yes: s:complete:a@d says so, though it is no string"},
    {"a catch-all", "owner:@d", "a@d", false, KNOWN_BY_CATCH_ALL, true,
	{"s:complete:a@d=alias", "s:complete:@d=catch-all"}, "yes, as every address"},
    {"nothing was declared", "owner:@d", "a@d", false, KNOWN_UNSAID, false, {"-s:complete:@d"},
	"nobody can say"},
    {"an alias with an extension", "owner:@d", "a@d", false, KNOWN_BY_KEY, true,
	{"s:complete:a+t@d=alias", "s:complete:@d=yes"}, "yes: s:complete:a+t@d says alias"},
    {"a login key, wherever it leads", "owner:@d", "ann@d", false, KNOWN_BY_LOGIN, true,
	{"s:login:anna@d=ann@d", "-s:complete:anna@d", "s:complete:@d=yes"},
	"yes: s:login:anna@d has its name"},
    {"a login name without domain", "owner:@d", "ann@d", false, KNOWN_BY_LOGIN, true,
	{"s:login:anna=ann@d"}, "yes: s:login:anna has its name"},
    {"an owner behind a login key", "owner:ann@d", "ann@d", false, KNOWN_BY_OWNER, true,
	{"s:login:anna@d=ann@d"}, "yes: it has an owner key"},
    {"an alias domain is no login key of its addresses", "owner:@e", "a@e", true, KNOWN_NOT, false,
	{"s:login:@d=@e", "-s:login:a@e", "s:complete:@e=yes"}, "no: the domain"},
    {"listed in an alias domain", "owner:@e", "a@e", false, KNOWN_BY_KEY, true,
	{"s:login:@d=@e", "s:complete:a@d=alias", "s:complete:@e=yes"},
	"yes: s:complete:a@d says alias"},
    {"an alias, and nothing was declared", "owner:@d", "a@d", false, KNOWN_UNSAID, true,
	{"s:complete:a@d=alias", "-s:complete:@d"}, "nobody can say"},
    {"a word that says nothing", "owner:@d", "a@d", false, KNOWN_UNSAID, false,
	{"s:complete:@d=maybe"}, "nobody can say"},
    {"the keys of another domain", "owner:@d", "a@d", false, KNOWN_UNSAID, false,
	{"s:complete:@e=yes"}, "nobody can say"},
    {"the postmaster", "owner:@d", "postmaster@d", false, KNOWN_AS_POSTMASTER, true,
	{"s:complete:@d=yes"}, "yes: mail to the postmaster"},
    {"the postmaster, and nothing was declared", "owner:@d", "postmaster@d", false, KNOWN_UNSAID,
	true, {"-s:complete:@d"}, "nobody can say"},
    {"a postmaster who is listed", "owner:@d", "postmaster@d", false, KNOWN_BY_KEY, true,
	{"s:complete:postmaster@d=alias", "s:complete:@d=yes"},
	"yes: s:complete:postmaster@d says alias"},
    {"nobody", "owner:@d", "a@d", true, KNOWN_NOT, false, {"s:complete:@d=yes"},
	"no: the domain is complete, and no owner, login or complete key has the name a@d"},
};

static struct reading_key
key_of(const char *text)
{
	size_t at = str_find(str_of(text), '=');
	struct reading_key key = {.key = str_make(text, at), .kind = FETCH_WRONG_TYPE};

	if (text[0] == '-')
		return (struct reading_key){.key = str_of(text + 1), .kind = FETCH_ABSENT};
	if (at < strlen(text)) {
		key.kind = FETCH_STRING;
		key.value = str_of(text + at + 1);
	}
	return key;
}

static void
each_way_has_its_sentence(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading reading = {.finding = {.verdict = VERDICT_FOUND,
					      .matched = str_of(rows[i].matched),
					      .account = str_of(rows[i].account),
					      .is_unknown = rows[i].is_unknown}};
		struct buf said = BUF_INIT;
		struct known known;

		while (reading.count < KEYS_MOST && rows[i].keys[reading.count] != NULL) {
			reading.keys[reading.count] = key_of(rows[i].keys[reading.count]);
			reading.count++;
		}
		known = known_of(&reading, "s");
		known_describe(&said, &known);
		assert_int_equal(known_if_complete(&reading, "s"), rows[i].if_complete);
		if (known.how != rows[i].how || !str_starts(buf_str(&said), rows[i].said))
			fail_msg("%s: %d, %s", rows[i].name, (int)known.how, buf_cstr(&said));
		buf_fini(&said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_way_has_its_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
