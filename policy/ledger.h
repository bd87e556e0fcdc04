/*
 * ledger.h - what has arrived, in a file until it is counted          (driver)
 *
 * Two files of a node's slot, and a third one that is locked by who has them open. Reports are
 * appended to "PATH.arrivals"; when the time comes it is renamed to "PATH.arrivals.sent", whose
 * lines are a batch, and a new one is begun with the next number; the batch goes when it is in
 * Redis.
 *
 * What ledger_add() has taken survives the death of this process, at any place. It
 * is not made durable one by one, mail would wait for the disk. So a host that went
 * down without a clean end may have lost some, and the file knows: it has the boot
 * under which it was written, and a word at its end when it was closed. Whatever
 * could have been lost, for that or any other reason, becomes a line of its own that
 * says so.
 */
#ifndef POLICY_LEDGER_H
#define POLICY_LEDGER_H

#include "map/arrivals.h"
#include "policy/ledger_line.h"

/* Of reports that wait, about 50,000 messages: beyond, no more are taken. */
enum { LEDGER_MOST_BYTES = 8 * 1024 * 1024 };

struct ledger;

/*
 * path is "STATE_DIR/nodes/policyd-0". NULL and *fault_r (VERDICT_TEMP), also where
 * another process has it open.
 */
struct ledger *ledger_open(const char *path, int64_t now_s, struct fault *fault_r);

/* Is there a file that says something: that has a batch, lines to count, or no clean end? */
bool ledger_is_left(const char *path);

/* is_clean: all of it is made durable, and a next process need not doubt it. */
void ledger_close(struct ledger **ledger, bool is_clean);

/* 0: it is kept. -1 and *fault_r (VERDICT_TEMP): it is not, and the file says or will say so. */
int ledger_add(struct ledger *ledger, const struct report *report, int64_t now_s,
    struct fault *fault_r);

/* Something was lost that could not be kept. */
void ledger_add_unknown(struct ledger *ledger, int64_t now_s, const char *reason);

/*
 * The batch in hand, or a new one of what is there. 1, its lines and its place; 0
 * there is nothing to count now; -1 and *fault_r. Then ledger_done(), or the same again.
 */
int ledger_batch(struct ledger *ledger, int64_t now_s, struct buf *lines_r,
    struct arrivals_place *place_r, struct fault *fault_r);
int ledger_done(struct ledger *ledger, struct fault *fault_r);

bool ledger_is_empty(const struct ledger *ledger);

/* That wait, the batch in hand included; 0 where it is empty, or NULL. */
uint64_t ledger_bytes(const struct ledger *ledger);

#endif
