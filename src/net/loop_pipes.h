/*
 * loop_pipes.h - pipes for splice(2), lent for as long as they hold bytes (driver)
 *
 * A pipe is what the kernel moves bytes through that nobody looks at. Most relays
 * need one for a moment only, so a loop keeps a few and lends them out.
 */
#ifndef NET_LOOP_PIPES_H
#define NET_LOOP_PIPES_H

#include <stdbool.h>

enum {
	PIPE_BYTES = 256 * 1024, /* asked for; the kernel may give less */
	PIPES_IDLE_MOST = 16,
};

struct pipes; /* one per loop: loop_inside.h */

struct pipes *pipes_new(void);
void pipes_free(struct pipes **pipes); /* those that were lent are not touched */

/* ends_r[0] is read from, ends_r[1] written to; false: there is none to be had. */
bool pipes_borrow(struct pipes *pipes, int ends_r[2]);

/* With is_empty false there are bytes in it, and nobody may get it again. */
void pipes_return(struct pipes *pipes, int ends[2], bool is_empty);

#endif
