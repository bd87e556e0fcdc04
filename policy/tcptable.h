/*
 * tcptable.h - Postfix's tcp_table(5), the server's side             (machine)
 *
 *	get SP key LF		200 SP value LF		found
 *				500 SP text LF		not there
 *				400 SP text LF		cannot tell
 *
 * Keys and texts are %XX-encoded. There is no map's name in it: the listener has
 * one. A reply has at most 4,096 bytes; a value that does not fit is 400, since
 * a cut one would be another destination. "put" is refused.
 */
#ifndef POLICY_TCPTABLE_H
#define POLICY_TCPTABLE_H

#include "base/line.h"
#include "policy/step.h"
#include "rules/ruleset.h"

enum {
	TCPTABLE_LINE_MOST = 32768, /* the longest account in which every byte is encoded */
	TCPTABLE_REPLY_MOST = 4096 /* with the line feed */
};

struct tcptable {
	struct line_reader lines;
	struct buf key;
};

void tcptable_init(struct tcptable *table);
void tcptable_fini(struct tcptable *table);

/* A line above TCPTABLE_LINE_MOST is 400 and the end. query_r->map is the listener's to fill. */
enum step tcptable_next(struct tcptable *table, struct buf *in, struct buf *out,
    struct query *query_r);
void tcptable_say(struct tcptable *table, const struct answer *answer, struct buf *out);

#endif
