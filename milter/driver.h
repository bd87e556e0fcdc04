/*
 * driver.h - libmilter in a worker, from start to end                 (driver)
 *
 * libmilter is a program in itself: it listens, takes signals, and ends when it
 * likes. It gets a thread, and is held to the ways of our daemons:
 *
 *	listeners	are the master's, as everywhere: so a worker that dies refuses
 *			nobody, mode and owner are the master's to set, and a new binary
 *			takes them over. libmilter opens one of its own, at a place where
 *			nobody looks (smfi_opensocket); the master's is put under its number.
 *			It has one in a process: a second address is a second worker's.
 *	signals		are the main thread's. libmilter's own thread for signals waits for
 *			SIGTERM, SIGINT and SIGHUP with sigwait(3), but the kernel gives a
 *			process's signal to the main thread where that does not block it.
 *	the end		its own listener is put back, to which nobody connects, and the
 *			sessions are let go on. It is never told to stop: that would cut
 *			them off. The process ends instead, when nobody is left or the time
 *			is over; from a connection that closes Postfix concludes "later".
 *	when it ends	by itself, so does the process, and the master starts another.
 *
 * Whether the libmilter at hand has its pool of workers makes no difference here.
 */
#ifndef MILTER_DRIVER_H
#define MILTER_DRIVER_H

#include "base/fault.h"
#include "base/openmetrics.h"
#include "base/settings.h"

#include <jansson.h>

/*
 * Serve what connects to "listener", which is lent for this call: a listening
 * socket of any family. In run_dir there is another one for a moment, named after
 * the slot; in state_dir, what unreported.h keeps. Returns when it can be connected to; -1 and
 * *fault_r when it could not begin. Once in a process.
 */
int driver_start(const struct settings *settings, int listener, unsigned slot,
    struct fault *fault_r);

/* For messages that begin from now on. -1: the former ones stay. */
int driver_reload(const struct settings *settings, struct fault *fault_r);

void driver_shut(void); /* no session begins any more */
unsigned driver_sessions(void); /* so many go on */

/* Free everything, unless sessions go on: then the end of the process must follow. */
void driver_stop(void);

/* A new object, the caller's; and more families. */
json_t *driver_status(void);
void driver_numbers(struct openmetrics *text);

#endif
