/*
 * nexthop.h - the server that a map's text sends mail to                (pure)
 *
 * "relay:[old.internal]:10026", "lmtp:unix:private/dovecot-lmtp": what a map answers
 * is what transport(5) takes, and check --complete asks the same server. MX records
 * are not looked up, and of several servers the first one counts.
 */
#ifndef ADMIN_NEXTHOP_H
#define ADMIN_NEXTHOP_H

#include "base/fault.h"
#include "base/str.h"
#include "net/endpoint.h"

#include <stdbool.h>

struct nexthop {
	struct endpoint endpoint;
	bool is_lmtp; /* LHLO (RFC 2033), else EHLO */
};

/*
 * 0, or -1 with a sentence in *fault_r: this text names no server that can be asked. A
 * relative path of a socket is one below queue_directory, as in Postfix.
 */
int nexthop_parse(struct str text, const char *queue_directory, struct nexthop *nexthop_r,
    struct fault *fault_r);

#endif
