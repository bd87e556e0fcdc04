/*
 * confirming.h - a command waits until its change is confirmed        (driver)
 *
 * What set, unset, import and barrier have in common: how long they wait, what
 * they say meanwhile, how they say what came of it, and the line of the audit
 * stream about it.
 */
#ifndef ADMIN_CONFIRMING_H
#define ADMIN_CONFIRMING_H

#include "admin/admin.h"
#include "map/confirm.h"
#include "map/seal.h"

/* Rows for the options of a command that waits. */
/* clang-format off */
#define CONFIRMING_OPTIONS \
	{"wait", "SECONDS", "how long to wait until the change is confirmed (setting confirm_timeout)"}, \
	{"no-wait", NULL, "do not wait: nobody knows then whether all nodes follow"}
/* clang-format on */

struct confirming {
	struct admin *admin;
	bool waits;
	uint64_t wait_ms;
	struct confirm_result *result; /* NULL: nothing was waited for */
};

/* Before anything is written; the settings are there. 0, or EX_USAGE after having said why. */
int confirming_init(struct confirming *confirming, struct admin *admin);
void confirming_fini(struct confirming *confirming);

/*
 * Wait, unless --no-wait was said or the seal was never written, for a change of
 * these names; none: of everything. True: it is confirmed, or nobody wanted to
 * know. confirming->result is its outcome until the next call.
 */
bool confirming_wait(struct confirming *confirming, const struct seal *seal,
    const struct str *names, size_t count);

/* The same without a change: write a seal of its own first. 0, or -1 and *fault_r. */
int confirming_seal(struct admin *admin, const char *what, const struct str *names, size_t count,
    struct seal *seal_r, struct fault *fault_r);

/*
 * Where nothing had to be changed: what is in the map of these names was perhaps
 * never confirmed, so ask for it as if it had been written now; the present owners
 * stand in the seal. Nothing with --no-wait, and then the seal's epoch is 0. Only
 * right on the connection that has just shown what is there, since another may be
 * to a master that lacks it. 0, or -1 and *fault_r.
 */
int confirming_present(struct confirming *confirming, const struct str *names, size_t count,
    struct seal *seal_r, struct fault *fault_r);

/* ", confirmed by 2 nodes in 4 ms (mx1/policyd/0, ...)" and the like, to end a line; lent. */
const char *confirming_words(const struct confirming *confirming);

/* The members "confirmed", "nodes", "members" ... of an object that is printed. */
void confirming_json(const struct confirming *confirming, json_t *object);

/*
 * At the end: where it is not confirmed, say who is missing and what helps. 0,
 * or EX_TEMPFAIL. "what" begins the sentence, and "again" is the command that ends it.
 */
int confirming_end(const struct confirming *confirming, const char *what, const char *again);

#endif
