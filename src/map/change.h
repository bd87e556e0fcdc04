/*
 * change.h - writing the ownership map, guarded                       (driver)
 *
 * Every change of a record by our own programs goes through here: WATCH the
 * account's own keys, read them, ask the guard whether what is there is what
 * was expected, and write everything in one MULTI: the values, a new epoch, a
 * line in the audit stream. When another writer came between, nothing was
 * written: the keys are read again and the guard is asked again. The guard
 * looks at the account's own values and never at the epoch, so changes of other
 * accounts disturb nobody (FENCING, W2).
 *
 * That the change has reached every member and node is another question, asked
 * afterwards, by confirm_run().
 */
#ifndef MAP_CHANGE_H
#define MAP_CHANGE_H

#include "base/buf.h"
#include "map/seal.h"

/*
 * One MULTI holds no more accounts than this, so Redis is never busy for long.
 * (WATCH is what costs: it compares each key with all that are watched.)
 */
enum { CHANGE_BATCH_MOST = 100, CHANGE_TRIES_MOST = 20 };

/* What a change writes; bits. */
enum {
	CHANGE_OWNER = 1, /* the owner key becomes "owner", or goes where that is empty */
	CHANGE_HOLD = 2, /* the hold key becomes "hold", for hold_ms */
	CHANGE_RELEASE = 4, /* the hold key goes */
	CHANGE_COMPLETE = 8, /* the complete key becomes "complete", or goes where that is empty */
};

enum change_result {
	CHANGE_DONE, /* written */
	CHANGE_UNCHANGED, /* it was so already */
	CHANGE_REFUSED /* by the guard; "why" says so */
};

/* A value as it was read; text is empty where it is not there. Not a string: not there. */
struct change_value {
	bool there;
	struct str text;
};

/* What is stored before the change, all read under one WATCH. */
struct change_seen {
	struct change_value owner, hold; /* of the name itself */
	struct change_value domain_owner, domain_hold; /* of its domain */
	struct change_value complete; /* of the name; looked at for CHANGE_COMPLETE only */
};

struct change {
	struct str name; /* canonical "alice@example.org" or "@example.org"; lent */
	unsigned writes; /* CHANGE_ bits */
	struct str owner, hold, complete;
	uint64_t hold_ms;
	bool hold_matters; /* to the guard: then a hold that comes or goes disturbs as well */

	/* Set by change_run(); seen is lent until the next change_run() on this client. */
	struct change_seen seen;
	enum change_result result;
	const char *why; /* CHANGE_REFUSED; the guard's, lent as it says */
};

/*
 * May this change be written, now that its "seen" is known? Sets change->result
 * (and why). Asked again after each disturbance, with what is there then.
 */
typedef void change_guard_fn(void *ctx, struct change *change);

/*
 * Run up to CHANGE_BATCH_MOST changes as one transaction: those that the guard
 * lets through are written together or not at all. 0, and *seal_r names the change
 * for confirm_run(); its epoch is 0 when there was nothing to write. Where the
 * connection is lost before the answer comes, the map itself is asked, and what
 * was not written is tried again. -1 and *fault_r (VERDICT_TEMP): nothing was
 * written, or, where Redis does not come back, nobody can say; the sentence tells
 * which.
 */
int change_run(struct client *client, struct change *changes, size_t count,
    const struct change_note *note, change_guard_fn *guard, void *ctx, struct seal *seal_r,
    struct fault *fault_r);

/* Only the first half: fills "seen" of each, and asks the guard; writes nothing. */
int change_try(struct client *client, struct change *changes, size_t count, change_guard_fn *guard,
    void *ctx, struct fault *fault_r);

/*
 * The owner that counts before the change, the domain's where the account has
 * none of its own; not there: nobody's.                               (pure)
 */
struct change_value change_owner_before(const struct change *change);

/* The same for the hold: an account with an owner key of its own is not held by its domain. */
struct change_value change_hold_before(const struct change *change);

/* The audit entry's field for several changes: "name before after" a line, "-": nothing. (pure) */
void change_describe(struct buf *out, const struct change *changes, size_t count);

/* The same of complete keys, of those changes that write them. (pure) */
void change_describe_complete(struct buf *out, const struct change *changes, size_t count);

#endif
