/*
 * loop_pipes.c - pipes for splice(2), lent for as long as they hold bytes (driver)
 */
#include "net/loop_pipes.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct pipes {
	int idle[PIPES_IDLE_MOST][2];
	size_t count;
};

struct pipes *
pipes_new(void)
{
	return xnew(struct pipes);
}

static void
close_both(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

void
pipes_free(struct pipes **pipes_ref)
{
	struct pipes *pipes = *pipes_ref;

	if (pipes == NULL)
		return;
	*pipes_ref = NULL;
	while (pipes->count > 0)
		close_both(pipes->idle[--pipes->count]);
	free(pipes);
}

bool
pipes_borrow(struct pipes *pipes, int ends_r[2])
{
	if (pipes->count > 0) {
		pipes->count--;
		ends_r[0] = pipes->idle[pipes->count][0];
		ends_r[1] = pipes->idle[pipes->count][1];
		return true;
	}
	if (pipe2(ends_r, O_NONBLOCK | O_CLOEXEC) == -1) {
		ends_r[0] = ends_r[1] = -1;
		return false;
	}
	fcntl(ends_r[0], F_SETPIPE_SZ, PIPE_BYTES); /* refused beyond a user's share: less it is */
	return true;
}

void
pipes_return(struct pipes *pipes, int ends[2], bool is_empty)
{
	if (is_empty && pipes->count < PIPES_IDLE_MOST) {
		pipes->idle[pipes->count][0] = ends[0];
		pipes->idle[pipes->count][1] = ends[1];
		pipes->count++;
	} else {
		close_both(ends);
	}
	ends[0] = ends[1] = -1;
}
