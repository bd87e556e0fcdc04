/*
 * openmetrics.c - numbers, in the words of OpenMetrics 1.0              (pure)
 */
#include "base/openmetrics.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <unistr.h>

static const char *const kind_names[] = {
    [OPENMETRICS_COUNTER] = "counter",
    [OPENMETRICS_GAUGE] = "gauge",
    [OPENMETRICS_HISTOGRAM] = "histogram",
    [OPENMETRICS_INFO] = "info",
};

/* What kinds add to the names of samples: a family that ended so could be mistaken for another. */
static const char *const suffixes[] = {
    "_total", "_created", "_count", "_sum", "_bucket", "_gcount", "_gsum", "_info"};

/* ---- names */

static bool
is_name(const char *name)
{
	if (name[0] < 'a' || name[0] > 'z')
		return false;
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool
ends(const char *name, const char *with)
{
	size_t len = strlen(name), tail = strlen(with);

	return len > tail && strcmp(name + len - tail, with) == 0;
}

static bool
is_family(const char *name, const char *unit)
{
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (ends(name, suffixes[i]))
			return false;
	return is_name(name) &&
	       (unit == NULL || (ends(name, unit) && name[strlen(name) - strlen(unit) - 1] == '_'));
}

/* ---- texts */

/* Of a label value or a help text, which have the same escapes. */
static void
add_escaped(struct buf *out, const char *text)
{
	size_t len = strlen(text);
	bool is_utf8 = u8_check((const uint8_t *)text, len) == NULL;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			buf_add_text(out, "\\n");
		else if (text[i] == '"' || text[i] == '\\')
			buf_addf(out, "\\%c", text[i]);
		else
			buf_add_byte(out, is_utf8 || (text[i] & 0x80) == 0 ? text[i] : '?');
	}
}

/* "0.25", "3.0": as Go writes numbers of this size, so that a bound is the same text everywhere. */
static void
add_millionths(struct buf *out, uint64_t millionths)
{
	unsigned digits = 6;
	uint64_t rest = millionths % 1000000;

	for (; digits > 1 && rest % 10 == 0; digits--)
		rest /= 10;
	buf_addf(out, "%" PRIu64 ".%0*" PRIu64, millionths / 1000000, (int)digits, rest);
}

static bool
add_labels(struct buf *out, const struct openmetrics_label *labels, bool any)
{
	for (; labels != NULL && labels->name != NULL; labels++) {
		must(is_name(labels->name) && strcmp(labels->name, "le") != 0);
		buf_addf(out, "%c%s=\"", any ? ',' : '{', labels->name);
		add_escaped(out, labels->value);
		buf_add_byte(out, '"');
		any = true;
	}
	return any;
}

/* The sample up to its value. With "le" the bound is still to be added, and the brace closed. */
static void
add_head(struct openmetrics *text, const char *suffix, const struct openmetrics_label *labels,
    bool le)
{
	bool any;

	must(text->family != NULL);
	buf_addf(text->out, "%s%s", text->family, suffix);
	any = add_labels(text->out, labels, add_labels(text->out, text->common, false));
	if (le)
		buf_addf(text->out, "%cle=\"", any ? ',' : '{');
	else
		buf_add_text(text->out, any ? "} " : " ");
}

/* ---- the text */

void
openmetrics_begin(struct openmetrics *text, struct buf *out, const struct openmetrics_label *common)
{
	*text = (struct openmetrics){.out = out, .common = common};
}

void
openmetrics_end(struct openmetrics *text)
{
	buf_add_text(text->out, "# EOF\n");
	text->family = NULL;
}

void
openmetrics_family(struct openmetrics *text, enum openmetrics_kind kind, const char *name,
    const char *unit, const char *help)
{
	must(is_family(name, unit));
	must(unit == NULL || kind != OPENMETRICS_INFO);
	text->family = name;
	text->kind = kind;
	buf_addf(text->out, "# TYPE %s %s\n", name, kind_names[kind]);
	if (unit != NULL)
		buf_addf(text->out, "# UNIT %s %s\n", name, unit);
	buf_addf(text->out, "# HELP %s ", name);
	add_escaped(text->out, help);
	buf_add_byte(text->out, '\n');
}

static const char *
suffix_of(const struct openmetrics *text)
{
	must(text->kind != OPENMETRICS_HISTOGRAM);
	return text->kind == OPENMETRICS_COUNTER ? "_total"
	       : text->kind == OPENMETRICS_INFO  ? "_info"
						 : "";
}

void
openmetrics_sample(struct openmetrics *text, const struct openmetrics_label *labels, uint64_t value)
{
	must(text->kind != OPENMETRICS_INFO || value == 1);
	add_head(text, suffix_of(text), labels, false);
	buf_addf(text->out, "%" PRIu64 "\n", value);
}

void
openmetrics_sample_us(struct openmetrics *text, const struct openmetrics_label *labels,
    uint64_t millionths)
{
	must(text->kind != OPENMETRICS_INFO);
	add_head(text, suffix_of(text), labels, false);
	add_millionths(text->out, millionths);
	buf_add_byte(text->out, '\n');
}

void
openmetrics_histogram(struct openmetrics *text, const struct openmetrics_label *labels,
    const uint64_t *bounds_us, size_t bound_count, const uint64_t *counts, uint64_t sum_us)
{
	uint64_t count = 0;

	must(text->kind == OPENMETRICS_HISTOGRAM);
	for (size_t i = 0; i <= bound_count; i++) {
		must(i == 0 || i == bound_count || bounds_us[i] > bounds_us[i - 1]);
		count += counts[i]; /* a bucket holds those below it, too */
		add_head(text, "_bucket", labels, true);
		if (i < bound_count)
			add_millionths(text->out, bounds_us[i]);
		else
			buf_add_text(text->out, "+Inf");
		buf_addf(text->out, "\"} %" PRIu64 "\n", count);
	}
	add_head(text, "_sum", labels, false);
	add_millionths(text->out, sum_us);
	buf_add_byte(text->out, '\n');
	add_head(text, "_count", labels, false);
	buf_addf(text->out, "%" PRIu64 "\n", count);
}
