/*
 * log.h - one line per finished thing                                 (driver)
 *
 * A line is an event name and name=value pairs in a fixed order (logfmt), so
 * that `grep user=ann` tells the story:
 *
 *	log_info("answered", "map=%s key=%s verdict=%s", ...)
 *
 * Bytes that came from a peer go through log_quote(). Secrets go nowhere. Lines
 * may be written from any thread; log_quote() belongs to the main one.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/str.h"

#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL };

/*
 * Start logging as "program"; until then lines of level info and above go to
 * stderr. syslog uses the facility mail; journal falls back to stderr with
 * syslog priority prefixes "<N>" where stderr is not the journal.
 */
void log_open(const char *program, enum log_target target, enum log_level level);

void log_write(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

extern _Atomic enum log_level log_level_now; /* read it through the macros below */

#define log_at(level, ...)                                                                         \
	do {                                                                                       \
		if ((level) <= log_level_now)                                                      \
			log_write((level), __VA_ARGS__);                                           \
	} while (0)
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * A peer's bytes as a logfmt value: cut at LOG_QUOTE_MOST bytes of input,
 * escaped to printable ASCII or whole UTF-8, in double quotes where it holds
 * spaces, quotes or '='. The result is lent until the eighth next call.
 */
enum { LOG_QUOTE_MOST = 256 };
const char *log_quote(struct str bytes);
const char *log_quote_text(const char *text);

/* The same, appended to out: for threads, which cannot share what is lent. */
void log_quote_into(struct buf *out, struct str bytes);

/* The same escapes, but whole, without quotes: for sentences on a terminal. Appends to out. */
void log_visible(struct buf *out, struct str bytes);

/* The operator must act: says so, and ends the process with a sysexits code. */
void log_fatal(int exit_code, const char *event, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

#endif
