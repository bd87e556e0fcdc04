/*
 * settings_value.c - one value of the file, judged by its row           (pure)
 */
#include "base/settings_value.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/settings_store.h"
#include "base/suggest.h"

#include <inttypes.h>
#include <libconfig.h>

_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "a choice is stored as unsigned");

int
value_line(const struct config_setting_t *node)
{
	return (int)config_setting_source_line(node);
}

/* ---- kinds */

static const char *
kind_of(const struct config_setting_t *node)
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
is_list(const struct config_setting_t *node)
{
	return config_setting_is_list(node) || config_setting_is_array(node);
}

static bool
is_number(const struct config_setting_t *node)
{
	return config_setting_type(node) == CONFIG_TYPE_INT ||
	       config_setting_type(node) == CONFIG_TYPE_INT64;
}

static bool
is_text(const struct config_setting_t *node)
{
	return config_setting_type(node) == CONFIG_TYPE_STRING;
}

static bool
kind_fits(enum setting_type type, const struct config_setting_t *node)
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

bool
value_has_kind(struct settings *settings, const char *name, enum setting_type type,
    const struct config_setting_t *node)
{
	if (kind_fits(type, node))
		return true;
	settings_problem(settings, value_line(node), name, "must be %s, but is %s",
	    kind_wanted(type), kind_of(node));
	return false;
}

/* ---- values, one function for each type */

static bool
read_number(struct settings *settings, const struct setting_row *row,
    const struct config_setting_t *node, char *base)
{
	int64_t n = config_setting_type(node) == CONFIG_TYPE_INT ? config_setting_get_int(node)
								 : config_setting_get_int64(node);

	if (n < row->least || n > row->most) {
		settings_problem(settings, value_line(node), row->full_name,
		    "%" PRId64 " is not from %" PRId64 " to %" PRId64 "%s", n, row->least,
		    row->most, setting_unit_words(row->unit));
		return false;
	}
	*(int64_t *)(void *)(base + row->offset) = n;
	return true;
}

static bool
read_bool(struct settings *settings, const struct setting_row *row,
    const struct config_setting_t *node, char *base)
{
	*(bool *)(base + row->offset) = config_setting_get_bool(node);
	return true;
}

static void
report_choice(struct settings *settings, const struct setting_row *row,
    const struct config_setting_t *node)
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
		settings_problem(settings, value_line(node), row->full_name,
		    "%s is not %s; did you mean \"%s\"?", log_quote_text(word), buf_cstr(&words),
		    suggestion.best);
	else
		settings_problem(settings, value_line(node), row->full_name, "%s is not %s",
		    log_quote_text(word), buf_cstr(&words));
	buf_fini(&words);
}

static bool
read_choice(struct settings *settings, const struct setting_row *row,
    const struct config_setting_t *node, char *base)
{
	for (unsigned i = 0; row->words[i]; i++)
		if (strcmp(row->words[i], config_setting_get_string(node)) == 0) {
			*(unsigned *)(void *)(base + row->offset) = i;
			return true;
		}
	report_choice(settings, row, node);
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

const char *
value_take_text(struct settings *settings, const struct setting_row *row, const char *name,
    const struct config_setting_t *node)
{
	const char *text = config_setting_get_string(node);

	if (has_control(text)) {
		settings_problem(settings, value_line(node), name,
		    "%s holds a line break or another control character", log_quote_text(text));
		return NULL;
	}
	if (!pattern_fits(row->pattern, text)) {
		settings_problem(settings, value_line(node), name, "%s is not %s",
		    log_quote_text(text), pattern_words(row->pattern));
		return NULL;
	}
	return store_text(settings->store, text);
}

static bool
read_text(struct settings *settings, const struct setting_row *row,
    const struct config_setting_t *node, char *base)
{
	const char *text = value_take_text(settings, row, row->full_name, node);

	if (text == NULL)
		return false;
	*(const char **)(void *)(base + row->offset) = text;
	return true;
}

bool
value_read(struct settings *settings, const struct setting_row *row,
    const struct config_setting_t *node, char *base)
{
	switch (row->type) {
	case SETTING_NUMBER:
		return read_number(settings, row, node, base);
	case SETTING_BOOL:
		return read_bool(settings, row, node, base);
	case SETTING_CHOICE:
		return read_choice(settings, row, node, base);
	case SETTING_TEXT:
		return read_text(settings, row, node, base);
	case SETTING_TEXTS:
	case SETTING_GROUP:
	case SETTING_GROUPS:
	case SETTING_PAIRS:
	case SETTING_TYPE_COUNT:
		break;
	}
	must(!"a row of this type has a single value");
	return false;
}
