/*
 * probe.h - does it answer, in the words of its protocol?             (driver)
 *
 * One question on a connection of its own, blocking, within PROBE_TIMEOUT_MS.
 * The question is one that needs no Redis: the key "*", which belongs to
 * nobody.
 */
#ifndef ADMIN_PROBE_H
#define ADMIN_PROBE_H

#include "base/fault.h"
#include "base/settings.h"
#include "net/endpoint.h"

enum { PROBE_TIMEOUT_MS = 3000 };

/*
 * A connection, the caller's; no more than PROBE_TIMEOUT_MS to make it, nor for each
 * read and write. -1 and a sentence.
 */
int probe_connect(const struct endpoint *endpoint, struct fault *fault_r);

/* map is used by socketmap only. 0, or -1 and a sentence. */
int probe_ask(const struct endpoint *endpoint, enum listen_protocol protocol, const char *map,
    struct fault *fault_r);

/*
 * The same as a Postfix daemon would: in a child process that goes to the queue
 * directory, into its chroot, and becomes "user". Only root can; others ask
 * from where they stand, with the path that the daemon would reach.
 */
int probe_ask_as_postfix(const struct endpoint *endpoint, const char *map,
    const char *queue_directory, const char *user, bool chrooted, struct fault *fault_r);

#endif
