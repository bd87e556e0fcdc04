/*
 * ledger_line.c - the lines of policyd's file of arrivals               (pure)
 */
#include "policy/ledger_line.h"

#include "base/mem.h"
#include "map/arrivals.h"

#include <sodium.h>
#include <stdlib.h>

_Static_assert(LEDGER_CHECK_DIGITS == 2 * crypto_shorthash_BYTES, "the check has another length");

/* Against what a disk does, not against people: the key is no secret. */
static void
check_of(struct str text, char hex_r[static LEDGER_CHECK_DIGITS + 1])
{
	static const unsigned char key[crypto_shorthash_KEYBYTES] = "arrivals";
	unsigned char hash[crypto_shorthash_BYTES];

	crypto_shorthash(hash, (const unsigned char *)text.ptr, text.len, key);
	sodium_bin2hex(hex_r, LEDGER_CHECK_DIGITS + 1, hash, sizeof(hash));
}

/* ---- reading */

static struct str
text_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value) ? str_make(json_string_value(value), json_string_length(value))
				     : STR("");
}

static bool
number_of(const json_t *object, const char *name, uint64_t *number_r)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*number_r = (uint64_t)json_integer_value(value);
	return true;
}

static enum ledger_kind
read_kind(struct ledger_line *line, const json_t *root)
{
	uint64_t at_s;

	line->boot = text_of(root, "boot");
	line->reason = text_of(root, "unknown");
	if (line->boot.len >= LEDGER_BOOT_BYTES)
		return LEDGER_DAMAGED;
	line->series = text_of(root, "series");
	if (number_of(root, "batch", &line->batch))
		return arrivals_series_is_valid(line->series) ? LEDGER_HEAD : LEDGER_DAMAGED;
	if (json_is_string(json_object_get(root, "boot")))
		return LEDGER_BOOT;
	if (json_is_true(json_object_get(root, "clean")))
		return LEDGER_CLEAN;
	if (line->reason.len == 0 || !number_of(root, "t", &at_s) || at_s > ARRIVALS_TIME_MOST)
		return LEDGER_DAMAGED;
	line->at_s = (int64_t)at_s;
	return LEDGER_UNKNOWN;
}

static enum ledger_kind
read_content(struct ledger_line *line, struct str content)
{
	struct fault fault;

	if (report_read(&line->report, content, &fault) == 0) {
		line->at_s = line->report.at_s;
		return LEDGER_REPORT;
	}
	line->report.root = json_loadb(content.ptr, content.len, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(line->report.root) ? read_kind(line, line->report.root)
						 : LEDGER_DAMAGED;
}

bool
ledger_line_next(struct str *rest, struct ledger_line *line_r)
{
	char check[LEDGER_CHECK_DIGITS + 1];
	size_t end = str_find(*rest, '\n');
	struct str text = str_make(rest->ptr, end), content;

	if (end == rest->len)
		return false;
	*rest = str_from(*rest, end + 1);
	*line_r = (struct ledger_line){.kind = LEDGER_DAMAGED};
	if (text.len <= LEDGER_CHECK_DIGITS || text.ptr[LEDGER_CHECK_DIGITS] != ' ')
		return true;
	content = str_from(text, LEDGER_CHECK_DIGITS + 1);
	check_of(content, check);
	if (memcmp(check, text.ptr, LEDGER_CHECK_DIGITS) == 0)
		line_r->kind = read_content(line_r, content);
	return true;
}

void
ledger_line_fini(struct ledger_line *line)
{
	report_fini(&line->report);
}

/* ---- writing */

static void
add_line(struct buf *out, struct str content)
{
	char check[LEDGER_CHECK_DIGITS + 1];

	check_of(content, check);
	buf_add_text(out, check);
	buf_add_byte(out, ' ');
	buf_add_str(out, content);
	buf_add_byte(out, '\n');
}

static void
add_object(struct buf *out, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	must(text != NULL);
	add_line(out, str_of(text));
	free(text);
	json_decref(object);
}

void
ledger_line_head(struct buf *out, const char *series, uint64_t batch, const char *boot)
{
	add_object(out, json_pack("{s:s, s:I, s:s}", "series", series, "batch", (json_int_t)batch,
			    "boot", boot));
}

void
ledger_line_boot(struct buf *out, const char *boot)
{
	add_object(out, json_pack("{s:s}", "boot", boot));
}

void
ledger_line_clean(struct buf *out)
{
	add_object(out, json_pack("{s:b}", "clean", 1));
}

void
ledger_line_unknown(struct buf *out, int64_t at_s, const char *reason)
{
	add_object(out, json_pack("{s:I, s:s}", "t", (json_int_t)at_s, "unknown", reason));
}

void
ledger_line_report(struct buf *out, const struct report *report, int64_t at_s)
{
	struct buf content = BUF_INIT;

	report_keep(&content, report, at_s);
	add_line(out, buf_str(&content));
	buf_fini(&content);
}
