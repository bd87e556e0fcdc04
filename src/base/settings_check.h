/*
 * settings_check.h - what only several settings together can show       (pure)
 */
#ifndef BASE_SETTINGS_CHECK_H
#define BASE_SETTINGS_CHECK_H

#include "base/settings.h"

/* Adds a problem for each contradiction between settings. */
void settings_check(struct settings *settings);

#endif
