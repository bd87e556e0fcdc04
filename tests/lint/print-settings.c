/*
 * print-settings.c - the rows of settings.def, for the lints that compare
 *
 * One row a line: full name, facts as the manual states them, the default as
 * the file would write it (or nothing), sentence; with tabs between.
 */
#include "base/settings_rows.h"

#include <inttypes.h>
#include <stdio.h>

static void
print_words(const struct setting_row *row)
{
	for (size_t i = 0; row->words[i]; i++)
		printf("%s\"%s\"", i == 0 ? "" : row->words[i + 1] ? ", " : " or ", row->words[i]);
}

static void
print_type(const struct setting_row *row)
{
	switch (row->type) {
	case SETTING_NUMBER:
		printf("From %" PRId64 " to %" PRId64 "%s", row->least, row->most,
		    setting_unit_words(row->unit));
		break;
	case SETTING_BOOL:
		printf("True or false");
		break;
	case SETTING_CHOICE:
		printf("One of ");
		print_words(row);
		break;
	case SETTING_TEXT:
		printf("Text%s%s", row->pattern == PATTERN_ANY ? "" : ", ",
		    row->pattern == PATTERN_ANY ? "" : pattern_words(row->pattern));
		break;
	case SETTING_TEXTS:
		printf("List of texts%s%s", row->pattern == PATTERN_ANY ? "" : ", each ",
		    row->pattern == PATTERN_ANY ? "" : pattern_words(row->pattern));
		break;
	case SETTING_GROUP:
		printf("Group");
		break;
	case SETTING_GROUPS:
		printf("List of groups");
		break;
	case SETTING_PAIRS:
		printf("Group of texts");
		break;
	case SETTING_TYPE_COUNT:
		break;
	}
}

/* As it would stand in the file; nothing where there is none. */
static void
print_default(const struct setting_row *row)
{
	if (row->needed)
		return;
	if (row->type == SETTING_NUMBER)
		printf("%" PRId64, row->normal);
	else if (row->type == SETTING_BOOL)
		printf("%s", row->normal ? "true" : "false");
	else if (row->type == SETTING_CHOICE)
		printf("\"%s\"", row->words[row->normal]);
	else if (row->type == SETTING_TEXT && row->normal_text)
		printf("\"%s\"", row->normal_text);
}

static bool
has_default(const struct setting_row *row)
{
	return !row->needed &&
	       (row->type <= SETTING_CHOICE || (row->type == SETTING_TEXT && row->normal_text));
}

int
main(void)
{
	for (size_t i = 0; i < setting_row_count; i++) {
		const struct setting_row *row = &setting_rows[i];

		printf("%s\t", row->full_name);
		print_type(row);
		if (has_default(row))
			printf("; default ");
		print_default(row);
		if (row->needed)
			printf("; must be given");
		if (row->type != SETTING_GROUP)
			printf("; %s", row->reloads ? "reload" : "restart");
		printf(".\t");
		print_default(row);
		printf("\t%s\n", row->sentence);
	}
	return 0;
}
