/*
 * journal.h - what was changed from this host                         (driver)
 *
 * FENCING, W6. Redis may come back from an old copy, and the audit stream with
 * it. So each host keeps what was changed from it in state_dir/journal: a line
 * that is on the disk before the change is written, one when it was, and one that
 * says what became of it. A map whose epoch is below the highest of the journal
 * went back, and nothing is written to it.
 *
 * An operator may act from a host without a state directory, or as a user who has
 * no rights there: then no journal is kept, and the caller says so. Where it is
 * ours and cannot be written (a full disk), nothing is changed.
 */
#ifndef MAP_JOURNAL_H
#define MAP_JOURNAL_H

#include "base/fault.h"
#include "map/journal_line.h"

#include <stdbool.h>
#include <stddef.h>

/* Then it becomes "journal.1", in place of the one before. */
enum { JOURNAL_MOST_BYTES = 16 * 1024 * 1024 };

struct journal;

struct journal *journal_open(const char *state_dir); /* never fails; journal_add() does */
void journal_close(struct journal **journal);

/*
 * The highest epoch of this map that a change from here has, once it is on every
 * server, 0 where there was none: a line that says is_everywhere raises it, and
 * JOURNAL_LOST takes its own back. -1 and *fault_r (VERDICT_TEMP): the journal is
 * ours and cannot be used.
 */
int journal_highest(struct journal *journal, const char *map, uint64_t *highest_r,
    struct fault *fault_r);

/*
 * Append a line; its time and highest are set here. JOURNAL_WRITTEN is on the disk
 * with the line after it, all others when this returns. -1 and *fault_r
 * (VERDICT_TEMP): it is not there. 0 as well where no journal is kept, and then
 * journal_is_kept() is false.
 */
int journal_add(struct journal *journal, struct journal_line *line, struct fault *fault_r);
bool journal_is_kept(const struct journal *journal);

/* False ends it. The line is lent for the call. */
typedef bool journal_line_fn(void *ctx, const struct journal_line *line);

/*
 * Every line of journal.1 and journal, the oldest first. *damaged_r counts those
 * that are none: a torn one where a host lost its power is no reason for alarm.
 * -1 and *fault_r: a file is there and cannot be read; no file is no line.
 */
int journal_read(const char *state_dir, journal_line_fn *fn, void *ctx, size_t *damaged_r,
    struct fault *fault_r);

#endif
