/*
 * age.h - how long ago, as people say it                                (pure)
 */
#ifndef ADMIN_AGE_H
#define ADMIN_AGE_H

#include "base/buf.h"
#include "base/fault.h"

#include <stdint.h>

/* "90" and "90s" are seconds; "15m", "2h", "3d". 0, or -1 and *fault_r (VERDICT_PERM). */
int age_read(const char *text, uint64_t *ms_r, struct fault *fault_r);

/* The two greatest units of it, "2h05m", "3d04h"; seconds alone below a minute. */
void age_write(struct buf *out, uint64_t ms);

#endif
