/*
 * fronts.h - ask every worker of the login front of this host          (driver)
 */
#ifndef ADMIN_FRONTS_H
#define ADMIN_FRONTS_H

#include "admin/admin.h"

/*
 * A worker has answered; process is its name, "frontd-0". reply is lent. False: that
 * is no answer to what was asked.
 */
typedef bool fronts_fn(void *ctx, const char *process, json_t *reply);

/*
 * Each is asked once, by its control socket in run_dir. 0, or EX_UNAVAILABLE, said:
 * there is none, or one did not answer; the others were asked all the same.
 */
int fronts_ask(struct admin *admin, const json_t *request, fronts_fn *fn, void *ctx);

#endif
