/*
 * test_ledger_line.c - the lines of policyd's file of arrivals
 */
#include "policy/ledger_line.h"

#include "base/mem.h"

#include "unit.h"

#define REPORT                                                                                     \
	"{\"id\":\"00112233445566778899aabbccddeeff\",\"from\":\"mx1\",\"lost\":2,"                \
	"\"accounts\":[[\"ann@x.org\",\"new\",true]]}"

static const enum ledger_kind kinds[] = {
    LEDGER_HEAD, LEDGER_REPORT, LEDGER_UNKNOWN, LEDGER_CLEAN, LEDGER_BOOT};

static void
write_all(struct buf *text)
{
	struct report report;
	struct fault fault;

	assert_int_equal(report_read(&report, STR(REPORT), &fault), 0);
	ledger_line_head(text, "0123456789abcdef", 7, "boot-1");
	ledger_line_report(text, &report, 1763730000);
	ledger_line_unknown(text, 1763730001, "it burned");
	ledger_line_clean(text);
	ledger_line_boot(text, "boot-2");
	report_fini(&report);
}

static void
check_line(const struct ledger_line *line, size_t i)
{
	assert_int_equal(line->kind, kinds[i]);
	switch (line->kind) {
	case LEDGER_HEAD:
		assert_int_equal(line->batch, 7);
		assert_true(str_is(line->series, "0123456789abcdef"));
		assert_true(str_is(line->boot, "boot-1"));
		break;
	case LEDGER_REPORT:
		assert_int_equal(line->at_s, 1763730000);
		assert_int_equal(line->report.lost, 2);
		assert_true(str_is(report_account(&line->report, 0).account, "ann@x.org"));
		break;
	case LEDGER_UNKNOWN:
		assert_int_equal(line->at_s, 1763730001);
		assert_true(str_is(line->reason, "it burned"));
		break;
	case LEDGER_BOOT:
		assert_true(str_is(line->boot, "boot-2"));
		break;
	case LEDGER_CLEAN:
	case LEDGER_DAMAGED:
		break;
	}
}

static void
lines_come_back_as_they_were_written_wherever_they_are_cut(void **state)
{
	struct buf text = BUF_INIT;
	struct ledger_line line;

	write_all(&text);
	for (size_t len = 0; len <= buf_len(&text); len++) {
		struct str rest = str_make(buf_str(&text).ptr, len);
		size_t whole = 0, lines = 0;

		for (size_t i = 0; i < len; i++)
			whole += rest.ptr[i] == '\n';
		for (; ledger_line_next(&rest, &line); lines++) {
			check_line(&line, lines);
			ledger_line_fini(&line);
		}
		assert_int_equal(lines, whole);
		assert_int_equal(str_find(rest, '\n'), rest.len);
	}
	buf_fini(&text);
}

/* Every bit of every byte: one line is damaged then, or two where it was a line's end. */
static void
a_bit_that_has_changed_is_seen(void **state)
{
	struct buf text = BUF_INIT;
	struct ledger_line line;
	char *bytes;

	write_all(&text);
	bytes = text.mem + text.start;
	for (size_t i = 0; i < buf_len(&text) * 8; i++) {
		struct str rest = buf_str(&text);
		size_t good = 0;

		bytes[i / 8] ^= (char)(1 << (i % 8));
		while (ledger_line_next(&rest, &line)) {
			good += line.kind != LEDGER_DAMAGED;
			ledger_line_fini(&line);
		}
		bytes[i / 8] ^= (char)(1 << (i % 8));
		if (good >= ARRAY_LEN(kinds) || good + 2 < ARRAY_LEN(kinds))
			fail_msg("bit %zu: %zu lines are good", i, good);
	}
	buf_fini(&text);
}

static void
what_nobody_wrote_is_damaged(void **state)
{
	static const struct str lines[] = {STR("\n"), STR("x\n"), STR("0123456789abcdef\n"),
	    STR("0123456789abcdef \n"), STR("0123456789abcdef {}\n"), STR("\0\0\0\0\n")};
	struct ledger_line line;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct str rest = lines[i];

		assert_true(ledger_line_next(&rest, &line));
		assert_int_equal(line.kind, LEDGER_DAMAGED);
		assert_int_equal(rest.len, 0);
		ledger_line_fini(&line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_come_back_as_they_were_written_wherever_they_are_cut),
	    cmocka_unit_test(a_bit_that_has_changed_is_seen),
	    cmocka_unit_test(what_nobody_wrote_is_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
