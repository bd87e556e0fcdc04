/*
 * settings_read.c - from libconfig's tree to struct settings, by the rows (pure)
 *
 * Walks groups and lists; single values are for settings_value.c. Where a value
 * is not taken, the default stands in its place, so that one mistake is one
 * problem.
 */
#include "base/settings_read.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/settings_rows.h"
#include "base/settings_store.h"
#include "base/settings_value.h"
#include "base/suggest.h"

#include <libconfig.h>
#include <stdlib.h>

struct reader {
	struct settings *settings;
	bool is_whole; /* no: what seems to be missing may stand where we could not read */
};

static void read_group(struct reader *reader, enum setting_group group,
    const config_setting_t *node, char *base);

static bool
read_texts(struct reader *reader, const struct setting_row *row, const config_setting_t *node,
    char *base)
{
	struct settings_store *store = reader->settings->store;
	size_t length = (size_t)config_setting_length(node), count = 0;
	const char **texts = store_array(store, length, sizeof(*texts));
	const config_setting_t *item;

	for (size_t i = 0; i < length; i++) {
		item = config_setting_get_elem(node, (unsigned)i);
		if (!value_has_kind(reader->settings, row->full_name, SETTING_TEXT, item))
			continue;
		texts[count] = value_take_text(reader->settings, row, row->full_name, item);
		if (texts[count])
			store_mark(store, &texts[count++], value_line(item));
	}
	*(const char ***)(void *)(base + row->offset) = texts;
	*(size_t *)(void *)(base + row->count_offset) = count;
	return count == length;
}

static bool
read_groups(struct reader *reader, const struct setting_row *row, const config_setting_t *node,
    char *base)
{
	size_t length = (size_t)config_setting_length(node), count = 0;
	char *items = store_array(reader->settings->store, length, row->child_size), *item;
	const config_setting_t *child;

	for (size_t i = 0; i < length; i++) {
		child = config_setting_get_elem(node, (unsigned)i);
		if (!value_has_kind(reader->settings, row->full_name, SETTING_GROUP, child))
			continue;
		item = items + count++ * row->child_size;
		*(int *)(void *)(item + row->child_line_offset) = value_line(child);
		read_group(reader, row->child, child, item);
	}
	*(char **)(void *)(base + row->offset) = items;
	*(size_t *)(void *)(base + row->count_offset) = count;
	return true;
}

/* A name that settings_text_mend() marked as given twice. */
static bool
is_repeated(const config_setting_t *node)
{
	return strchr(config_setting_name(node), '*') != NULL;
}

static bool
read_pair(struct reader *reader, const struct setting_row *row, const config_setting_t *node,
    struct owner_settings *pair)
{
	struct settings *settings = reader->settings;
	char *name = xasprintf("%s.%s", row->full_name, config_setting_name(node));

	if (value_has_kind(settings, name, SETTING_TEXT, node))
		pair->text = value_take_text(settings, row, name, node);
	free(name);
	pair->destination = store_text(settings->store, config_setting_name(node));
	pair->line = value_line(node);
	return pair->text != NULL;
}

static bool
read_pairs(struct reader *reader, const struct setting_row *row, const config_setting_t *node,
    char *base)
{
	size_t length = (size_t)config_setting_length(node), count = 0;
	struct owner_settings *pairs = store_array(reader->settings->store, length, sizeof(*pairs));
	const config_setting_t *item;

	for (size_t i = 0; i < length; i++) {
		item = config_setting_get_elem(node, (unsigned)i);
		if (!is_repeated(item) && config_setting_type(item) != CONFIG_TYPE_NONE)
			count += read_pair(reader, row, item, &pairs[count]);
	}
	*(struct owner_settings **)(void *)(base + row->offset) = pairs;
	*(size_t *)(void *)(base + row->count_offset) = count;
	return true;
}

/* ---- rows and groups */

static void
set_default(struct reader *reader, const struct setting_row *row, char *base)
{
	char *field = base + row->offset;

	switch (row->type) {
	case SETTING_NUMBER:
		*(int64_t *)(void *)field = row->normal;
		break;
	case SETTING_BOOL:
		*(bool *)field = row->normal;
		break;
	case SETTING_CHOICE:
		*(unsigned *)(void *)field = (unsigned)row->normal;
		break;
	case SETTING_TEXT:
		*(const char **)(void *)field = row->normal_text;
		break;
	case SETTING_GROUP:
		read_group(reader, row->child, NULL, field);
		break;
	case SETTING_TEXTS:
	case SETTING_GROUPS:
	case SETTING_PAIRS:
	case SETTING_TYPE_COUNT:
		break; /* empty, as the struct was born */
	}
}

static bool
read_value(struct reader *reader, const struct setting_row *row, const config_setting_t *node,
    char *base)
{
	switch (row->type) {
	case SETTING_TEXTS:
		return read_texts(reader, row, node, base);
	case SETTING_GROUP:
		read_group(reader, row->child, node, base + row->offset);
		return true;
	case SETTING_GROUPS:
		return read_groups(reader, row, node, base);
	case SETTING_PAIRS:
		return read_pairs(reader, row, node, base);
	case SETTING_NUMBER:
	case SETTING_BOOL:
	case SETTING_CHOICE:
	case SETTING_TEXT:
	case SETTING_TYPE_COUNT:
		break;
	}
	return value_read(reader->settings, row, node, base);
}

static void
read_row(struct reader *reader, const struct setting_row *row, const config_setting_t *node,
    char *base)
{
	bool taken = false;

	set_default(reader, row, base);
	if (config_setting_type(node) == CONFIG_TYPE_NONE)
		return; /* the text is broken right behind its name */
	if (value_has_kind(reader->settings, row->full_name, row->type, node))
		taken = read_value(reader, row, node, base);
	if (row->type != SETTING_GROUP)
		store_mark(reader->settings->store, base + row->offset,
		    taken ? value_line(node) : -value_line(node));
}

/* Where a setting of this name could stand: "policyd.workers or frontd.workers". */
static void
add_places(struct buf *places, const char *name)
{
	for (size_t i = 0; i < setting_row_count; i++)
		if (strcmp(setting_rows[i].name, name) == 0)
			buf_addf(places, "%s%s", buf_len(places) > 0 ? " or " : "",
			    setting_rows[i].full_name);
}

static void
report_unknown(struct reader *reader, enum setting_group group, const config_setting_t *node)
{
	const char *name = config_setting_name(node);
	struct buf elsewhere = BUF_INIT;
	char *full_name = xasprintf("%s%s", setting_group_path(group), name);
	struct suggestion suggestion = suggestion_for(name);

	for (size_t i = 0; i < setting_row_count; i++)
		if (setting_rows[i].group == group)
			suggestion_offer(&suggestion, setting_rows[i].name);
	add_places(&elsewhere, name);
	if (suggestion.best)
		settings_problem(reader->settings, value_line(node), full_name,
		    "there is no such setting; did you mean %s?", suggestion.best);
	else if (buf_len(&elsewhere) > 0)
		settings_problem(reader->settings, value_line(node), full_name,
		    "there is no such setting here; did you mean %s?", buf_cstr(&elsewhere));
	else
		settings_problem(reader->settings, value_line(node), full_name,
		    "there is no such setting");
	buf_fini(&elsewhere);
	free(full_name);
}

/* Fill in the struct at base from the node; NULL: from the defaults alone. */
static void
read_group(struct reader *reader, enum setting_group group, const config_setting_t *node,
    char *base)
{
	const struct setting_row *row;
	const config_setting_t *member;

	for (row = setting_rows; row < setting_rows + setting_row_count; row++) {
		if (row->group != group)
			continue;
		member = node ? config_setting_get_member(node, row->name) : NULL;
		if (member) {
			read_row(reader, row, member, base);
			continue;
		}
		set_default(reader, row, base);
		if (row->needed && node && reader->is_whole)
			settings_problem(reader->settings, value_line(node), row->full_name,
			    "is missing in the group that begins here");
	}
	for (int i = 0; node && i < config_setting_length(node); i++) {
		member = config_setting_get_elem(node, (unsigned)i);
		if (!setting_row_find(group, config_setting_name(member)) && !is_repeated(member))
			report_unknown(reader, group, member);
	}
}

bool
settings_read(struct settings *settings, struct buf *text, bool is_whole)
{
	struct reader reader = {settings, is_whole};
	config_t config;

	config_init(&config);
	if (!config_read_string(&config, buf_cstr(text)) && is_whole) {
		settings_problem(settings, config_error_line(&config), "",
		    "%s, here or on the line before: is there a '=', a ',' or a quote missing?",
		    config_error_text(&config));
		reader.is_whole = false;
	}
	read_group(&reader, GROUP_main, config_root_setting(&config), (char *)settings);
	config_destroy(&config);
	return reader.is_whole;
}
