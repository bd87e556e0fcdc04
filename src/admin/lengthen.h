/*
 * lengthen.h - a longer lease, in two steps                           (driver)
 *
 * A node grants itself what its Redis server says (lease_ms), a writer waits for
 * what his says (lease_most_ms), and after a failover these are two servers. If
 * one were promoted that has heard of neither, changes would be confirmed after a
 * short wait while long leases run. So the first step tells writers, and every
 * server that may be promoted must have it; the second tells nodes, if nobody has
 * set the lease meanwhile. Interrupted anywhere between, writers wait for too long
 * and never too short, and doing it again finishes it.
 *
 * Both put a mark of their own into the head (lease_epoch): the first, so that an
 * opening that is under way does not lower lease_most_ms again (cmd_window.c), the
 * second for heartbeats that were sent before it (link_beat.c).
 */
#ifndef ADMIN_LENGTHEN_H
#define ADMIN_LENGTHEN_H

#include "admin/admin.h"
#include "map/head.h"

#include <stdbool.h>
#include <stdint.h>

/* EX_NOPERM, and it was said: longer ones may run, and only an opening makes them shorter. */
int lengthen_check(struct admin *admin, const struct map_head *head, uint32_t lease_ms);

/*
 * 0: the lease is lease_ms, on every server that may be promoted; *changed_r tells
 * whether it was not so before. Else a sysexits code, and it was said. "what" is
 * for the audit stream, "again" the command that finishes it.
 */
int lengthen_lease(struct admin *admin, const char *what, const char *again, uint32_t lease_ms,
    bool *changed_r);

#endif
