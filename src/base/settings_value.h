/*
 * settings_value.h - one value of the file, judged by its row           (pure)
 *
 * Between libconfig's node and the field: is it of the right kind, within its
 * limits, one of the words, of the right form? What is not taken is reported.
 */
#ifndef BASE_SETTINGS_VALUE_H
#define BASE_SETTINGS_VALUE_H

#include "base/settings.h"
#include "base/settings_rows.h"

struct config_setting_t; /* libconfig's */

int value_line(const struct config_setting_t *node);

/* false, and a problem, where it is not what this type of setting wants. */
bool value_has_kind(struct settings *settings, const char *name, enum setting_type type,
    const struct config_setting_t *node);

/*
 * A NUMBER, BOOL, CHOICE or TEXT of the right kind goes into its field of the
 * struct at base. false, and a problem, where it is not taken.
 */
bool value_read(struct settings *settings, const struct setting_row *row,
    const struct config_setting_t *node, char *base);

/* A text of the right kind, checked by the row and kept; NULL, and a problem, where not. */
const char *value_take_text(struct settings *settings, const struct setting_row *row,
    const char *name, const struct config_setting_t *node);

#endif
