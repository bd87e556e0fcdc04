/*
 * settings_rows.h - the rows of settings.def as a table                 (pure)
 *
 * Inside the settings engine and its lints only: everybody else reads struct
 * settings. A row knows where its value lives (offset into its group's struct),
 * so one engine fills in, compares and prints every setting.
 */
#ifndef BASE_SETTINGS_ROWS_H
#define BASE_SETTINGS_ROWS_H

#include "base/settings_pattern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_group {
	GROUP_main,
	GROUP_log,
	GROUP_redis,
	GROUP_redis_tls,
	GROUP_cache,
	GROUP_destination,
	GROUP_map,
	GROUP_policyd,
	GROUP_listen,
	GROUP_service,
	GROUP_frontd,
	GROUP_certificate,
	GROUP_front_listen,
	GROUP_milter
};

enum setting_type {
	SETTING_NUMBER, /* int64_t */
	SETTING_BOOL, /* bool */
	SETTING_CHOICE, /* an enum */
	SETTING_TEXT, /* const char * */
	SETTING_TEXTS, /* const char ** */
	SETTING_GROUP, /* a struct, or more fields of the same one */
	SETTING_GROUPS, /* an array of structs */
	SETTING_PAIRS, /* an array of struct owner_settings */
	SETTING_TYPE_COUNT
};

enum setting_unit { UNIT_COUNT, UNIT_MS, UNIT_BYTES };

struct setting_row {
	enum setting_group group; /* it stands in */
	const char *name; /* in the file */
	const char *full_name; /* "policyd.listen.mode" */
	enum setting_type type;
	size_t offset;
	bool reloads; /* may change without a restart */
	bool needed; /* has no default */
	const char *sentence;

	int64_t least, normal, most; /* NUMBER; normal also BOOL and CHOICE */
	enum setting_unit unit; /* NUMBER */
	const char *const *words; /* CHOICE: by value, NULL at the end */
	enum setting_pattern pattern; /* TEXT, TEXTS, PAIRS */
	const char *normal_text; /* TEXT; may be NULL */
	size_t count_offset; /* TEXTS, GROUPS, PAIRS */
	enum setting_group child; /* GROUP, GROUPS */
	size_t child_size; /* GROUPS */
	size_t child_line_offset; /* GROUPS: the "line" of an element */
};

extern const struct setting_row setting_rows[];
extern const size_t setting_row_count;

/* NULL where the group has no such setting. */
const struct setting_row *setting_row_find(enum setting_group group, const char *name);

/* "log.", "policyd.listen."; "" for main. */
const char *setting_group_path(enum setting_group group);

const char *setting_unit_words(enum setting_unit unit); /* " milliseconds"; "" for a count */

#endif
