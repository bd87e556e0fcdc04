/*
 * route.h - from what a client calls itself to whom is asked about       (pure)
 *
 * "ann", "ann@example.org", "ann@example.org*master", "  Ann@Example.org":
 * which address, or which login key, decides where this session goes, and which
 * name the destination gets to see. Routing gives no rights: who may act as whom
 * is the backend's to decide.
 */
#ifndef FRONT_ROUTE_H
#define FRONT_ROUTE_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/str.h"
#include "front/credentials.h"

#include <stdbool.h>

struct route_rules {
	const char *default_domain; /* behind a login without @; "": login keys only */
	const char *master_separators; /* characters that part "user*master"; "" = none */
};

/*
 * What to ask the map about. 0 with the name appended to name_r: an address, or
 * without an @, a login name (login: key). -1: this can be nobody (empty, over-long,
 * control characters, two @ ...): refused like a wrong password; *fault_r is for the
 * log.
 */
int route_login(const struct route_rules *rules, struct str login, struct buf *name_r,
    struct fault *fault_r);

/*
 * The name for a destination, from its template (as in rules/template.h: %a %u %d %%, and
 * %l the login as it was presented, without a master's part), with the master's part
 * behind it again where the client's had one. An empty template appends nothing: as
 * the client said it. False, and nothing appended: the template has another expansion,
 * or what comes out is empty, over-long or has control characters.
 */
bool route_rewrite(const struct route_rules *rules, const char *template, struct str login,
    struct str account, struct buf *name_r);

#endif
