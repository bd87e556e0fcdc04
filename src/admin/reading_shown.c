/*
 * reading_shown.c - the keys of a record, for people and programs     (driver)
 */
#include "admin/reading_shown.h"

#include "base/log.h"

#include <stdio.h>

json_t *
reading_json(const struct reading *reading)
{
	json_t *keys = json_array();

	for (size_t i = 0; i < reading->count; i++) {
		const struct reading_key *key = &reading->keys[i];
		json_t *row = json_pack("{s:o, s:o}", "key", admin_json_text(key->key), "value",
		    key->kind == FETCH_STRING ? admin_json_text(key->value) : json_null());

		if (key->kind == FETCH_WRONG_TYPE)
			json_object_set_new(row, "wrong_type", json_true());
		if (key->ttl_ms >= 0)
			json_object_set_new(row, "ttl_ms", json_integer(key->ttl_ms));
		json_array_append_new(keys, row);
	}
	return keys;
}

void
reading_print(const struct reading *reading)
{
	puts("keys");
	for (size_t i = 0; i < reading->count; i++) {
		const struct reading_key *key = &reading->keys[i];

		printf("  %-44s ", log_quote(key->key));
		switch (key->kind) {
		case FETCH_ABSENT:
			fputs("(not there)", stdout);
			break;
		case FETCH_WRONG_TYPE:
			fputs("(no string: nobody can read it; remove it)", stdout);
			break;
		case FETCH_STRING:
			fputs(log_quote(key->value), stdout);
			break;
		}
		if (key->ttl_ms >= 0)
			printf(", %.1f s left", (double)key->ttl_ms / 1000);
		else if (key->kind != FETCH_ABSENT && key->is_hold)
			fputs(", WITHOUT AN END: give it one with EXPIRE", stdout);
		putchar('\n');
	}
}
