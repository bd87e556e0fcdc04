/*
 * test_transfer.c - the lines of import and export
 */
#include "admin/transfer.h"

#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
a_row_is_an_address_and_a_destination(void **state)
{
	static const struct {
		const char *name, *line;
		enum transfer_form form;
		int rc;
		const char *address, *owner;
	} cases[] = {
	    {"text", "a@b new", TRANSFER_TEXT, 1, "a@b", "new"},
	    {"text with tabs and spaces", " a@b \t new \r", TRANSFER_TEXT, 1, "a@b", "new"},
	    {"a quoted local part", "\"a b\"@c new", TRANSFER_TEXT, 1, "\"a b\"@c", "new"},
	    {"a domain", "@b old", TRANSFER_TEXT, 1, "@b", "old"},
	    {"nothing", "", TRANSFER_TEXT, 0, NULL, NULL},
	    {"only space", " \t", TRANSFER_TEXT, 0, NULL, NULL},
	    {"a comment", "# a@b new", TRANSFER_TEXT, 0, NULL, NULL},
	    {"one word", "a@b", TRANSFER_TEXT, -1, NULL, NULL},
	    {"NDJSON", "{\"address\":\"a@b\",\"owner\":\"new\"}", TRANSFER_NDJSON, 1, "a@b", "new"},
	    {"more than is asked for", "{\"owner\":\"new\",\"x\":[1],\"address\":\"a@b\"}",
		TRANSFER_NDJSON, 1, "a@b", "new"},
	    {"escapes", "{\"address\":\"\\u00e4@b\",\"owner\":\"n\"}", TRANSFER_NDJSON, 1,
		"\xc3\xa4@b", "n"},
	    {"an empty line", "", TRANSFER_NDJSON, 0, NULL, NULL},
	    {"no JSON", "{\"address\":", TRANSFER_NDJSON, -1, NULL, NULL},
	    {"text among NDJSON", "a@b new", TRANSFER_NDJSON, -1, NULL, NULL},
	    {"no owner", "{\"address\":\"a@b\"}", TRANSFER_NDJSON, -1, NULL, NULL},
	    {"an owner that is no string", "{\"address\":\"a@b\",\"owner\":1}", TRANSFER_NDJSON, -1,
		NULL, NULL},
	    {"a name twice", "{\"address\":\"a@b\",\"address\":\"c@b\",\"owner\":\"n\"}",
		TRANSFER_NDJSON, -1, NULL, NULL},
	    {"a list", "[1]", TRANSFER_NDJSON, -1, NULL, NULL},
	    {"a NUL inside", "{\"address\":\"a\\u0000@b\",\"owner\":\"n\"}", TRANSFER_NDJSON, -1,
		NULL, NULL},
	};
	struct buf store = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str address, owner;
		struct fault fault = {0};
		int rc = transfer_row_read(str_of(cases[i].line), cases[i].form, &store, &address,
		    &owner, &fault);

		if (rc != cases[i].rc)
			fail_msg("%s: %d, %s", cases[i].name, rc, fault.text);
		if (rc == 1 &&
		    (!str_is(address, cases[i].address) || !str_is(owner, cases[i].owner)))
			fail_msg("%s: %.*s, %.*s", cases[i].name, STR_FMT(address), STR_FMT(owner));
	}
	buf_fini(&store);
}

static void
every_line_may_be_cut_anywhere(void **state)
{
	static const char *const lines[] = {
	    "{\"address\":\"a\\u00e4@b\",\"owner\":\"new\"}",
	    "\"a b\"@c new",
	    "# splitmx-accounts schema=1 accounts=2 map=m digest=sha256:" DIGEST,
	    "{\"splitmx\":\"accounts\",\"schema\":1,\"digest\":\"sha256:" DIGEST "\"}",
	};
	struct buf store = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		for (size_t len = 0; len <= strlen(lines[i]); len++) {
			char *cut = xstrndup(lines[i], len);
			struct transfer_header header;
			struct str line = str_of(cut), address, owner;
			struct fault fault;

			transfer_header_read(line, &header, &fault);
			transfer_row_read(line, transfer_form_of(line), &store, &address, &owner,
			    &fault);
			free(cut);
		}
	}
	buf_fini(&store);
}

static void
a_header_says_what_follows(void **state)
{
	static const struct {
		const char *name, *line;
		int rc;
		uint64_t schema, accounts;
		const char *map, *digest;
	} cases[] = {
	    {"text", "# splitmx-accounts schema=1 accounts=7 map=m-1 digest=sha256:" DIGEST, 1, 1,
		7, "m-1", DIGEST},
	    {"NDJSON",
		"{\"splitmx\":\"accounts\",\"schema\":1,\"accounts\":7,\"map\":\"m-1\","
		"\"digest\":\"sha256:" DIGEST "\"}",
		1, 1, 7, "m-1", DIGEST},
	    {"without a digest", "# splitmx-accounts schema=1", 1, 1, 0, "", ""},
	    {"a row", "a@b new", 0, 0, 0, "", ""},
	    {"a comment", "# schema=1", 0, 0, 0, "", ""},
	    {"a row in JSON", "{\"address\":\"a@b\",\"owner\":\"new\"}", 0, 0, 0, "", ""},
	    {"another digest", "# splitmx-accounts schema=1 digest=md5:00", -1, 0, 0, "", ""},
	    {"a short digest", "{\"splitmx\":\"accounts\",\"digest\":\"sha256:00\"}", -1, 0, 0, "",
		""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct transfer_header header;
		struct fault fault = {0};
		int rc = transfer_header_read(str_of(cases[i].line), &header, &fault);

		if (rc != cases[i].rc)
			fail_msg("%s: %d, %s", cases[i].name, rc, fault.text);
		if (rc != 1)
			continue;
		assert_int_equal(header.schema, cases[i].schema);
		assert_int_equal(header.accounts, cases[i].accounts);
		assert_string_equal(header.map, cases[i].map);
		assert_string_equal(header.digest, cases[i].digest);
	}
}

static void
what_is_written_is_read_again(void **state)
{
	static const struct {
		const char *address, *owner;
		bool text, ndjson; /* can it be said in this form? */
	} cases[] = {
	    {"a@b", "new", true, true},
	    {"\"a \\\" b\"@c", "old", true, true},
	    {"\xc3\xa4@b", "new", true, true},
	    {"\xff@b", "new", true, false},
	    {"a\nb@c", "new", false, true},
	    {"#a@b", "new", false, true},
	    {"a@b", "two words", false, true},
	    {"a@b", "", false, true},
	};
	struct buf out = BUF_INIT, store = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases) * 2; i++) {
		enum transfer_form form = i % 2 ? TRANSFER_NDJSON : TRANSFER_TEXT;
		struct str address = str_of(cases[i / 2].address),
			   owner = str_of(cases[i / 2].owner);
		struct str a, o, line;
		struct fault fault;

		buf_clear(&out);
		assert_int_equal(transfer_row_write(&out, form, address, owner),
		    i % 2 ? cases[i / 2].ndjson : cases[i / 2].text);
		if (buf_len(&out) == 0)
			continue;
		line = buf_str(&out);
		assert_int_equal(line.ptr[--line.len], '\n');
		assert_int_equal(transfer_row_read(line, form, &store, &a, &o, &fault), 1);
		assert_true(str_eq(a, address) && str_eq(o, owner));
	}
	buf_fini(&out);
	buf_fini(&store);
}

static void
a_header_is_read_as_it_was_written(void **state)
{
	struct transfer_header header = {.schema = 1, .accounts = 5, .digest = DIGEST, .map = "m"};

	for (int form = TRANSFER_NDJSON; form <= TRANSFER_TEXT; form++) {
		struct transfer_header again;
		struct buf out = BUF_INIT;
		struct fault fault;

		transfer_header_write(&out, (enum transfer_form)form, &header);
		buf_truncate(&out, buf_len(&out) - 1);
		assert_int_equal(transfer_header_read(buf_str(&out), &again, &fault), 1);
		assert_int_equal(again.schema, header.schema);
		assert_int_equal(again.accounts, header.accounts);
		assert_string_equal(again.digest, header.digest);
		assert_string_equal(again.map, header.map);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_row_is_an_address_and_a_destination),
	    cmocka_unit_test(every_line_may_be_cut_anywhere),
	    cmocka_unit_test(a_header_says_what_follows),
	    cmocka_unit_test(what_is_written_is_read_again),
	    cmocka_unit_test(a_header_is_read_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
