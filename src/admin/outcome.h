/*
 * outcome.h - what a command of the settings says                     (driver)
 *
 * A program and its arguments, without a shell; %a, %u, %d and %o in an argument are
 * the account's (rules/template.h). What it writes, errors too, is taken up to a
 * bound, and it has to end in time.
 */
#ifndef ADMIN_OUTCOME_H
#define ADMIN_OUTCOME_H

#include "base/buf.h"
#include "base/fault.h"
#include "rules/template.h"

enum { OUTCOME_MOST_BYTES = 1024 * 1024, OUTCOME_MOST_MS = 10000 };

/* 0 and all that it said, or -1 and *fault_r: it cannot be run, fails, or does not end. */
int outcome_of(const char *const *words, size_t count, const struct template_words *account,
    struct buf *said, struct fault *fault_r);

#endif
