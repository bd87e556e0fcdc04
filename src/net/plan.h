/*
 * plan.h - what a program asks of its master, made complete             (pure)
 *
 * Whoever collects numbers wants each process as one target, always the same one
 * at the same address. So the workers listen side by side: the first at the
 * address of the settings, each other one a port further.
 */
#ifndef NET_PLAN_H
#define NET_PLAN_H

#include "net/daemon.h"

/*
 * As the program plans, and behind its own binds one for each worker where it has
 * numbers: plan_r->metrics_count of them. workers: as many as there are; 0: as
 * planned. Texts are lent by the settings and by plan_r->binds, the caller's.
 */
void plan_make(const struct daemon_program *program, const struct settings *settings,
    unsigned workers, struct daemon_plan *plan_r);

#endif
