/*
 * delegation.h - Postfix's policy delegation protocol                (machine)
 *
 * What check_policy_service speaks (SMTPD_POLICY_README): name=value lines up to
 * an empty one, answered by "action=..." and an empty line. We answer by the
 * recipient, from a map whose texts are actions of access(5). Without a
 * recipient (at CONNECT, HELO, MAIL, or for several at DATA), and for one that
 * is not in the map, the action is DUNNO: go on as if we were not there.
 */
#ifndef POLICY_DELEGATION_H
#define POLICY_DELEGATION_H

#include "base/line.h"
#include "policy/step.h"
#include "rules/ruleset.h"

enum {
	DELEGATION_LINE_MOST = 16384,
	DELEGATION_LINES_MOST = 200 /* Postfix sends about 40 */
};

struct delegation {
	struct line_reader lines;
	struct buf recipient;
	unsigned count; /* lines of this request */
	bool is_access; /* request=smtpd_access_policy was among them */
	bool has_mistake; /* a line without '=', two recipients */
};

void delegation_init(struct delegation *delegation);
void delegation_fini(struct delegation *delegation);

/*
 * A request that is none is answered "later"; above a limit that is also the
 * end. query_r->map is the listener's to fill.
 */
enum step delegation_next(struct delegation *delegation, struct buf *in, struct buf *out,
    struct query *query_r);
void delegation_say(struct delegation *delegation, const struct answer *answer, struct buf *out);

#endif
