/*
 * test_account.c - one name for every way to write an address
 */
#include "map/account.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "unit.h"

static const struct account_rules usual = {true, "+"}, exact = {false, "+"}, many = {true, "+-"},
				  none = {true, ""};

struct row {
	const char *what;
	struct str text;
	enum account_kind kind;
	const char *name, *base; /* base NULL: the same; BAD: name is the domain */
};

static void
check_rows(const struct row *rows, size_t count, const struct account_rules *rules)
{
	struct account account, again;

	account_init(&account);
	account_init(&again);
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		const char *base = row->base ? row->base : row->name;

		if (account_parse(&account, row->text, rules) != row->kind)
			fail_msg("%s: kind %d", row->what, account.kind);
		if (row->kind == ACCOUNT_BAD && !str_is(account.domain, row->name))
			fail_msg("%s: domain %.*s", row->what, STR_FMT(account.domain));
		if (row->kind == ACCOUNT_BAD)
			assert_non_null(account.why);
		if (row->kind != ACCOUNT_ADDRESS)
			continue;
		if (!str_is(account.name, row->name) || !str_is(account.base, base))
			fail_msg("%s: %.*s, base %.*s", row->what, STR_FMT(account.name),
			    STR_FMT(account.base));
		assert_int_equal(account_parse(&again, account.name, rules), ACCOUNT_ADDRESS);
		if (!str_eq(again.name, account.name) || !str_eq(again.base, account.base))
			fail_msg("%s: %.*s is no fixed point", row->what, STR_FMT(account.name));
		assert_int_equal(account_parse(&again, account.base, rules), ACCOUNT_ADDRESS);
		if (!str_eq(again.name, account.base) || !str_eq(again.base, account.base))
			fail_msg("%s: base %.*s is cut again", row->what, STR_FMT(account.base));
	}
	account_fini(&account);
	account_fini(&again);
}
#define CHECK_ROWS(rows, rules) check_rows((rows), ARRAY_LEN(rows), (rules))

static void
test_A8_ways_to_write_one_address_meet(void **state)
{
	static const struct row rows[] = {
	    /* clang-format off */
	    {"plain", STR("ann@example.org"), ACCOUNT_ADDRESS, "ann@example.org", NULL},
	    {"case", STR("Ann@EXAMPLE.Org"), ACCOUNT_ADDRESS, "ann@example.org", NULL},
	    {"final dot", STR("ann@example.org."), ACCOUNT_ADDRESS, "ann@example.org", NULL},
	    {"quoted for nothing", STR("\"ann\"@example.org"), ACCOUNT_ADDRESS, "ann@example.org", NULL},
	    {"pairs for nothing", STR("\"a\\nn\"@example.org"), ACCOUNT_ADDRESS, "ann@example.org", NULL},
	    {"space, quoted", STR("\"a b\"@x.org"), ACCOUNT_ADDRESS, "\"a b\"@x.org", NULL},
	    {"space, raw", STR("a b@x.org"), ACCOUNT_ADDRESS, "\"a b\"@x.org", NULL},
	    {"dots, quoted", STR("\"a..b\"@x.org"), ACCOUNT_ADDRESS, "\"a..b\"@x.org", NULL},
	    {"dots, raw", STR("a..b@x.org"), ACCOUNT_ADDRESS, "\"a..b\"@x.org", NULL},
	    {"dot at the end", STR("a.@x.org"), ACCOUNT_ADDRESS, "\"a.\"@x.org", NULL},
	    {"dot in front", STR(".a@x.org"), ACCOUNT_ADDRESS, "\".a\"@x.org", NULL},
	    {"at, quoted", STR("\"x@other\"@x.org"), ACCOUNT_ADDRESS, "\"x@other\"@x.org", NULL},
	    {"at, raw", STR("x@other@x.org"), ACCOUNT_ADDRESS, "\"x@other\"@x.org", NULL},
	    {"source route", STR("@a,@b:c@x.org"), ACCOUNT_ADDRESS, "\"@a,@b:c\"@x.org", NULL},
	    {"backslash, quoted", STR("\"a\\\\b\"@x.org"), ACCOUNT_ADDRESS, "\"a\\\\b\"@x.org", NULL},
	    {"backslash, raw", STR("a\\b@x.org"), ACCOUNT_ADDRESS, "\"a\\\\b\"@x.org", NULL},
	    {"quote, quoted", STR("\"a\\\"b\"@x.org"), ACCOUNT_ADDRESS, "\"a\\\"b\"@x.org", NULL},
	    {"quote, raw", STR("a\"b@x.org"), ACCOUNT_ADDRESS, "\"a\\\"b\"@x.org", NULL},
	    {"half quoted", STR("\"ab@x.org"), ACCOUNT_ADDRESS, "\"\\\"ab\"@x.org", NULL},
	    {"last quote is a pair", STR("\"ab\\\"@x.org"), ACCOUNT_ADDRESS, "\"\\\"ab\\\\\\\"\"@x.org", NULL},
	    {"hyphen in front", STR("-f@x.org"), ACCOUNT_ADDRESS, "-f@x.org", NULL},
	    {"underscores", STR("a_b@_dmarc.x_y.org"), ACCOUNT_ADDRESS, "a_b@_dmarc.x_y.org", NULL},
	    {"one label", STR("root@localhost"), ACCOUNT_ADDRESS, "root@localhost", NULL},
	    {"U-labels", STR("ann@B\xc3\xbc" "cher.example"), ACCOUNT_ADDRESS, "ann@xn--bcher-kva.example", NULL},
	    {"U-labels, capital", STR("ann@B\xc3\x9c" "CHER.example."), ACCOUNT_ADDRESS, "ann@xn--bcher-kva.example", NULL},
	    {"U-labels, decomposed", STR("ann@bu\xcc\x88" "cher.example"), ACCOUNT_ADDRESS, "ann@xn--bcher-kva.example", NULL},
	    {"A-labels", STR("ann@XN--BCHER-KVA.example"), ACCOUNT_ADDRESS, "ann@xn--bcher-kva.example", NULL},
	    {"sharp s is a letter", STR("ann@stra\xc3\x9f" "e.example"), ACCOUNT_ADDRESS, "ann@xn--strae-oqa.example", NULL},
	    {"ideographic full stop", STR("ann@b\xc3\xbc\xe3\x80\x82" "example"), ACCOUNT_ADDRESS, "ann@xn--b-eha.example", NULL},
	    {"underscore beside U-label", STR("ann@_x.b\xc3\xbc.example"), ACCOUNT_ADDRESS, "ann@_x.xn--b-eha.example", NULL},
	    {"SMTPUTF8", STR("J\xc3\xb6RG@x.org"), ACCOUNT_ADDRESS, "j\xc3\xb6rg@x.org", NULL},
	    {"SMTPUTF8, decomposed", STR("jo\xcc\x88rg@x.org"), ACCOUNT_ADDRESS, "j\xc3\xb6rg@x.org", NULL},
	    {"SMTPUTF8, capital", STR("J\xc3\x96RG@x.org"), ACCOUNT_ADDRESS, "j\xc3\xb6rg@x.org", NULL},
	    {"SMTPUTF8, quoted", STR("\"J\xc3\x96RG\"@x.org"), ACCOUNT_ADDRESS, "j\xc3\xb6rg@x.org", NULL},
	    {"sharp s in a local part", STR("Stra\xc3\x9f" "e@x.org"), ACCOUNT_ADDRESS, "strasse@x.org", NULL},
	    {"Greek question mark", STR("a\xcd\xbe@x.org"), ACCOUNT_ADDRESS, "\"a;\"@x.org", NULL},
	    {"iota subscript", STR("\xce\xb1\xcd\x85\xcc\x81@x.org"), ACCOUNT_ADDRESS, "\xce\xac\xce\xb9@x.org", NULL},
	    {"iota subscript and a comma below", STR("\xe1\xbe\xb4\xcc\xa6@x.org"), ACCOUNT_ADDRESS, "\xce\xac\xce\xb9\xcc\xa6@x.org", NULL},
	    {"the same as smtpd folds it", STR("\xce\xac\xce\xb9\xcc\xa6@x.org"), ACCOUNT_ADDRESS, "\xce\xac\xce\xb9\xcc\xa6@x.org", NULL},
	    {"IPv4 literal", STR("Ann@[127.0.0.1]"), ACCOUNT_ADDRESS, "ann@[127.0.0.1]", NULL},
	    {"IPv6 literal", STR("ann@[IPv6:2001:DB8:0:0::1]"), ACCOUNT_ADDRESS, "ann@[ipv6:2001:db8::1]", NULL},
	    {"IPv4 in IPv6", STR("ann@[IPv6:::ffff:102:304]"), ACCOUNT_ADDRESS, "ann@[ipv6:::ffff:1.2.3.4]", NULL},
	    {"other literal", STR("ann@[X-Tag:Content!]"), ACCOUNT_ADDRESS, "ann@[x-tag:content!]", NULL},
	    {"63 bytes in a label", STR("a@a23456789012345678901234567890123456789012345678901234567890123"), ACCOUNT_ADDRESS, "a@a23456789012345678901234567890123456789012345678901234567890123", NULL},
	    /* clang-format on */
	};

	CHECK_ROWS(rows, &usual);
}

static void
test_A8_what_is_not_the_same_stays_apart(void **state)
{
	static const struct row rows[] = {
	    /* clang-format off */
	    {"case, unfolded", STR("Ann@EXAMPLE.org"), ACCOUNT_ADDRESS, "Ann@example.org", NULL},
	    {"UTF-8 case, unfolded", STR("J\xc3\x96rg@x.org"), ACCOUNT_ADDRESS, "J\xc3\x96rg@x.org", NULL},
	    {"only NFC, unfolded", STR("JO\xcc\x88rg@x.org"), ACCOUNT_ADDRESS, "J\xc3\x96rg@x.org", NULL},
	    {"postmaster always folds", STR("PostMaster@x.org"), ACCOUNT_ADDRESS, "postmaster@x.org", NULL},
	    {"space in front", STR(" ann@x.org"), ACCOUNT_ADDRESS, "\" ann\"@x.org", NULL},
	    {"two quoted words", STR("\"a\".\"b\"@x.org"), ACCOUNT_ADDRESS, "\"\\\"a\\\".\\\"b\\\"\"@x.org", NULL},
	    {"compatibility letters", STR("\xef\xbd\x81@x.org"), ACCOUNT_ADDRESS, "\xef\xbd\x81@x.org", NULL},
	    /* clang-format on */
	};

	CHECK_ROWS(rows, &exact);
}

static void
test_A8_extensions_are_cut_as_in_Postfix(void **state)
{
	static const struct row rows[] = {
	    /* clang-format off */
	    {"extension", STR("Ann+Tag@x.org"), ACCOUNT_ADDRESS, "ann+tag@x.org", "ann@x.org"},
	    {"empty extension", STR("ann+@x.org"), ACCOUNT_ADDRESS, "ann+@x.org", "ann@x.org"},
	    {"two", STR("ann+a+b@x.org"), ACCOUNT_ADDRESS, "ann+a+b@x.org", "ann@x.org"},
	    {"in front", STR("+ann+a@x.org"), ACCOUNT_ADDRESS, "+ann+a@x.org", NULL},
	    {"quoted", STR("\"ann+a b\"@x.org"), ACCOUNT_ADDRESS, "\"ann+a b\"@x.org", "ann@x.org"},
	    {"quoted stays quoted", STR("\"a b+c\"@x.org"), ACCOUNT_ADDRESS, "\"a b+c\"@x.org", "\"a b\"@x.org"},
	    {"base needs quotes", STR("a.+b@x.org"), ACCOUNT_ADDRESS, "a.+b@x.org", "\"a.\"@x.org"},
	    {"postmaster", STR("postmaster+a@x.org"), ACCOUNT_ADDRESS, "postmaster+a@x.org", "postmaster@x.org"},
	    {"hyphen is none", STR("a-b@x.org"), ACCOUNT_ADDRESS, "a-b@x.org", NULL},
	    {"owner-, hyphen is none", STR("owner-a+b@x.org"), ACCOUNT_ADDRESS, "owner-a+b@x.org", "owner-a@x.org"},
	    {"UTF-8", STR("\xc3\xb6+\xc3\xb6@x.org"), ACCOUNT_ADDRESS, "\xc3\xb6+\xc3\xb6@x.org", "\xc3\xb6@x.org"},
	    /* clang-format on */
	};
	static const struct row rows_many[] = {
	    {"hyphen", STR("a-b+c@x.org"), ACCOUNT_ADDRESS, "a-b+c@x.org", "a@x.org"},
	    {"plus", STR("a+b-c@x.org"), ACCOUNT_ADDRESS, "a+b-c@x.org", "a@x.org"},
	    {"owner-", STR("Owner-a+b@x.org"), ACCOUNT_ADDRESS, "owner-a+b@x.org", NULL},
	    {"-request", STR("a+b-Request@x.org"), ACCOUNT_ADDRESS, "a+b-request@x.org", NULL},
	    {"-request alone", STR("-request@x.org"), ACCOUNT_ADDRESS, "-request@x.org", NULL},
	    {"double-bounce", STR("Double-Bounce@x.org"), ACCOUNT_ADDRESS, "double-bounce@x.org",
		NULL},
	    {"mailer-daemon", STR("MAILER-DAEMON@x.org"), ACCOUNT_ADDRESS, "mailer-daemon@x.org",
		NULL},
	};
	static const struct row rows_none[] = {
	    {"no delimiter", STR("a+b@x.org"), ACCOUNT_ADDRESS, "a+b@x.org", NULL},
	};

	CHECK_ROWS(rows, &usual);
	CHECK_ROWS(rows_many, &many);
	CHECK_ROWS(rows_none, &none);
}

static void
test_A5_what_is_no_address_says_so(void **state)
{
	static const struct row rows[] = {
	    {"empty", STR(""), ACCOUNT_OTHER, NULL, NULL},
	    {"star", STR("*"), ACCOUNT_OTHER, NULL, NULL},
	    {"null sender", STR("<>"), ACCOUNT_OTHER, NULL, NULL},
	    {"null sender, quoted", STR("\"<>\""), ACCOUNT_OTHER, NULL, NULL},
	    {"null sender, empty", STR("\"\""), ACCOUNT_OTHER, NULL, NULL},
	    {"domain", STR("example.org"), ACCOUNT_OTHER, NULL, NULL},
	    {"NUL without at", STR("a\0b"), ACCOUNT_OTHER, NULL, NULL},
	    {"no local part", STR("@x.org"), ACCOUNT_BAD, "x.org", NULL},
	    {"empty quotes", STR("\"\"@x.org"), ACCOUNT_BAD, "x.org", NULL},
	    {"no domain", STR("a@"), ACCOUNT_BAD, "", NULL},
	    {"only at", STR("@"), ACCOUNT_BAD, "", NULL},
	    {"only dot", STR("a@."), ACCOUNT_BAD, "", NULL},
	    {"NUL", STR("a\0b@X.org"), ACCOUNT_BAD, "x.org", NULL},
	    {"CR LF", STR("a\r\nb@x.org"), ACCOUNT_BAD, "x.org", NULL},
	    {"CR in quotes", STR("\"a\\\rb\"@x.org"), ACCOUNT_BAD, "x.org", NULL},
	    {"TAB", STR("a\tb@x.org"), ACCOUNT_BAD, "x.org", NULL},
	    {"DEL", STR("a\177@x.org"), ACCOUNT_BAD, "x.org", NULL},
	    {"C1 control", STR("a\xc2\x9b@x.org"), ACCOUNT_BAD, "x.org", NULL},
	    {"lone surrogate", STR("a\xed\xa0\x80@x.org"), ACCOUNT_BAD, "x.org", NULL},
	    {"cut UTF-8", STR("a\xc3@x.org"), ACCOUNT_BAD, "x.org", NULL},
	    {"Latin-1", STR("\xe4@b\xc3\xbc.org"), ACCOUNT_BAD, "xn--b-eha.org", NULL},
	    {"overlong UTF-8", STR("a\xc0\xaf@x.org"), ACCOUNT_BAD, "x.org", NULL},
	    {"domain with NUL", STR("a@x\0.org"), ACCOUNT_BAD, "", NULL},
	    {"domain with LF", STR("a@x.org\n"), ACCOUNT_BAD, "", NULL},
	    {"domain with space", STR("a@x .org"), ACCOUNT_BAD, "", NULL},
	    {"domain with Latin-1", STR("a@b\xfc.org"), ACCOUNT_BAD, "", NULL},
	    {"domain with lone surrogate", STR("a@\xed\xa0\x80.org"), ACCOUNT_BAD, "", NULL},
	    {"U-label with NUL", STR("a@b\xc3\xbc\0.org"), ACCOUNT_BAD, "", NULL},
	    {"empty label", STR("a@x..org"), ACCOUNT_BAD, "", NULL},
	    {"two final dots", STR("a@x.org.."), ACCOUNT_BAD, "", NULL},
	    {"hyphen at an end", STR("a@x-.org"), ACCOUNT_BAD, "", NULL},
	    {"hyphen in front", STR("a@-x.org"), ACCOUNT_BAD, "", NULL},
	    {"64 bytes in a label",
		STR("a@a234567890123456789012345678901234567890123456789012345678901234"),
		ACCOUNT_BAD, "", NULL},
	    {"angle brackets", STR("<a@x.org>"), ACCOUNT_BAD, "", NULL},
	    {"at in quotes alone", STR("\"a@b\""), ACCOUNT_BAD, "", NULL},
	    {"literal, empty", STR("a@[]"), ACCOUNT_BAD, "", NULL},
	    {"literal, open", STR("a@[1.2.3.4"), ACCOUNT_BAD, "", NULL},
	    {"literal, bad IPv4", STR("a@[1.2.3.256]"), ACCOUNT_BAD, "", NULL},
	    {"literal, bad IPv6", STR("a@[IPv6:1]"), ACCOUNT_BAD, "", NULL},
	    {"literal, NUL", STR("a@[1.2.3.4\0]"), ACCOUNT_BAD, "", NULL},
	    {"literal, bracket in it", STR("a@[x:a[b]"), ACCOUNT_BAD, "", NULL},
	    {"literal, zone", STR("a@[IPv6:fe80::1%eth0]"), ACCOUNT_BAD, "", NULL},
	};

	CHECK_ROWS(rows, &usual);
}

static void
test_A7_special_characters_are_plain_data(void **state)
{
	static const struct row rows[] = {
	    {"glob", STR("*@x.org"), ACCOUNT_ADDRESS, "*@x.org", NULL},
	    {"question", STR("a?@x.org"), ACCOUNT_ADDRESS, "a?@x.org", NULL},
	    {"hash tag", STR("{a}@x.org"), ACCOUNT_ADDRESS, "{a}@x.org", NULL},
	    {"format", STR("%n%s@x.org"), ACCOUNT_ADDRESS, "%n%s@x.org", NULL},
	    {"percent encoding", STR("%00@x.org"), ACCOUNT_ADDRESS, "%00@x.org", NULL},
	    {"command", STR("$(id)@x.org"), ACCOUNT_ADDRESS, "\"$(id)\"@x.org", NULL},
	    {"class", STR("[a-z]@x.org"), ACCOUNT_ADDRESS, "\"[a-z]\"@x.org", NULL},
	    {"domain with glob", STR("a@*.org"), ACCOUNT_BAD, "", NULL},
	    {"domain with percent", STR("a@%d.org"), ACCOUNT_BAD, "", NULL},
	};

	CHECK_ROWS(rows, &usual);
}

/* A local part of len bytes, made of one byte, and "@x.org" behind it. */
static struct str
long_address(char *room, size_t len, char c)
{
	memset(room, c, len);
	memcpy(room + len - 6, "@x.org", 6);
	return str_make(room, len);
}

static void
test_A4_long_keys_are_bounded_and_keep_their_domain(void **state)
{
	static const struct {
		size_t len;
		char c;
		enum account_kind kind;
	} rows[] = {
	    {9999, 'a', ACCOUNT_ADDRESS},
	    {10000, 'a', ACCOUNT_ADDRESS},
	    {10001, 'a', ACCOUNT_BAD},
	    {100000, 'a', ACCOUNT_BAD},
	    {100000, '@', ACCOUNT_BAD},
	    {100000, '"', ACCOUNT_BAD},
	    {9000, '"', ACCOUNT_BAD}, /* twice as long when it is quoted */
	    {9999, '.', ACCOUNT_BAD}, /* two more when it is quoted */
	    {9998, '.', ACCOUNT_ADDRESS},
	};
	static char room[100001];
	struct account account;

	account_init(&account);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str text = long_address(room, rows[i].len, rows[i].c);

		assert_int_equal(account_parse(&account, text, &usual), rows[i].kind);
		assert_true(str_is(account.domain, "x.org"));
		assert_true(account.name.len <= ACCOUNT_MAX_BYTES);
	}
	memset(room, 'a', sizeof(room));
	room[1] = '@'; /* and a domain that is too long to be one */
	assert_int_equal(account_parse(&account, str_make(room, 100000), &usual), ACCOUNT_BAD);
	assert_int_equal(account.domain.len, 0);
	assert_int_equal(account_parse(&account, str_make(room + 2, 99000), &usual), ACCOUNT_OTHER);
	account_fini(&account);
}

static void
test_A4_no_long_key_takes_long(void **state)
{
	static const char *const pieces[] = {"a", "@", "\"", "\\", ".", "\xc3\xa4",
	    "a\xcc\x88\xcc\xa3", "\xcc\x80\xcc\xa3", "\xed\x95\x9c", "\xce\x90", "\xff", "+"};
	static char room[100001];
	struct account account;
	clock_t start = clock();

	account_init(&account);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		for (size_t len = 9900; len <= 99000; len *= 10) {
			size_t n = strlen(pieces[i]);

			for (size_t at = 0; at < len; at++)
				room[at] = pieces[i][at % n];
			memcpy(room + len, "@x.org", 6);
			account_parse(&account, str_make(room, len + 6), &usual);
			assert_true(str_is(account.domain, "x.org"));
		}
	}
	account_fini(&account);
	assert_true(clock() - start < CLOCKS_PER_SEC * 5); /* 10 ms without sanitizers */
}

static void
domains_are_bounded_as_names_in_the_DNS(void **state)
{
	char text[300];
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? '.' : 'a';
	assert_true(account_domain(str_make(text, 253), &out));
	assert_int_equal(buf_len(&out), 253);
	assert_true(account_domain(str_make(text, 254), &out)); /* with its final dot */
	assert_false(account_domain(str_make(text, 255), &out));
	assert_false(account_domain(str_make(text, 256), &out));
	assert_false(account_domain(STR(""), &out));
	buf_clear(&out);
	assert_true(account_domain(STR("[IPv6:::1]"), &out));
	assert_string_equal(buf_cstr(&out), "[ipv6:::1]");
	buf_fini(&out);
}

static void
logins_without_a_domain_are_folded_and_never_quoted_or_cut(void **state)
{
	static const struct {
		const char *what;
		struct str text;
		const char *login, *exact; /* NULL: none; without fold_local, NULL: the same */
	} rows[] = {
	    {"plain", STR("alice"), "alice", NULL},
	    {"case", STR("Alice"), "alice", "Alice"},
	    {"of a Windows domain", STR("DOM\\Alice"), "dom\\alice", "DOM\\Alice"},
	    {"space", STR("a b"), "a b", NULL},
	    {"space in front", STR(" a"), " a", NULL},
	    {"extension", STR("a+b"), "a+b", NULL},
	    {"dots", STR("a..b."), "a..b.", NULL},
	    {"like a domain", STR("Example.org"), "example.org", "Example.org"},
	    {"quotes", STR("\"a b\""), "\"a b\"", NULL},
	    {"only quotes", STR("\"\""), "\"\"", NULL},
	    {"one quote", STR("\""), "\"", NULL},
	    {"postmaster always folds", STR("PostMaster"), "postmaster", "postmaster"},
	    {"UTF-8", STR("J\xc3\x96RG"), "j\xc3\xb6rg", "J\xc3\x96RG"},
	    {"decomposed", STR("jo\xcc\x88rg"), "j\xc3\xb6rg", "j\xc3\xb6rg"},
	    {"star", STR("*"), "*", NULL},
	    {"colon", STR("a:b"), "a:b", NULL},
	    {"address", STR("alice@x.org"), NULL, NULL},
	    {"domain", STR("@x.org"), NULL, NULL},
	    {"at in quotes", STR("\"a@b\""), NULL, NULL},
	    {"at alone", STR("@"), NULL, NULL},
	    {"empty", STR(""), NULL, NULL},
	    {"line", STR("a\nb"), NULL, NULL},
	    {"NUL", STR("a\0b"), NULL, NULL},
	    {"DEL", STR("a\177"), NULL, NULL},
	    {"C1 control", STR("a\xc2\x9b"), NULL, NULL},
	    {"Latin-1", STR("a\xff"), NULL, NULL},
	    {"cut UTF-8", STR("a\xc3"), NULL, NULL},
	};
	const struct account_rules *const rules[] = {&usual, &many, &exact};
	struct account account, again;

	account_init(&account);
	account_init(&again);
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(rules); i++) {
		const struct account_rules *by = rules[i / ARRAY_LEN(rows)];
		const char *login = rows[i % ARRAY_LEN(rows)].login,
			   *what = rows[i % ARRAY_LEN(rows)].what;
		struct str text = rows[i % ARRAY_LEN(rows)].text;

		if (by == &exact && rows[i % ARRAY_LEN(rows)].exact != NULL)
			login = rows[i % ARRAY_LEN(rows)].exact;
		account_parse(&account, STR("b+t@x.org"), by); /* nothing of it is left */
		if ((account_login(&account, text, by) == ACCOUNT_LOGIN) != (login != NULL))
			fail_msg("%s: kind %d", what, account.kind);
		assert_int_equal(account.kind, login != NULL ? ACCOUNT_LOGIN : ACCOUNT_OTHER);
		assert_true(account.domain.len == 0 && account.why == NULL);
		if (!str_is(account.name, login != NULL ? login : ""))
			fail_msg("%s: %.*s", what, STR_FMT(account.name));
		assert_true(str_eq(account.name, account.base));
		assert_true(str_eq(account.name, account.local));
		if (login == NULL)
			continue;
		assert_int_equal(account_login(&again, account.name, by), ACCOUNT_LOGIN);
		if (!str_eq(again.name, account.name))
			fail_msg("%s is no fixed point", what);
	}
	account_fini(&account);
	account_fini(&again);
}

static void
test_A4_long_logins_are_bounded(void **state)
{
	static char room[2 * ACCOUNT_MAX_BYTES];
	struct account account;

	account_init(&account);
	memset(room, 'A', sizeof(room));
	assert_int_equal(account_login(&account, str_make(room, ACCOUNT_MAX_BYTES), &usual),
	    ACCOUNT_LOGIN);
	assert_int_equal(account.name.len, ACCOUNT_MAX_BYTES);
	assert_int_equal(account_login(&account, str_make(room, ACCOUNT_MAX_BYTES + 1), &usual),
	    ACCOUNT_OTHER);
	for (size_t i = 0; i < sizeof(room); i += 2)
		memcpy(room + i, "\xce\x90", 2); /* folds to six bytes */
	assert_int_equal(account_login(&account, str_make(room, ACCOUNT_MAX_BYTES), &usual),
	    ACCOUNT_OTHER);
	account_fini(&account);
}

static void
a_name_is_read_as_an_address_or_as_a_login(void **state)
{
	static const struct {
		const char *text;
		enum account_kind kind;
	} rows[] = {
	    {"ann+t@x.org", ACCOUNT_ADDRESS},
	    {"alice", ACCOUNT_LOGIN},
	    {"example.org", ACCOUNT_LOGIN},
	    {"", ACCOUNT_OTHER},
	    {"a\n", ACCOUNT_OTHER},
	    {"@x.org", ACCOUNT_BAD},
	    {"a@", ACCOUNT_BAD},
	};
	struct account account;

	account_init(&account);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_name = rows[i].kind == ACCOUNT_ADDRESS || rows[i].kind == ACCOUNT_LOGIN;

		assert_int_equal(account_read(&account, str_of(rows[i].text), &usual), is_name);
		assert_int_equal(account.kind, rows[i].kind);
	}
	account_fini(&account);
}

/* Whatever is taken is its own canonical form, and so is its base; raw and quoted forms meet. */
static void
check_harmless(struct account *account, struct account *again, struct str text,
    const struct account_rules *rules)
{
	char quoted[512];
	size_t n = 0, at = str_rfind(text, '@');

	if (account_parse(account, text, rules) != ACCOUNT_ADDRESS)
		return;
	assert_int_equal(account->domain.ptr[-1], '@');
	assert_int_equal(account_parse(again, account->name, rules), ACCOUNT_ADDRESS);
	assert_true(str_eq(again->name, account->name));
	assert_true(str_eq(again->base, account->base));
	assert_int_equal(account_parse(again, account->base, rules), ACCOUNT_ADDRESS);
	assert_true(str_eq(again->name, account->base));
	if (text.ptr[0] == '"')
		return;
	quoted[n++] = '"';
	for (size_t i = 0; i < at; i++) {
		if (strchr("\"\\", text.ptr[i]) != NULL)
			quoted[n++] = '\\';
		quoted[n++] = text.ptr[i];
	}
	quoted[n++] = '"';
	memcpy(quoted + n, text.ptr + at, text.len - at);
	assert_int_equal(account_parse(again, str_make(quoted, n + text.len - at), rules),
	    ACCOUNT_ADDRESS);
	assert_true(str_eq(again->name, account->name));
}

static void
every_cut_is_harmless_and_every_name_a_fixed_point(void **state)
{
	static const char whole[] =
	    "\"J\xc3\x96.\\\"x@y+-Z \xce\xb1\xcd\x85\"+e@B\xc3\xbc.xn--bcher-kva.[1.2]\0.";
	struct account account, again;

	account_init(&account);
	account_init(&again);
	for (size_t from = 0; from < sizeof(whole); from++) {
		for (size_t to = from; to < sizeof(whole); to++) {
			struct str text = str_make(whole + from, to - from);
			char *copy = xrealloc(NULL, text.len + (text.len == 0));

			memcpy(copy, text.ptr, text.len); /* exact, so that reading past it shows */
			text.ptr = copy;
			check_harmless(&account, &again, text, &usual);
			check_harmless(&account, &again, text, &exact);
			free(copy);
		}
	}
	account_fini(&account);
	account_fini(&again);
}

static void
random_addresses_have_one_form(void **state)
{
	static const char *const pieces[] = {"a", "B", ".", "+", "-", "\"", "\\", " ", "@",
	    "owner-", "-request", "\xc3\x9f", "\xc4\xb0", "\xcd\x85", "\xcc\x81", "\xce\xb1",
	    "\xe1\xbe\xb4", "\xcf\x83", "\xcf\x82", "\xe2\x84\xaa", "\xe1\xba\x9e", "\xef\xac\x83",
	    "\xea\xae\xb0", "\xe1\x82\xa0", "\xcc\xa3", "\xe1\x84\x80\xe1\x85\xa1", "\xcd\xbe",
	    "\xf0\x90\x90\x80", "\xc5\x89", "\xc7\xb0"};
	struct account account, again;
	char text[128];

	srand(20); /* the same ones every time */
	account_init(&account);
	account_init(&again);
	for (int round = 0; round < 100000; round++) {
		size_t len = 0;

		for (int n = rand() % 10; n >= 0; n--) {
			const char *piece = pieces[(size_t)rand() % ARRAY_LEN(pieces)];

			memcpy(text + len, piece, strlen(piece));
			len += strlen(piece);
		}
		memcpy(text + len, "@x.org", 6);
		check_harmless(&account, &again, str_make(text, len + 6),
		    round % 2 ? &usual : &many);
		check_harmless(&account, &again, str_make(text, len + 6), &exact);
	}
	account_fini(&account);
	account_fini(&again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_A4_long_keys_are_bounded_and_keep_their_domain),
	    cmocka_unit_test(test_A4_no_long_key_takes_long),
	    cmocka_unit_test(test_A4_long_logins_are_bounded),
	    cmocka_unit_test(test_A5_what_is_no_address_says_so),
	    cmocka_unit_test(test_A7_special_characters_are_plain_data),
	    cmocka_unit_test(test_A8_ways_to_write_one_address_meet),
	    cmocka_unit_test(test_A8_what_is_not_the_same_stays_apart),
	    cmocka_unit_test(test_A8_extensions_are_cut_as_in_Postfix),
	    cmocka_unit_test(domains_are_bounded_as_names_in_the_DNS),
	    cmocka_unit_test(logins_without_a_domain_are_folded_and_never_quoted_or_cut),
	    cmocka_unit_test(a_name_is_read_as_an_address_or_as_a_login),
	    cmocka_unit_test(every_cut_is_harmless_and_every_name_a_fixed_point),
	    cmocka_unit_test(random_addresses_have_one_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
