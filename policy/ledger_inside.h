/*
 * ledger_inside.h - what the two files of the ledger share            (driver)
 *
 * ledger_open.c finds what a process before us has left, ledger.c goes on with it.
 */
#ifndef POLICY_LEDGER_INSIDE_H
#define POLICY_LEDGER_INSIDE_H

#include "policy/ledger.h"

/* A file that some hand made longer than we ever would is not read. */
enum { LEDGER_READ_MOST_BYTES = LEDGER_MOST_BYTES + 2 * REPORT_MOST_BYTES };

struct ledger {
	char *dir, *path, *sent_path;
	char boot[LEDGER_BOOT_BYTES], series[ARRIVALS_SERIES_BYTES];
	int lock;
	int fd; /* -1: there is no file, the next add makes one */
	uint64_t batch; /* the file's number */
	uint64_t size, sent_size;
	size_t count; /* lines in it that are to be counted */
	bool has_sent;
	bool is_doubted; /* the batch in hand is of another boot */
	bool is_full; /* and says so */
	const char *owed; /* why something is unknown, not yet in the file; NULL: nothing is */
	int64_t owed_s;
};

extern const char ledger_lost_by_damage[];

/* Each 0, or -1 with errno. */
int ledger_open_file(struct ledger *ledger, int flags);
int ledger_begin_file(struct ledger *ledger); /* a new one, with its head */

/* What could not be said before comes first; count of the lines are to be counted. */
int ledger_add_lines(struct ledger *ledger, struct str lines, size_t count);

/* To be said with what is written next. */
void ledger_owe(struct ledger *ledger, int64_t now_s, const char *reason);

/* 1 it was read; 0 there is none; -1 with errno. */
int ledger_read_file(const char *path, struct buf *text);

#endif
