/*
 * settings_pattern.h - what the text of a setting may look like         (pure)
 *
 * A pattern is a test and the words that end "... is not". It looks at the form
 * alone: whether a file or a user exists is for whoever uses it to find out.
 */
#ifndef BASE_SETTINGS_PATTERN_H
#define BASE_SETTINGS_PATTERN_H

#include <stdbool.h>

enum setting_pattern {
	PATTERN_ANY,
	PATTERN_WORD,
	PATTERN_NAME,
	PATTERN_HOST,
	PATTERN_PREFIX,
	PATTERN_PATH,
	PATTERN_MODE,
	PATTERN_DELIMITER,
	PATTERN_DOMAIN,
	PATTERN_REDIS_URL,
	PATTERN_HOST_PORT,
	PATTERN_ADDRESS,
	PATTERN_CIDR,
	PATTERN_REPLY,
	PATTERN_PIN,
	PATTERN_COUNT
};

bool pattern_fits(enum setting_pattern pattern, const char *text);
const char *pattern_words(enum setting_pattern pattern); /* "an absolute path" */

/* Of a text that fits PATTERN_ADDRESS. */
bool address_is_unix(const char *address);
bool address_is_loopback(const char *address); /* inet: by its spelling alone */

#endif
