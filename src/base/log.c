/*
 * log.c - one line per finished thing                                 (driver)
 */
#include "base/log.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

enum { LOG_LINE_MOST = 4096, LOG_QUOTE_SLOTS = 8 };

_Atomic enum log_level log_level_now = LOG_LEVEL_INFO;
static enum log_target target_now = LOG_TO_STDERR;
static const char *program_now = "splitmx";

static const struct {
	const char *name;
	int priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},
    [LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
    [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

void
log_open(const char *program, enum log_target target, enum log_level level)
{
	/* Where there are threads, only the level changes. */
	if (program_now != program)
		program_now = program;
	if (target_now != target)
		target_now = target;
	log_level_now = level;
	if (target == LOG_TO_SYSLOG)
		openlog(program, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

/* One write(2) for a line, so that lines of several processes do not mix. */
static void
write_stderr(enum log_level level, const char *line, size_t len)
{
	char whole[LOG_LINE_MOST + 64];
	int head;

	if (target_now == LOG_TO_JOURNAL)
		head = snprintf(whole, sizeof(whole), "<%d>", levels[level].priority);
	else
		head = snprintf(whole, sizeof(whole), "%s[%ld]: ", program_now, (long)getpid());
	if (len > sizeof(whole) - (size_t)head - 1)
		len = sizeof(whole) - (size_t)head - 1;
	memcpy(whole + head, line, len);
	whole[(size_t)head + len] = '\n';
	if (write(STDERR_FILENO, whole, (size_t)head + len + 1) == -1)
		return; /* nobody is left to be told */
}

static void log_vwrite(enum log_level level, const char *event, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void
log_vwrite(enum log_level level, const char *event, const char *format, va_list args)
{
	char line[LOG_LINE_MOST];
	int len, more;

	len = snprintf(line, sizeof(line), "%s: %s%s", levels[level].name, event,
	    format[0] != '\0' ? " " : "");
	more = vsnprintf(line + len, sizeof(line) - (size_t)len, format, args);
	len = len + more < (int)sizeof(line) ? len + more : (int)sizeof(line) - 1;
	if (target_now == LOG_TO_SYSLOG)
		syslog(LOG_MAIL | levels[level].priority, "%s", line);
	else
		write_stderr(level, line, (size_t)len);
}

void
log_write(enum log_level level, const char *event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vwrite(level, event, format, args);
	va_end(args);
}

void
log_fatal(int exit_code, const char *event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vwrite(LOG_LEVEL_ERROR, event, format, args);
	va_end(args);
	exit(exit_code);
}

/* Length of the well-formed UTF-8 sequence at p, 0 where there is none (RFC 3629, section 4). */
static size_t
utf8_len(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned char first, last, second_least, second_most, len;
	} rows[] = {
	    {0xc2, 0xdf, 0x80, 0xbf, 2},
	    {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3},
	    {0xed, 0xed, 0x80, 0x9f, 3},
	    {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4},
	    {0xf1, 0xf3, 0x80, 0xbf, 4},
	    {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (p[0] < rows[i].first || p[0] > rows[i].last || left < rows[i].len)
			continue;
		if (p[1] < rows[i].second_least || p[1] > rows[i].second_most)
			continue;
		for (size_t k = 2; k < rows[i].len; k++) {
			if (p[k] < 0x80 || p[k] > 0xbf)
				return 0;
		}
		/* U+0080 to U+009F are control characters to many terminals. */
		return rows[i].len == 2 && p[0] == 0xc2 && p[1] < 0xa0 ? 0 : rows[i].len;
	}
	return 0;
}

static void
escape_into(struct buf *out, struct str bytes, bool quotes)
{
	const unsigned char *p = (const unsigned char *)bytes.ptr;
	size_t i = 0, len;

	while (i < bytes.len) {
		if (quotes && (p[i] == '"' || p[i] == '\\')) {
			buf_addf(out, "\\%c", p[i++]);
		} else if (p[i] >= 0x20 && p[i] < 0x7f) {
			buf_add_byte(out, (char)p[i++]);
		} else if (p[i] >= 0x80 && (len = utf8_len(p + i, bytes.len - i)) > 0) {
			buf_add(out, p + i, len);
			i += len;
		} else {
			buf_addf(out, "\\x%02x", p[i++]);
		}
	}
}

void
log_visible(struct buf *out, struct str bytes)
{
	escape_into(out, bytes, false);
}

void
log_quote_into(struct buf *out, struct str bytes)
{
	bool quotes = bytes.len == 0 || bytes.len > LOG_QUOTE_MOST;
	bool cut = bytes.len > LOG_QUOTE_MOST;

	if (cut)
		bytes.len = LOG_QUOTE_MOST;
	for (size_t i = 0; i < bytes.len && !quotes; i++)
		quotes = (unsigned char)bytes.ptr[i] <= ' ' || bytes.ptr[i] == 0x7f ||
			 strchr("\"\\=", bytes.ptr[i]) != NULL;
	if (quotes)
		buf_add_byte(out, '"');
	escape_into(out, bytes, true);
	if (cut)
		buf_add_text(out, "...");
	if (quotes)
		buf_add_byte(out, '"');
}

const char *
log_quote(struct str bytes)
{
	static struct buf slots[LOG_QUOTE_SLOTS];
	static unsigned next;
	struct buf *out = &slots[next++ % LOG_QUOTE_SLOTS];

	buf_clear(out);
	log_quote_into(out, bytes);
	return buf_cstr(out);
}

const char *
log_quote_text(const char *text)
{
	return log_quote(str_of(text));
}
