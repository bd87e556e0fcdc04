/*
 * journal_line.h - one line of the journal of changes                   (pure)
 *
 *	CHECKSUM {"what":"begun","time":...,"map":...,"epoch":...,"nonce":...}
 *
 * The checksum is that of the JSON text, 16 hexadecimal digits: a line that was
 * cut, or changed, is not believed.
 */
#ifndef MAP_JOURNAL_LINE_H
#define MAP_JOURNAL_LINE_H

#include "base/buf.h"
#include "map/head.h"

#include <stdbool.h>
#include <stdint.h>

enum { JOURNAL_LINE_MOST_BYTES = 32 * 1024, JOURNAL_TEXT_MOST_BYTES = 1024 };

enum journal_what {
	JOURNAL_BEGUN, /* about to be written; "epoch" is the map's before it */
	JOURNAL_WRITTEN, /* from here on "epoch" is the change's */
	JOURNAL_CONFIRMED,
	JOURNAL_UNCONFIRMED, /* nobody could say, when the command ended */
	JOURNAL_LOST, /* a failover undid it */
	JOURNAL_WHATS
};

const char *journal_what_name(enum journal_what what); /* "begun", "written" ... */

/* Texts may be NULL. Of a line that was read they are lent until journal_line_fini(). */
struct journal_line {
	enum journal_what what;
	char time[32]; /* RFC 3339, for people */
	char map[HEAD_ID_BYTES], nonce[HEAD_NONCE_BYTES];
	uint64_t epoch;
	bool is_everywhere; /* "epoch" is on every server; not in the text, "highest" is */
	uint64_t highest; /* the journal's, with this line: see journal.h */

	/* JOURNAL_BEGUN only. */
	const char *who, *command, *why;
	const char *name; /* of several, the last */
	const char *before, *after; /* owners; NULL: none */
	const char *complete; /* what its complete key says then, "-": nothing; NULL: left alone */
	const char *digest; /* of several: of the audit entry's "changes" */
	const char *again; /* the words of the command that makes it again, as a shell takes them */
	const char *sha256; /* of the file that it reads */
	uint64_t accounts;

	void *store;
};

/* Appends the line with its line feed. A text is cut at JOURNAL_TEXT_MOST_BYTES, a name is not. */
void journal_line_write(struct buf *out, const struct journal_line *line);

/* Without its line feed. False, and nothing to end: torn, changed, or none. */
bool journal_line_read(struct str text, struct journal_line *line_r);
void journal_line_fini(struct journal_line *line);

#endif
