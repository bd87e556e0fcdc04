/*
 * kick.h - the command that ends an account's sessions at a backend   (driver)
 *
 * For backends that do not close when they are asked to: "doveadm kick". Run
 * without a shell, its arguments made from templates (%a account, %u local part,
 * %d domain, %o owner). What it says goes where our log goes; its status is
 * nothing but a word in the log, because only a closed connection is an end.
 *
 * A destination has a kick, which a reload makes anew. What runs belongs to the
 * worker: it is collected soon after its end, and killed when it does not end.
 */
#ifndef FRONT_KICK_H
#define FRONT_KICK_H

#include "base/fault.h"
#include "base/str.h"
#include "net/loop.h"

#include <stddef.h>
#include <stdint.h>

struct kick;
struct kicks;

enum {
	KICKS_MOST = 8, /* that run at a time; others are left out, and come again */
	KICK_AGAIN_MS = 1000, /* not sooner for the same account: a hundred sessions may ask */
	KICK_MOST_MS = 30000, /* for one to end */
};

/* NULL in *kick_r where there are no words. -1: an expansion that is none. */
int kick_new(const char *const *words, size_t count, struct kick **kick_r, struct fault *fault_r);
void kick_free(struct kick **kick); /* NULL is allowed; what runs goes on */

struct kicks *kicks_new(struct loop *loop, uint64_t most_ms);
void kicks_free(struct kicks **kicks); /* NULL is allowed; what runs goes on */
size_t kicks_running(const struct kicks *kicks);

/* Not waited for. Where one runs, or has just run, for this account: nothing. */
void kick_run(const struct kick *kick, struct kicks *kicks, struct str account, struct str owner);

#endif
