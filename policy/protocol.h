/*
 * protocol.h - the protocols of policyd, as the server sees them     (machine)
 *
 * One row for each; what they have in common is in step.h.
 */
#ifndef POLICY_PROTOCOL_H
#define POLICY_PROTOCOL_H

#include "base/settings.h"
#include "policy/delegation.h"
#include "policy/sink.h"
#include "policy/tcptable.h"

/* What one connection remembers. */
union machine {
	struct tcptable tcptable;
	struct delegation delegation;
	struct sink sink;
};

/* What its listener's settings say; lent for each call. */
struct words {
	struct str map; /* tcp_table, policy */
	struct str reply; /* sink */
};

struct protocol {
	const char *name; /* as in the settings */
	size_t in_max_bytes;
	uint64_t idle_most_ms; /* between requests, however long the setting is */
	void (*init)(union machine *machine);
	void (*fini)(union machine *machine);
	void (*greet)(struct buf *out); /* NULL where the client speaks first */
	enum step (*next)(union machine *machine, const struct words *words, struct buf *in,
	    struct buf *out, struct query *query_r);
	void (*say)(union machine *machine, const struct answer *answer, struct buf *out);
};

enum { PROTOCOL_COUNT = LISTEN_SINK + 1 };
extern const struct protocol protocols[PROTOCOL_COUNT]; /* by enum listen_protocol */

#endif
