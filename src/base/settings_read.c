/*
 * settings_read.c - from libconfig's tree to struct settings, by the rows (pure)
 *
 * The only file that knows libconfig. One function for each type of row; a
 * value that is not taken is reported, and the default stands in its place, so
 * that one mistake is one problem.
 */
#include "base/settings_read.h"

#include "base/mem.h"
#include "base/settings_rows.h"
#include "base/settings_store.h"
#include "base/suggest.h"

#include <inttypes.h>
#include <libconfig.h>
#include <stdlib.h>

struct reader {
	struct settings *settings;
	bool is_whole; /* no: what seems to be missing may stand where we could not read */
};

_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "a choice is stored as unsigned");

static void read_group(
    struct reader *reader, enum setting_group group, const config_setting_t *node, char *base);

static int
line_of(const config_setting_t *node)
{
	return (int)config_setting_source_line(node);
}

/* ---- what is wrong with a value */

static const char *
kind_of(const config_setting_t *node)
{
	switch (config_setting_type(node)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "a number";
	case CONFIG_TYPE_FLOAT:
		return "a number with a fraction";
	case CONFIG_TYPE_STRING:
		return "a text";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	case CONFIG_TYPE_GROUP:
		return "a group";
	case CONFIG_TYPE_ARRAY:
	case CONFIG_TYPE_LIST:
		return "a list";
	default:
		return "broken";
	}
}

static const char *
kind_wanted(enum setting_type type)
{
	static const char *const words[] = {
	    [SETTING_NUMBER] = "a whole number",
	    [SETTING_BOOL] = "true or false",
	    [SETTING_CHOICE] = "a text in quotes",
	    [SETTING_TEXT] = "a text in quotes",
	    [SETTING_TEXTS] = "a list of texts: ( \"...\", \"...\" )",
	    [SETTING_GROUP] = "a group: { ... }",
	    [SETTING_GROUPS] = "a list of groups: ( { ... }, { ... } )",
	    [SETTING_PAIRS] = "a group: { name = \"text\"; ... }",
	};
	_Static_assert(ARRAY_LEN(words) == SETTING_TYPE_COUNT, "a type lacks its words");

	return words[type];
}

static bool
is_list(const config_setting_t *node)
{
	return config_setting_is_list(node) || config_setting_is_array(node);
}

static bool
is_number(const config_setting_t *node)
{
	return config_setting_type(node) == CONFIG_TYPE_INT ||
	       config_setting_type(node) == CONFIG_TYPE_INT64;
}

static bool
is_text(const config_setting_t *node)
{
	return config_setting_type(node) == CONFIG_TYPE_STRING;
}

static bool
kind_fits(enum setting_type type, const config_setting_t *node)
{
	switch (type) {
	case SETTING_NUMBER:
		return is_number(node);
	case SETTING_BOOL:
		return config_setting_type(node) == CONFIG_TYPE_BOOL;
	case SETTING_CHOICE:
	case SETTING_TEXT:
		return is_text(node);
	case SETTING_TEXTS:
	case SETTING_GROUPS:
		return is_list(node);
	case SETTING_GROUP:
	case SETTING_PAIRS:
		return config_setting_is_group(node);
	case SETTING_TYPE_COUNT:
		break;
	}
	return false;
}

static void
report_kind(
    struct reader *reader, const char *name, const char *wanted, const config_setting_t *node)
{
	settings_problem(
	    reader->settings, line_of(node), name, "must be %s, but is %s", wanted, kind_of(node));
}

/* ---- values, one function for each type; false: not taken */

static bool
read_number(
    struct reader *reader, const struct setting_row *row, const config_setting_t *node, char *base)
{
	int64_t n = config_setting_type(node) == CONFIG_TYPE_INT ? config_setting_get_int(node)
								 : config_setting_get_int64(node);

	if (n < row->least || n > row->most) {
		settings_problem(reader->settings, line_of(node), row->full_name,
		    "%" PRId64 " is not from %" PRId64 " to %" PRId64 "%s", n, row->least,
		    row->most, setting_unit_words(row->unit));
		return false;
	}
	*(int64_t *)(void *)(base + row->offset) = n;
	return true;
}

static bool
read_bool(
    struct reader *reader, const struct setting_row *row, const config_setting_t *node, char *base)
{
	*(bool *)(base + row->offset) = config_setting_get_bool(node);
	return true;
}

static void
report_choice(struct reader *reader, const struct setting_row *row, const config_setting_t *node)
{
	const char *word = config_setting_get_string(node);
	struct suggestion suggestion = suggestion_for(word);
	struct buf words = BUF_INIT;

	for (size_t i = 0; row->words[i]; i++) {
		suggestion_offer(&suggestion, row->words[i]);
		if (i > 0)
			buf_add_text(&words, row->words[i + 1] ? ", " : " or ");
		buf_addf(&words, "\"%s\"", row->words[i]);
	}
	if (suggestion.best)
		settings_problem(reader->settings, line_of(node), row->full_name,
		    "%s is not %s; did you mean \"%s\"?", log_quote_text(word), buf_cstr(&words),
		    suggestion.best);
	else
		settings_problem(reader->settings, line_of(node), row->full_name, "%s is not %s",
		    log_quote_text(word), buf_cstr(&words));
	buf_fini(&words);
}

static bool
read_choice(
    struct reader *reader, const struct setting_row *row, const config_setting_t *node, char *base)
{
	for (unsigned i = 0; row->words[i]; i++)
		if (strcmp(row->words[i], config_setting_get_string(node)) == 0) {
			*(unsigned *)(void *)(base + row->offset) = i;
			return true;
		}
	report_choice(reader, row, node);
	return false;
}

static bool
has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

/* A text of the node, checked and kept; NULL: not taken. */
static const char *
take_text(struct reader *reader, const struct setting_row *row, const char *name,
    const config_setting_t *node)
{
	const char *text = config_setting_get_string(node);

	if (has_control(text)) {
		settings_problem(reader->settings, line_of(node), name,
		    "%s holds a line break or another control character", log_quote_text(text));
		return NULL;
	}
	if (!pattern_fits(row->pattern, text)) {
		settings_problem(reader->settings, line_of(node), name, "%s is not %s",
		    log_quote_text(text), pattern_words(row->pattern));
		return NULL;
	}
	return store_text(reader->settings->store, text);
}

static bool
read_text(
    struct reader *reader, const struct setting_row *row, const config_setting_t *node, char *base)
{
	const char *text = take_text(reader, row, row->full_name, node);

	if (text == NULL)
		return false;
	*(const char **)(void *)(base + row->offset) = text;
	return true;
}

static bool
read_texts(
    struct reader *reader, const struct setting_row *row, const config_setting_t *node, char *base)
{
	struct settings_store *store = reader->settings->store;
	size_t length = (size_t)config_setting_length(node), count = 0;
	const char **texts = store_array(store, length, sizeof(*texts));
	const config_setting_t *item;

	for (size_t i = 0; i < length; i++) {
		item = config_setting_get_elem(node, (unsigned)i);
		if (!is_text(item)) {
			report_kind(reader, row->full_name, kind_wanted(SETTING_TEXT), item);
			continue;
		}
		texts[count] = take_text(reader, row, row->full_name, item);
		if (texts[count])
			store_mark(store, &texts[count++], line_of(item));
	}
	*(const char ***)(void *)(base + row->offset) = texts;
	*(size_t *)(void *)(base + row->count_offset) = count;
	return true;
}

static bool
read_child(
    struct reader *reader, const struct setting_row *row, const config_setting_t *node, char *base)
{
	read_group(reader, row->child, node, base + row->offset);
	return true;
}

static bool
read_groups(
    struct reader *reader, const struct setting_row *row, const config_setting_t *node, char *base)
{
	size_t length = (size_t)config_setting_length(node), count = 0;
	char *items = store_array(reader->settings->store, length, row->child_size), *item;
	const config_setting_t *child;

	for (size_t i = 0; i < length; i++) {
		child = config_setting_get_elem(node, (unsigned)i);
		if (!config_setting_is_group(child)) {
			report_kind(reader, row->full_name, kind_wanted(SETTING_GROUP), child);
			continue;
		}
		item = items + count++ * row->child_size;
		*(int *)(void *)(item + row->child_line_offset) = line_of(child);
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
read_pairs(
    struct reader *reader, const struct setting_row *row, const config_setting_t *node, char *base)
{
	struct settings_store *store = reader->settings->store;
	size_t length = (size_t)config_setting_length(node), count = 0;
	struct owner_settings *pairs = store_array(store, length, sizeof(*pairs));
	const config_setting_t *item;

	for (size_t i = 0; i < length; i++) {
		char *name;

		item = config_setting_get_elem(node, (unsigned)i);
		if (is_repeated(item) || config_setting_type(item) == CONFIG_TYPE_NONE)
			continue;
		name = xasprintf("%s.%s", row->full_name, config_setting_name(item));
		if (!is_text(item))
			report_kind(reader, name, kind_wanted(SETTING_TEXT), item);
		else
			pairs[count].text = take_text(reader, row, name, item);
		if (is_text(item) && pairs[count].text) {
			pairs[count].destination = store_text(store, config_setting_name(item));
			pairs[count++].line = line_of(item);
		}
		free(name);
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

static void
read_row(
    struct reader *reader, const struct setting_row *row, const config_setting_t *node, char *base)
{
	static bool (*const readers[])(
	    struct reader *, const struct setting_row *, const config_setting_t *, char *) = {
	    [SETTING_NUMBER] = read_number,
	    [SETTING_BOOL] = read_bool,
	    [SETTING_CHOICE] = read_choice,
	    [SETTING_TEXT] = read_text,
	    [SETTING_TEXTS] = read_texts,
	    [SETTING_GROUP] = read_child,
	    [SETTING_GROUPS] = read_groups,
	    [SETTING_PAIRS] = read_pairs,
	};
	_Static_assert(ARRAY_LEN(readers) == SETTING_TYPE_COUNT, "a type lacks its reader");
	bool taken = false;

	set_default(reader, row, base);
	if (config_setting_type(node) == CONFIG_TYPE_NONE)
		; /* the text is broken right behind its name */
	else if (!kind_fits(row->type, node))
		report_kind(reader, row->full_name, kind_wanted(row->type), node);
	else
		taken = readers[row->type](reader, row, node, base);
	if (row->type != SETTING_GROUP)
		store_mark(reader->settings->store, base + row->offset,
		    taken ? line_of(node) : -line_of(node));
}

static void
report_unknown(struct reader *reader, enum setting_group group, const config_setting_t *node)
{
	const char *name = config_setting_name(node), *elsewhere = NULL;
	char *full_name = xasprintf("%s%s", setting_group_path(group), name);
	struct suggestion suggestion = suggestion_for(name);

	for (size_t i = 0; i < setting_row_count; i++) {
		if (setting_rows[i].group == group)
			suggestion_offer(&suggestion, setting_rows[i].name);
		else if (strcmp(setting_rows[i].name, name) == 0)
			elsewhere = setting_rows[i].full_name;
	}
	if (suggestion.best)
		settings_problem(reader->settings, line_of(node), full_name,
		    "there is no such setting; did you mean %s?", suggestion.best);
	else if (elsewhere)
		settings_problem(reader->settings, line_of(node), full_name,
		    "there is no such setting here; did you mean %s?", elsewhere);
	else
		settings_problem(
		    reader->settings, line_of(node), full_name, "there is no such setting");
	free(full_name);
}

/* Fill in the struct at base from the node; NULL: from the defaults alone. */
static void
read_group(
    struct reader *reader, enum setting_group group, const config_setting_t *node, char *base)
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
			settings_problem(reader->settings, line_of(node), row->full_name,
			    "is missing in the group that begins here");
	}
	for (int i = 0; node && i < config_setting_length(node); i++) {
		member = config_setting_get_elem(node, (unsigned)i);
		if (!setting_row_find(group, config_setting_name(member)) && !is_repeated(member))
			report_unknown(reader, group, member);
	}
}

void
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
}
