/*
 * test_fetch.c - reading one account from the stored map, step by step
 *
 * A stored map is written in a line, "owner:@x.org=old hold:a@x.org=all"; a
 * value of "!" is a key of another type. The settings manage "floor.org".
 */
#include "map/fetch.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static const struct account_rules rules = {true, "+"};

static bool
is_floor(void *ctx, struct str domain)
{
	return str_is(domain, "floor.org");
}

static struct fetch_value
stored(const char *map, struct str key)
{
	key = str_from(key, strlen("px:"));
	for (const char *at = map; *at != '\0'; at += *at == ' ') {
		size_t len = strcspn(at, " "), name = strcspn(at, "=");

		if (str_eq(str_make(at, name), key)) {
			struct str text = str_make(at + name + 1, len - name - 1);

			return str_is(text, "!") ? (struct fetch_value){.kind = FETCH_WRONG_TYPE}
						 : (struct fetch_value){FETCH_STRING, text};
		}
		at += len;
	}
	return (struct fetch_value){.kind = FETCH_ABSENT};
}

/* An address, or a login. */
static struct fetch *
start(const char *name)
{
	struct account account;
	struct fetch *fetch;

	account_init(&account);
	assert_true(account_read(&account, str_of(name), &rules));
	fetch = fetch_new("px", &account, &rules, is_floor, NULL);
	account_fini(&account);
	return fetch;
}

static enum fetch_step
read_once(struct fetch *fetch, const char *map)
{
	struct fetch_value values[FETCH_KEYS_MOST];
	const struct str *keys;
	size_t count = fetch_keys(fetch, &keys);

	for (size_t i = 0; i < count; i++)
		values[i] = stored(map, keys[i]);
	return fetch_take(fetch, values, count);
}

struct row {
	const char *what, *map, *address;
	enum verdict verdict;
	const char *owner, *account, *matched; /* TEMP: matched is the key at fault */
	enum hold hold;
};

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		struct fetch *fetch = start(row->address);
		const struct finding *f;

		if (read_once(fetch, row->map) == FETCH_AGAIN)
			assert_int_equal(read_once(fetch, row->map), FETCH_DONE);
		f = fetch_finding(fetch);
		if (f->verdict != row->verdict || !str_is(f->owner, row->owner ? row->owner : "") ||
		    !str_is(f->matched, row->matched) || f->hold != row->hold)
			fail_msg("%s: %s owner %.*s matched %.*s hold %d: %s", row->what,
			    verdict_name(f->verdict), STR_FMT(f->owner), STR_FMT(f->matched),
			    f->hold, f->reason ? f->reason : "");
		if (row->account != NULL && !str_is(f->account, row->account))
			fail_msg("%s: account %.*s", row->what, STR_FMT(f->account));
		assert_int_equal(f->reason != NULL, row->verdict == VERDICT_TEMP);
		if (f->reason != NULL)
			assert_non_null(strstr(f->reason, row->matched));
		fetch_free(&fetch);
		assert_null(fetch);
	}
}
#define CHECK_ROWS(rows) check_rows((rows), ARRAY_LEN(rows))

static void
the_more_exact_key_wins(void **state)
{
	static const struct row rows[] = {
	    /* clang-format off */
	    {"domain", "owner:@x.org=old", "a@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    {"account", "owner:@x.org=old owner:a@x.org=new", "A@X.org", VERDICT_FOUND, "new", "a@x.org", "owner:a@x.org", HOLD_NONE},
	    {"other account", "owner:@x.org=old owner:b@x.org=new", "a@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    {"base", "owner:@x.org=old owner:a@x.org=new", "a+t@x.org", VERDICT_FOUND, "new", "a@x.org", "owner:a@x.org", HOLD_NONE},
	    {"full before base", "owner:@x.org=old owner:a@x.org=new owner:a+t@x.org=third", "a+t@x.org", VERDICT_FOUND, "third", "a+t@x.org", "owner:a+t@x.org", HOLD_NONE},
	    {"extension of the domain's", "owner:@x.org=old", "a+t@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    {"owner before login", "owner:@x.org=old owner:a@x.org=new login:a@x.org=b@x.org", "a@x.org", VERDICT_FOUND, "new", "a@x.org", "owner:a@x.org", HOLD_NONE},
	    {"owner of base before login of full", "owner:@x.org=old owner:a@x.org=new login:a+t@x.org=b@x.org", "a+t@x.org", VERDICT_FOUND, "new", "a@x.org", "owner:a@x.org", HOLD_NONE},
	    {"login", "owner:@x.org=old owner:b@x.org=new login:a@x.org=b@x.org", "a@x.org", VERDICT_FOUND, "new", "b@x.org", "owner:b@x.org", HOLD_NONE},
	    {"login of full before base", "owner:@x.org=old owner:b@x.org=new login:a@x.org=c@x.org login:a+t@x.org=b@x.org", "a+t@x.org", VERDICT_FOUND, "new", "b@x.org", "owner:b@x.org", HOLD_NONE},
	    {"login of base", "owner:@x.org=old owner:b@x.org=new login:a@x.org=b@x.org", "a+t@x.org", VERDICT_FOUND, "new", "b@x.org", "owner:b@x.org", HOLD_NONE},
	    {"login of the domain's", "owner:@x.org=old owner:@y.org=new login:a@x.org=B@Y.org", "a@x.org", VERDICT_FOUND, "new", "b@y.org", "owner:@y.org", HOLD_NONE},
	    {"login before alias domain", "owner:@x.org=old owner:@y.org=new owner:@z.org=third login:a@x.org=b@y.org login:@x.org=@z.org", "a@x.org", VERDICT_FOUND, "new", "b@y.org", "owner:@y.org", HOLD_NONE},
	    {"alias domain", "owner:@x.org=old owner:@y.org=new login:@x.org=@y.org", "a@x.org", VERDICT_FOUND, "new", "a@y.org", "owner:@y.org", HOLD_NONE},
	    {"alias domain, account", "owner:@x.org=old owner:@y.org=old owner:a@y.org=new login:@x.org=@y.org", "a+t@x.org", VERDICT_FOUND, "new", "a@y.org", "owner:a@y.org", HOLD_NONE},
	    {"alias domain, own owner", "owner:@x.org=old owner:@y.org=new owner:a@x.org=third login:@x.org=@y.org", "a@x.org", VERDICT_FOUND, "third", "a@x.org", "owner:a@x.org", HOLD_NONE},
	    {"one level: address", "owner:@x.org=old owner:c@x.org=new login:a@x.org=b@x.org login:b@x.org=c@x.org", "a@x.org", VERDICT_FOUND, "old", "b@x.org", "owner:@x.org", HOLD_NONE},
	    {"one level: domain", "owner:@x.org=old owner:@y.org=new login:a@x.org=b@x.org login:@x.org=@y.org", "a@x.org", VERDICT_FOUND, "old", "b@x.org", "owner:@x.org", HOLD_NONE},
	    {"to itself", "owner:@x.org=old login:a@x.org=a@x.org", "a@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    {"domain to itself", "owner:@x.org=old login:@x.org=@x.org", "a@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    {"quoted", "owner:@x.org=old owner:\"a..b\"@x.org=new", "a..b@x.org", VERDICT_FOUND, "new", "\"a..b\"@x.org", "owner:\"a..b\"@x.org", HOLD_NONE},
	    {"literal", "owner:@[127.0.0.1]=new", "a@[127.0.0.1]", VERDICT_FOUND, "new", "a@[127.0.0.1]", "owner:@[127.0.0.1]", HOLD_NONE},
	    /* clang-format on */
	};

	CHECK_ROWS(rows);
}

static void
only_managed_domains_are_answered_for(void **state)
{
	static const struct row rows[] = {
	    /* clang-format off */
	    {"unmanaged", "", "a@x.org", VERDICT_ABSENT, NULL, "a@x.org", "", HOLD_NONE},
	    {"owner key alone", "owner:a@x.org=new", "a@x.org", VERDICT_ABSENT, NULL, "a@x.org", "", HOLD_NONE},
	    {"all other keys alone", "login:@x.org=@y.org owner:@y.org=new hold:@x.org=all complete:@x.org=yes", "a@x.org", VERDICT_ABSENT, NULL, "a@x.org", "", HOLD_NONE},
	    {"floor without record", "", "a@floor.org", VERDICT_TEMP, NULL, NULL, "owner:@floor.org", HOLD_NONE},
	    {"floor with account", "owner:a@floor.org=new", "a@floor.org", VERDICT_FOUND, "new", "a@floor.org", "owner:a@floor.org", HOLD_NONE},
	    {"floor with login", "login:a@floor.org=b@y.org owner:@y.org=new", "a@floor.org", VERDICT_FOUND, "new", "b@y.org", "owner:@y.org", HOLD_NONE},
	    {"floor is an alias", "login:@floor.org=@y.org owner:@y.org=new", "a@floor.org", VERDICT_FOUND, "new", "a@y.org", "owner:@y.org", HOLD_NONE},
	    {"target unmanaged", "owner:@x.org=old login:a@x.org=b@y.org owner:b@y.org=new", "a@x.org", VERDICT_TEMP, NULL, NULL, "login:a@x.org", HOLD_NONE},
	    {"alias unmanaged", "owner:@x.org=old login:@x.org=@y.org", "a@x.org", VERDICT_TEMP, NULL, NULL, "login:@x.org", HOLD_NONE},
	    {"target in floor", "owner:@x.org=old login:a@x.org=b@floor.org owner:b@floor.org=new", "a@x.org", VERDICT_FOUND, "new", "b@floor.org", "owner:b@floor.org", HOLD_NONE},
	    {"target in floor without record", "owner:@x.org=old login:a@x.org=b@floor.org", "a@x.org", VERDICT_TEMP, NULL, NULL, "owner:@floor.org", HOLD_NONE},
	    /* clang-format on */
	};

	CHECK_ROWS(rows);
}

static void
holds_belong_to_the_account_that_decides(void **state)
{
	static const struct row rows[] = {
	    /* clang-format off */
	    {"mail", "owner:@x.org=old owner:a@x.org=new hold:a@x.org=mail:1", "a@x.org", VERDICT_FOUND, "new", "a@x.org", "owner:a@x.org", HOLD_MAIL},
	    {"all", "owner:@x.org=old hold:a@x.org=all:1", "a@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_ALL},
	    {"by hand", "owner:@x.org=old hold:a@x.org=x", "a@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_ALL},
	    {"empty by hand", "owner:@x.org=old hold:a@x.org=", "a@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_ALL},
	    {"base holds extensions", "owner:@x.org=old hold:a@x.org=mail:1", "a+t@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_MAIL},
	    {"full before base", "owner:@x.org=old hold:a@x.org=mail:1 hold:a+t@x.org=all:1", "a+t@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_ALL},
	    {"domain", "owner:@x.org=old hold:@x.org=mail:1", "a@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_MAIL},
	    {"domain, but own owner", "owner:@x.org=old hold:@x.org=mail:1 owner:a@x.org=new", "a+t@x.org", VERDICT_FOUND, "new", "a@x.org", "owner:a@x.org", HOLD_NONE},
	    {"own before domain", "owner:@x.org=old hold:@x.org=all:1 hold:a@x.org=mail:1", "a@x.org", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_MAIL},
	    {"target's", "owner:@x.org=old login:a@x.org=b@x.org hold:b@x.org=all:1", "a@x.org", VERDICT_FOUND, "old", "b@x.org", "owner:@x.org", HOLD_ALL},
	    {"not the alias's", "owner:@x.org=old login:a@x.org=b@x.org hold:a@x.org=all:1", "a@x.org", VERDICT_FOUND, "old", "b@x.org", "owner:@x.org", HOLD_NONE},
	    {"target's domain", "owner:@x.org=old owner:@y.org=new login:@x.org=@y.org hold:@y.org=mail:1 hold:@x.org=all:1", "a@x.org", VERDICT_FOUND, "new", "a@y.org", "owner:@y.org", HOLD_MAIL},
	    /* clang-format on */
	};

	CHECK_ROWS(rows);
}

static void
a_login_is_its_login_key_and_nothing_else(void **state)
{
	static const struct row rows[] = {
	    /* clang-format off */
	    {"no key", "owner:@x.org=old", "alice", VERDICT_ABSENT, NULL, "alice", "", HOLD_NONE},
	    {"owner and hold of the login alone", "owner:alice=new hold:alice=all owner:@x.org=old", "alice", VERDICT_ABSENT, NULL, "alice", "", HOLD_NONE},
	    {"target's own", "owner:@x.org=old owner:a@x.org=new login:alice=a@x.org", "Alice", VERDICT_FOUND, "new", "a@x.org", "owner:a@x.org", HOLD_NONE},
	    {"target's domain", "owner:@x.org=old login:alice=A@X.org", "alice", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    {"owner of the login does not matter", "owner:@x.org=old owner:alice=new login:alice=a@x.org", "alice", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    {"target's extension", "owner:@x.org=old owner:a@x.org=new login:alice=a+t@x.org", "alice", VERDICT_FOUND, "new", "a@x.org", "owner:a@x.org", HOLD_NONE},
	    {"target's extension is an account", "owner:@x.org=old owner:a@x.org=new owner:a+t@x.org=third login:alice=a+t@x.org", "alice", VERDICT_FOUND, "third", "a+t@x.org", "owner:a+t@x.org", HOLD_NONE},
	    {"no extension of the login", "owner:@x.org=old login:alice=a@x.org", "alice+t", VERDICT_ABSENT, NULL, "alice+t", "", HOLD_NONE},
	    {"a login with a plus", "owner:@x.org=old login:alice+t=a@x.org", "alice+t", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    {"of a Windows domain", "owner:@x.org=old login:dom\\alice=a@x.org", "DOM\\Alice", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    {"one level: address", "owner:@x.org=old owner:b@x.org=new login:alice=a@x.org login:a@x.org=b@x.org", "alice", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    {"one level: domain", "owner:@x.org=old owner:@y.org=new login:alice=a@x.org login:@x.org=@y.org", "alice", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    {"one level: login", "owner:@x.org=old login:alice=bob login:bob=b@x.org", "alice", VERDICT_TEMP, NULL, "alice", "login:alice", HOLD_NONE},
	    {"to a domain", "owner:@x.org=old login:alice=@x.org", "alice", VERDICT_TEMP, NULL, "alice", "login:alice", HOLD_NONE},
	    {"to nothing", "owner:@x.org=old login:alice=", "alice", VERDICT_TEMP, NULL, "alice", "login:alice", HOLD_NONE},
	    {"to a bad address", "owner:@x.org=old login:alice=a\tb@x.org", "alice", VERDICT_TEMP, NULL, "alice", "login:alice", HOLD_NONE},
	    {"wrong type", "owner:@x.org=old login:alice=!", "alice", VERDICT_TEMP, NULL, "alice", "login:alice", HOLD_NONE},
	    {"target unmanaged", "login:alice=a@x.org", "alice", VERDICT_TEMP, NULL, "alice", "login:alice", HOLD_NONE},
	    {"target unmanaged, but has an owner", "login:alice=a@x.org owner:a@x.org=new", "alice", VERDICT_TEMP, NULL, "alice", "login:alice", HOLD_NONE},
	    {"target in the floor", "login:alice=a@floor.org owner:a@floor.org=new", "alice", VERDICT_FOUND, "new", "a@floor.org", "owner:a@floor.org", HOLD_NONE},
	    {"target in the floor without record", "login:alice=a@floor.org", "alice", VERDICT_TEMP, NULL, "alice", "owner:@floor.org", HOLD_NONE},
	    {"target's owner unreadable", "owner:@x.org=old login:alice=a@x.org owner:a@x.org=!", "alice", VERDICT_TEMP, NULL, "alice", "owner:a@x.org", HOLD_NONE},
	    {"target's hold", "owner:@x.org=old login:alice=a@x.org hold:a@x.org=all:1", "alice", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_ALL},
	    {"hold of the target's domain", "owner:@x.org=old login:alice=a@x.org hold:@x.org=mail:1", "alice", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_MAIL},
	    {"not the hold of the login", "owner:@x.org=old login:alice=a@x.org hold:alice=all:1", "alice", VERDICT_FOUND, "old", "a@x.org", "owner:@x.org", HOLD_NONE},
	    /* clang-format on */
	};

	CHECK_ROWS(rows);
}

static void
test_A12_an_unreadable_key_that_matters_is_trouble(void **state)
{
	static const struct row rows[] = {
	    /* clang-format off */
	    {"owner", "owner:@x.org=old owner:a@x.org=!", "a@x.org", VERDICT_TEMP, NULL, "a@x.org", "owner:a@x.org", HOLD_NONE},
	    {"owner, empty", "owner:@x.org=old owner:a@x.org=", "a@x.org", VERDICT_TEMP, NULL, NULL, "owner:a@x.org", HOLD_NONE},
	    {"owner, line", "owner:@x.org=old owner:a@x.org=new\n", "a@x.org", VERDICT_TEMP, NULL, NULL, "owner:a@x.org", HOLD_NONE},
	    {"owner of full, base is fine", "owner:@x.org=old owner:a+t@x.org=! owner:a@x.org=new", "a+t@x.org", VERDICT_TEMP, NULL, NULL, "owner:a+t@x.org", HOLD_NONE},
	    {"domain", "owner:@x.org=!", "a@x.org", VERDICT_TEMP, NULL, NULL, "owner:@x.org", HOLD_NONE},
	    {"domain does not matter", "owner:@x.org=! owner:a@x.org=new", "a@x.org", VERDICT_FOUND, "new", NULL, "owner:a@x.org", HOLD_NONE},
	    {"base does not matter", "owner:@x.org=old owner:a@x.org=! owner:a+t@x.org=new", "a+t@x.org", VERDICT_FOUND, "new", NULL, "owner:a+t@x.org", HOLD_NONE},
	    {"hold", "owner:@x.org=old hold:a@x.org=!", "a@x.org", VERDICT_TEMP, NULL, NULL, "hold:a@x.org", HOLD_NONE},
	    {"domain's hold", "owner:@x.org=old hold:@x.org=!", "a@x.org", VERDICT_TEMP, NULL, NULL, "hold:@x.org", HOLD_NONE},
	    {"domain's hold does not matter", "owner:@x.org=old hold:@x.org=! owner:a@x.org=new", "a@x.org", VERDICT_FOUND, "new", NULL, "owner:a@x.org", HOLD_NONE},
	    {"login", "owner:@x.org=old login:a@x.org=!", "a@x.org", VERDICT_TEMP, NULL, NULL, "login:a@x.org", HOLD_NONE},
	    {"login, no address", "owner:@x.org=old login:a@x.org=bob", "a@x.org", VERDICT_TEMP, NULL, NULL, "login:a@x.org", HOLD_NONE},
	    {"login, a domain", "owner:@x.org=old login:a@x.org=@x.org", "a@x.org", VERDICT_TEMP, NULL, NULL, "login:a@x.org", HOLD_NONE},
	    {"login does not matter", "owner:@x.org=old login:a@x.org=! owner:a@x.org=new", "a@x.org", VERDICT_FOUND, "new", NULL, "owner:a@x.org", HOLD_NONE},
	    {"alias domain", "owner:@x.org=old login:@x.org=!", "a@x.org", VERDICT_TEMP, NULL, NULL, "login:@x.org", HOLD_NONE},
	    {"alias domain, an address", "owner:@x.org=old login:@x.org=b@x.org", "a@x.org", VERDICT_TEMP, NULL, NULL, "login:@x.org", HOLD_NONE},
	    {"target's owner", "owner:@x.org=old login:a@x.org=b@x.org owner:b@x.org=!", "a@x.org", VERDICT_TEMP, NULL, NULL, "owner:b@x.org", HOLD_NONE},
	    {"complete", "owner:@x.org=old complete:@x.org=!", "a@x.org", VERDICT_TEMP, NULL, NULL, "complete:@x.org", HOLD_NONE},
	    {"complete does not matter", "owner:@x.org=old complete:@x.org=! owner:a@x.org=new", "a@x.org", VERDICT_FOUND, "new", NULL, "owner:a@x.org", HOLD_NONE},
	    /* clang-format on */
	};

	CHECK_ROWS(rows);
}

static void
a_complete_domain_knows_its_strangers(void **state)
{
	static const struct {
		const char *map, *address;
		bool is_unknown;
	} rows[] = {
	    {"owner:@x.org=old complete:@x.org=yes", "a@x.org", true},
	    {"owner:@x.org=old complete:@x.org=no", "a@x.org", false},
	    {"owner:@x.org=old", "a@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes owner:a@x.org=old", "a+t@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes login:a@x.org=b@x.org owner:b@x.org=old",
		"a@x.org", false},
	    /* A login key says so, wherever it leads; its target has to say it for itself. */
	    {"owner:@x.org=old complete:@x.org=yes login:a@x.org=b@x.org", "a@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes login:a@x.org=b@x.org", "a+t@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes login:a@x.org=b@x.org", "b@x.org", true},
	    {"owner:@x.org=old complete:@x.org=yes login:a@x.org=a@x.org", "a@x.org", false},
	    {"owner:@x.org=old owner:@y.org=new complete:@x.org=yes complete:@y.org=yes "
	     "login:a@x.org=b@y.org",
		"a@x.org", false},
	    {"owner:@x.org=old complete:@x.org=! login:a@x.org=b@x.org", "a@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes login:alice=b@x.org", "alice", false},
	    {"owner:@x.org=old complete:@x.org=yes login:alice=b@x.org owner:b@x.org=old", "alice",
		false},
	    /* RFC 5321, section 4.5.1 */
	    {"owner:@x.org=old complete:@x.org=yes", "PostMaster@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes", "\"postmaster\"@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes", "postmaster+a@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes", "postmaster2@x.org", true},
	    {"owner:@x.org=old complete:@x.org=!", "postmaster@x.org", false},
	    {"owner:@x.org=old owner:@y.org=new complete:@y.org=yes login:@x.org=@y.org",
		"postmaster@x.org", false},
	    /* Behind an alias domain the keys of both addresses count, but not the domain's own. */
	    {"owner:@x.org=old owner:@y.org=new complete:@y.org=yes login:@x.org=@y.org", "a@x.org",
		true},
	    {"owner:@x.org=old owner:@y.org=new complete:@x.org=yes login:@x.org=@y.org", "a@x.org",
		false},
	    {"owner:@x.org=old owner:@y.org=new complete:@y.org=yes login:@x.org=@y.org "
	     "owner:a@y.org=old",
		"a@x.org", false},
	    {"owner:@x.org=old owner:@y.org=new complete:@y.org=yes login:@x.org=@y.org "
	     "login:a@y.org=b@y.org",
		"a+t@x.org", false},
	    {"owner:@x.org=old owner:@y.org=new complete:@y.org=yes login:@x.org=@y.org "
	     "complete:a@y.org=alias",
		"a@x.org", false},
	    {"owner:@x.org=old owner:@y.org=new complete:@y.org=yes login:@x.org=@y.org "
	     "complete:a@x.org=alias",
		"a@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes login:@x.org=@x.org", "a@x.org", true},
	    {"owner:@x.org=old complete:@x.org=yes", "alice", false}, /* of no domain */
	    /* Known without an owner key: what Postfix expands. */
	    {"owner:@x.org=old complete:@x.org=yes complete:a@x.org=alias", "a@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes complete:a@x.org=alias", "a+t@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes complete:a+t@x.org=alias", "a+t@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes complete:a+t@x.org=alias", "a@x.org", true},
	    {"owner:@x.org=old complete:@x.org=yes complete:a@x.org=!", "a@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes complete:a@x.org=", "a@x.org", false},
	    {"owner:@x.org=old complete:@x.org=yes login:a@x.org=b@x.org complete:b@x.org=list",
		"a@x.org", false},
	    {"owner:@x.org=old complete:@x.org=catch-all", "a@x.org", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fetch *fetch = start(rows[i].address);

		if (read_once(fetch, rows[i].map) == FETCH_AGAIN)
			read_once(fetch, rows[i].map);
		assert_int_equal(fetch_finding(fetch)->is_unknown, rows[i].is_unknown);
		fetch_free(&fetch);
	}
}

/* What round one read must not show in the finding when round two reads something else. */
static void
the_second_round_decides_alone(void **state)
{
	static const struct {
		const char *what, *first, *second, *owner;
	} rows[] = {
	    /* clang-format off */
	    {"owner came", "owner:@x.org=old login:a@x.org=b@x.org", "owner:@x.org=old login:a@x.org=b@x.org owner:a@x.org=new", "new"},
	    {"login went", "owner:@x.org=old login:a@x.org=b@x.org", "owner:@x.org=third owner:b@x.org=new", "third"},
	    {"domain changed", "owner:@x.org=old login:a@x.org=b@x.org", "owner:@x.org=third login:a@x.org=b@x.org", "third"},
	    {"management ended", "owner:@x.org=old login:a@x.org=b@x.org", "login:a@x.org=b@x.org", NULL},
	    /* clang-format on */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fetch *fetch = start("a@x.org");

		assert_int_equal(read_once(fetch, rows[i].first), FETCH_AGAIN);
		assert_int_equal(read_once(fetch, rows[i].second), FETCH_DONE);
		if (!str_is(fetch_finding(fetch)->owner, rows[i].owner ? rows[i].owner : ""))
			fail_msg("%s: %.*s", rows[i].what, STR_FMT(fetch_finding(fetch)->owner));
		fetch_free(&fetch);
	}
}

/* The same of a login: nothing of the first target is in what the second round says. */
static void
a_login_that_leads_elsewhere_meanwhile_is_read_again(void **state)
{
	static const char first[] = "owner:@x.org=old login:alice=a@x.org hold:a@x.org=all:1";
	static const char second[] = "owner:@x.org=old owner:b@x.org=new login:alice=b@x.org";
	struct fetch *fetch = start("alice");

	assert_int_equal(read_once(fetch, first), FETCH_AGAIN);
	assert_int_equal(read_once(fetch, second), FETCH_AGAIN);
	assert_int_equal(read_once(fetch, second), FETCH_DONE);
	assert_true(str_is(fetch_finding(fetch)->account, "b@x.org"));
	assert_true(str_is(fetch_finding(fetch)->owner, "new"));
	assert_int_equal(fetch_finding(fetch)->hold, HOLD_NONE);
	fetch_free(&fetch);

	fetch = start("alice");
	assert_int_equal(read_once(fetch, first), FETCH_AGAIN);
	assert_int_equal(read_once(fetch, "owner:@x.org=old"), FETCH_DONE);
	assert_int_equal(fetch_finding(fetch)->verdict, VERDICT_ABSENT);
	assert_true(str_is(fetch_finding(fetch)->account, "alice"));
	fetch_free(&fetch);
}

static void
a_login_that_never_rests_ends_as_trouble(void **state)
{
	static const char *const names[] = {"a@x.org", "alice"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct fetch *fetch = start(names[i]);
		char map[100];
		int rounds = 0;

		do {
			snprintf(map, sizeof(map), "owner:@x.org=old login:%s=b%d@x.org", names[i],
			    rounds);
		} while (read_once(fetch, map) == FETCH_AGAIN && ++rounds < 100);
		assert_int_equal(rounds, 3);
		assert_int_equal(fetch_finding(fetch)->verdict, VERDICT_TEMP);
		fetch_free(&fetch);
	}
}

static void
keys_and_names_are_listed_once(void **state)
{
	static const char *const first[] = {"px:owner:a+t@x.org", "px:hold:a+t@x.org",
	    "px:login:a+t@x.org", "px:owner:a@x.org", "px:hold:a@x.org", "px:login:a@x.org",
	    "px:owner:@x.org", "px:hold:@x.org", "px:login:@x.org", "px:complete:a+t@x.org",
	    "px:complete:a@x.org", "px:complete:@x.org"};
	static const char *const names[] = {
	    "a+t@x.org", "a@x.org", "@x.org", "b+u@y.org", "b@y.org", "@y.org"};
	struct fetch *fetch = start("a+t@x.org");
	const struct str *list;

	assert_int_equal(fetch_keys(fetch, &list), ARRAY_LEN(first));
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		assert_true(str_is(list[i], first[i]));
	assert_int_equal(fetch_names(fetch, &list), 3);
	assert_int_equal(read_once(fetch, "owner:@x.org=old login:a@x.org=b+u@y.org"), FETCH_AGAIN);
	assert_int_equal(fetch_keys(fetch, &list), ARRAY_LEN(first) + 6);
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		assert_true(str_is(list[i], first[i]));
	assert_int_equal(fetch_names(fetch, &list), ARRAY_LEN(names));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(str_is(list[i], names[i]));
	fetch_free(&fetch);
	fetch_free(&fetch);
}

static void
a_login_is_asked_for_by_its_login_key_alone(void **state)
{
	static const char *const keys[] = {"px:login:alice", "px:owner:b+u@y.org",
	    "px:hold:b+u@y.org", "px:owner:b@y.org", "px:hold:b@y.org", "px:owner:@y.org",
	    "px:hold:@y.org"};
	static const char *const names[] = {"alice", "b+u@y.org", "b@y.org", "@y.org"};
	struct fetch *fetch = start("Alice");
	const struct str *list;

	assert_int_equal(fetch_keys(fetch, &list), 1);
	assert_true(str_is(list[0], keys[0]));
	assert_int_equal(fetch_names(fetch, &list), 1);
	assert_true(str_is(list[0], names[0]));
	assert_int_equal(read_once(fetch, "login:alice=b+u@y.org"), FETCH_AGAIN);
	assert_int_equal(fetch_keys(fetch, &list), ARRAY_LEN(keys));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_true(str_is(list[i], keys[i]));
	assert_int_equal(fetch_names(fetch, &list), ARRAY_LEN(names));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(str_is(list[i], names[i]));
	fetch_free(&fetch);
}

static void
behind_an_alias_domain_all_keys_of_both_are_read(void **state)
{
	static const char *const keys[] = {"px:owner:a+t@y.org", "px:hold:a+t@y.org",
	    "px:owner:a@y.org", "px:hold:a@y.org", "px:owner:@y.org", "px:hold:@y.org",
	    "px:login:a+t@y.org", "px:complete:a+t@y.org", "px:login:a@y.org",
	    "px:complete:a@y.org", "px:complete:@y.org"};
	struct fetch *fetch = start("a+t@x.org");
	const struct str *list;

	assert_int_equal(read_once(fetch, "owner:@x.org=old login:@x.org=@y.org"), FETCH_AGAIN);
	assert_int_equal(fetch_keys(fetch, &list), 12 + ARRAY_LEN(keys));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_true(str_is(list[12 + i], keys[i]));
	fetch_free(&fetch);
}

/* The same target, but other keys of it are needed now. */
static void
an_own_login_key_that_gives_way_to_its_domain_s_is_read_again(void **state)
{
	static const char own[] = "owner:@x.org=old owner:@y.org=new complete:@y.org=yes "
				  "login:@x.org=@y.org login:a@x.org=a@y.org";
	static const char domain[] = "owner:@x.org=old owner:@y.org=new complete:@y.org=yes "
				     "login:@x.org=@y.org";
	struct fetch *fetch = start("a@x.org");

	assert_int_equal(read_once(fetch, own), FETCH_AGAIN);
	assert_int_equal(read_once(fetch, domain), FETCH_AGAIN);
	assert_int_equal(read_once(fetch, domain), FETCH_DONE);
	assert_true(fetch_finding(fetch)->is_unknown);
	fetch_free(&fetch);

	fetch = start("a@x.org");
	assert_int_equal(read_once(fetch, domain), FETCH_AGAIN);
	assert_int_equal(read_once(fetch, own), FETCH_AGAIN);
	assert_int_equal(read_once(fetch, own), FETCH_DONE);
	assert_false(fetch_finding(fetch)->is_unknown);
	fetch_free(&fetch);
}

static void
a_changed_key_has_a_name(void **state)
{
	static const struct {
		struct str key;
		const char *name; /* NULL: nothing depends on it */
	} rows[] = {
	    {STR("px:owner:a@x.org"), "a@x.org"},
	    {STR("px:owner:@x.org"), "@x.org"},
	    {STR("px:hold:a:b@x.org"), "a:b@x.org"},
	    {STR("px:newer:a@x.org"), "a@x.org"},
	    {STR("px:login:alice"), "alice"},
	    {STR("px:owner:a\0b"), NULL},
	    {STR("px:owner:"), NULL},
	    {STR("px:owner"), NULL},
	    {STR("px:"), NULL},
	    {STR("px"), NULL},
	    {STR(""), NULL},
	    {STR("px.map"), NULL},
	    {STR("pxx:owner:a"), NULL},
	    {STR("other:owner:a"), NULL},
	};
	struct str name;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (i == 5) { /* NUL is plain data */
			assert_true(fetch_key_name("px", rows[i].key, &name));
			assert_int_equal(name.len, 3);
			continue;
		}
		assert_int_equal(fetch_key_name("px", rows[i].key, &name), rows[i].name != NULL);
		if (rows[i].name != NULL)
			assert_true(str_is(name, rows[i].name));
	}
}

/* What a snapshot needs: the names without the fetch, or to see that they are not all there. */
static void
names_follow_from_the_finding_but_for_an_extension_behind_a_login_key(void **state)
{
	static const struct {
		const char *what, *map, *address;
		bool all;
	} cases[] = {
	    {"own", "owner:@x.org=old owner:a@x.org=new", "a@x.org", true},
	    {"with an extension", "owner:@x.org=old owner:a@x.org=new", "a+t@x.org", true},
	    {"an extension that is an account", "owner:@x.org=old owner:a+t@x.org=new", "a+t@x.org",
		true},
	    {"login", "owner:@x.org=old owner:@y.org=old login:a@x.org=b@y.org", "a+t@x.org", true},
	    {"alias domain", "owner:@x.org=old owner:@y.org=old login:@x.org=@y.org", "a@x.org",
		true},
	    {"login to an account with an extension",
		"owner:@x.org=old owner:b+t@x.org=new login:a@x.org=b+t@x.org", "a@x.org", true},
	    {"login to an extension of an account",
		"owner:@x.org=old owner:b@x.org=new login:a@x.org=b+t@x.org", "a@x.org", false},
	    {"an extension in an alias domain",
		"owner:@x.org=old owner:@y.org=old login:@x.org=@y.org", "a+t@x.org", false},
	    {"login without domain", "owner:@y.org=old login:alice=b@y.org", "alice", true},
	    {"login without domain, nobody's", "", "alice", true},
	    {"login without domain to an extension", "owner:@y.org=old login:alice=b+t@y.org",
		"alice", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str names[FETCH_NAMES_MOST];
		struct fetch *fetch = start(cases[i].address);
		struct account asked, account;
		const struct str *list;
		size_t count, listed;

		if (read_once(fetch, cases[i].map) == FETCH_AGAIN)
			assert_int_equal(read_once(fetch, cases[i].map), FETCH_DONE);
		account_init(&asked);
		account_init(&account);
		account_read(&asked, str_of(cases[i].address), &rules);
		account_read(&account, fetch_finding(fetch)->account, &rules);
		count = fetch_finding_names(&asked, &account, names);
		listed = fetch_names(fetch, &list);
		if (count != listed - !cases[i].all)
			fail_msg("%s: %zu of %zu", cases[i].what, count, listed);
		for (size_t n = 0; cases[i].all && n < count; n++)
			assert_true(str_eq(names[n], list[n]));
		account_fini(&asked);
		account_fini(&account);
		fetch_free(&fetch);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_more_exact_key_wins),
	    cmocka_unit_test(only_managed_domains_are_answered_for),
	    cmocka_unit_test(holds_belong_to_the_account_that_decides),
	    cmocka_unit_test(a_login_is_its_login_key_and_nothing_else),
	    cmocka_unit_test(test_A12_an_unreadable_key_that_matters_is_trouble),
	    cmocka_unit_test(a_complete_domain_knows_its_strangers),
	    cmocka_unit_test(the_second_round_decides_alone),
	    cmocka_unit_test(a_login_that_leads_elsewhere_meanwhile_is_read_again),
	    cmocka_unit_test(a_login_that_never_rests_ends_as_trouble),
	    cmocka_unit_test(keys_and_names_are_listed_once),
	    cmocka_unit_test(a_login_is_asked_for_by_its_login_key_alone),
	    cmocka_unit_test(behind_an_alias_domain_all_keys_of_both_are_read),
	    cmocka_unit_test(an_own_login_key_that_gives_way_to_its_domain_s_is_read_again),
	    cmocka_unit_test(a_changed_key_has_a_name),
	    cmocka_unit_test(names_follow_from_the_finding_but_for_an_extension_behind_a_login_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
