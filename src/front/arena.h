/*
 * arena.h - the memory where one login keeps its secrets              (driver)
 *
 * A slot of locked memory that is in no core (madvise(2), MADV_DONTDUMP); it is
 * given out in pieces, never grows, and is overwritten when it goes back. A
 * worker has a bounded number of slots: that many logins can be under way.
 */
#ifndef FRONT_ARENA_H
#define FRONT_ARENA_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum { ARENA_BYTES = 16 * 1024 };

struct arenas;
struct arena;

/* Up to "most" arenas at a time; memory is taken from the system as it is needed. */
struct arenas *arenas_new(size_t most);
void arenas_set_most(struct arenas *arenas, size_t most); /* those that are lent stay so */
void arenas_free(struct arenas **arenas); /* all arenas have been returned */

struct arena *arena_borrow(struct arenas *arenas); /* NULL: all are in use */
void arena_return(struct arena **arena); /* wipes it */

char *arena_room(struct arena *arena, size_t len); /* NULL: does not fit any more */
bool arena_copy(struct arena *arena, struct str bytes, struct str *copy_r); /* false: no room */
void
arena_wipe(struct arena *arena); /* everything in it is gone; it stays borrowed; NULL is allowed */

#endif
