/*
 * unreported.h - messages of which policyd was not told               (driver)
 *
 * Mail does not wait for a count: a message is accepted whether policyd has kept its
 * report or not, and the next report says how many were not. Until then that stands
 * nowhere but in this process, and who is killed would forget it: a count would be
 * called known that is too low. So the first of them leaves a mark in the state
 * directory, durably, before its message is answered; it is taken away when a report
 * has said so and nothing was lost meanwhile. Whoever finds a mark at his start begins
 * with a message that was lost.
 *
 * Each process has a place of its own there, the first that nobody holds, by a lock as
 * in map/node.h: two that overlap, for one takes over from the other, do not take away
 * each other's mark. The marks of places that nobody holds are taken over at the start,
 * so that one of a worker that does not come back is not forgotten either.
 *
 * For any thread. The lock is held while a mark is written: all who lose a report wait
 * for that one.
 */
#ifndef MILTER_UNREPORTED_H
#define MILTER_UNREPORTED_H

#include <stdbool.h>
#include <stdint.h>

enum { UNREPORTED_PLACES_MOST = 128 }; /* twice as many as there can be workers */

struct unreported;

/*
 * Never fails: where there is no place for a mark, that is in the log, once, and tried
 * again with the next loss. Where nobody can look whether there is a mark, it counts as
 * there.
 */
struct unreported *unreported_open(const char *state_dir);

/* Nobody uses it any more. What was not told is told by the next who starts. */
void unreported_close(struct unreported **unreported);

/* One more message. The mark is on the disk before this returns, if it can be. */
void unreported_add(struct unreported *unreported);

/* So many are told with the next report; what became of that is said by _told() or _not_told(). */
uint64_t unreported_take(struct unreported *unreported);
void unreported_told(struct unreported *unreported, uint64_t taken);
void unreported_not_told(struct unreported *unreported, uint64_t taken);

#endif
