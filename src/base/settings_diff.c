/*
 * settings_diff.c - what a reload would change but cannot               (pure)
 *
 * Two loads of settings are walked side by side, by the rows. Lists of groups
 * are compared element by element, in their order.
 *
 * What cannot change must also not seem to have changed: whoever reads a setting
 * again after a reload would be at odds with whoever read it once.
 */
#include "base/settings.h"

#include "base/mem.h"
#include "base/settings_rows.h"
#include "base/settings_store.h"

#include <string.h>

struct diff {
	void (*fn)(void *ctx, const char *setting);
	void *ctx;
	size_t count;
};

static bool
texts_differ(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) != 0 : a != b;
}

static size_t
size_at(const char *base, size_t offset)
{
	return *(const size_t *)(const void *)(base + offset);
}

static bool
lists_differ(const struct setting_row *row, const char *was, const char *is)
{
	const char *const *a = *(const char *const *const *)(const void *)(was + row->offset);
	const char *const *b = *(const char *const *const *)(const void *)(is + row->offset);
	size_t n = size_at(was, row->count_offset);

	if (n != size_at(is, row->count_offset))
		return true;
	for (size_t i = 0; i < n; i++)
		if (texts_differ(a[i], b[i]))
			return true;
	return false;
}

static bool
pairs_differ(const struct setting_row *row, const char *was, const char *is)
{
	const struct owner_settings *a =
	    *(struct owner_settings *const *)(const void *)(was + row->offset);
	const struct owner_settings *b =
	    *(struct owner_settings *const *)(const void *)(is + row->offset);
	size_t n = size_at(was, row->count_offset);

	if (n != size_at(is, row->count_offset))
		return true;
	for (size_t i = 0; i < n; i++)
		if (texts_differ(a[i].destination, b[i].destination) ||
		    texts_differ(a[i].text, b[i].text))
			return true;
	return false;
}

/* Of groups only how many there are; what is in them, the walk compares. */
static bool
row_differs(const struct setting_row *row, const char *was, const char *is)
{
	const void *a = was + row->offset, *b = is + row->offset;

	switch (row->type) {
	case SETTING_NUMBER:
		return *(const int64_t *)a != *(const int64_t *)b;
	case SETTING_BOOL:
		return *(const bool *)a != *(const bool *)b;
	case SETTING_CHOICE:
		return *(const unsigned *)a != *(const unsigned *)b;
	case SETTING_TEXT:
		return texts_differ(*(const char *const *)a, *(const char *const *)b);
	case SETTING_TEXTS:
		return lists_differ(row, was, is);
	case SETTING_PAIRS:
		return pairs_differ(row, was, is);
	case SETTING_GROUPS:
		return size_at(was, row->count_offset) != size_at(is, row->count_offset);
	case SETTING_GROUP:
	case SETTING_TYPE_COUNT:
		break;
	}
	return false;
}

static void walk(struct diff *diff, enum setting_group group, const char *was, const char *is);

static void
walk_groups(struct diff *diff, const struct setting_row *row, const char *was, const char *is)
{
	const char *a = *(const char *const *)(const void *)(was + row->offset);
	const char *b = *(const char *const *)(const void *)(is + row->offset);
	size_t n = size_at(was, row->count_offset), m = size_at(is, row->count_offset);

	for (size_t i = 0; i < n && i < m; i++)
		walk(diff, row->child, a + i * row->child_size, b + i * row->child_size);
}

static void
walk(struct diff *diff, enum setting_group group, const char *was, const char *is)
{
	for (const struct setting_row *row = setting_rows; row < setting_rows + setting_row_count;
	     row++) {
		if (row->group != group)
			continue;
		if (!row->reloads && row_differs(row, was, is)) {
			diff->fn(diff->ctx, row->full_name);
			diff->count++;
		}
		if (row->type == SETTING_GROUP)
			walk(diff, row->child, was + row->offset, is + row->offset);
		if (row->type == SETTING_GROUPS)
			walk_groups(diff, row, was, is);
	}
}

size_t
settings_unreloadable(const struct settings *was, const struct settings *is,
    void (*fn)(void *ctx, const char *setting), void *ctx)
{
	struct diff diff = {fn, ctx, 0};

	walk(&diff, GROUP_main, (const char *)was, (const char *)is);
	return diff.count;
}

static void
keep_texts(struct settings_store *store, const struct setting_row *row, const char *was, char *is)
{
	const char *const *old = *(const char *const *const *)(was + row->offset);
	size_t n = size_at(was, row->count_offset);
	const char **texts = store_array(store, n, sizeof(*texts));

	for (size_t i = 0; i < n; i++)
		texts[i] = store_text(store, old[i]);
	memcpy(is + row->offset, &texts, sizeof(texts));
	memcpy(is + row->count_offset, &n, sizeof(n));
}

/* Both are the group's structs. */
static void
keep_value(struct settings_store *store, const struct setting_row *row, const char *was_in,
    char *is_in)
{
	const char *was = was_in + row->offset, *text;
	char *is = is_in + row->offset;

	switch (row->type) {
	case SETTING_NUMBER:
		memcpy(is, was, sizeof(int64_t));
		return;
	case SETTING_BOOL:
		memcpy(is, was, sizeof(bool));
		return;
	case SETTING_CHOICE:
		memcpy(is, was, sizeof(unsigned));
		return;
	case SETTING_TEXT:
		memcpy(&text, was, sizeof(text));
		text = text ? store_text(store, text) : NULL;
		memcpy(is, &text, sizeof(text));
		return;
	case SETTING_TEXTS:
		keep_texts(store, row, was_in, is_in);
		return;
	case SETTING_PAIRS:
	case SETTING_GROUPS:
	case SETTING_GROUP:
	case SETTING_TYPE_COUNT:
		break;
	}
	must(!"a list of groups that needs a restart");
}

static void
keep_group(struct settings_store *store, enum setting_group group, const char *was, char *is)
{
	for (const struct setting_row *row = setting_rows; row < setting_rows + setting_row_count;
	     row++) {
		if (row->group != group)
			continue;
		if (row->type == SETTING_GROUP)
			keep_group(store, row->child, was + row->offset, is + row->offset);
		else if (!row->reloads)
			keep_value(store, row, was, is);
	}
}

void
settings_keep(struct settings *is, const struct settings *was)
{
	keep_group(is->store, GROUP_main, (const char *)was, (char *)is);
}
