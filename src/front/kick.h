/*
 * kick.h - the command that ends an account's sessions at a backend   (driver)
 *
 * For backends that do not close when they are asked to: "doveadm kick". Run
 * without a shell, its arguments made from templates (%a account, %u local part,
 * %d domain, %o owner). What it says goes where our log goes; its status is
 * nothing but a word in the log, because only a closed connection is an end.
 */
#ifndef FRONT_KICK_H
#define FRONT_KICK_H

#include "base/fault.h"
#include "base/str.h"

#include <stddef.h>

struct kick;

enum { KICKS_MOST = 8 }; /* that run at a time; others are left out, and come again */

/* NULL in *kick_r where there are no words. -1: an expansion that is none. */
int kick_new(const char *const *words, size_t count, struct kick **kick_r, struct fault *fault_r);
void kick_free(struct kick **kick); /* NULL is allowed; what runs goes on */

/* Not waited for. Once in a while for the same account is the caller's business. */
void kick_run(struct kick *kick, struct str account, struct str owner);

#endif
