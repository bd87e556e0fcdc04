/*
 * reading_shown.h - the keys of a record, for people and programs     (driver)
 */
#ifndef ADMIN_READING_SHOWN_H
#define ADMIN_READING_SHOWN_H

#include "admin/reading.h"

#include <jansson.h>

json_t *reading_json(const struct reading *reading); /* an array */
void reading_print(const struct reading *reading);

#endif
