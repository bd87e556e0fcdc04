/*
 * rehearse.h - will this password work after the move?                (driver)
 *
 * Where the settings say that logins at one destination are tried at another
 * (destinations.rehearse), a login that has just succeeded is said again there, logged out, and
 * whether it worked is kept in the map (map/rehearsals.h), with the time and nothing
 * else. The client does not wait for it and notices nothing.
 *
 *	ASKING (whose turn is it?) -> LEADING (to the other one) -> LEAVING
 *
 * Tried is what is the account's own and what we have: not a SCRAM exchange, nor who
 * acts for another. A wrong answer is an answer: nothing is tried again until the
 * interval is over, so that no rehearsal locks anybody out; and the other destination is told
 * of no client, so that it punishes nobody's address. While the account is held or moves, and from
 * the moment when it does, nothing of this is at any destination.
 */
#ifndef FRONT_REHEARSE_H
#define FRONT_REHEARSE_H

#include "base/openmetrics.h"
#include "front/credentials.h"
#include "front/dialect.h"
#include "map/finding.h"

#include <jansson.h>

struct rehearse;
struct server;

struct rehearse *rehearse_new(struct server *server);
void rehearse_free(struct rehearse **rehearse); /* cuts off whatever is tried; NULL is allowed */

/*
 * These have opened the account of this finding, which server->account was asked for,
 * at the finding's owner. Copied as far as they are needed.
 */
void rehearse_login(struct rehearse *rehearse, enum dialect_kind kind,
    const struct credentials *credentials, const struct finding *finding);

void rehearse_stop(struct rehearse *rehearse); /* cuts off whatever is tried */

json_t *rehearse_status(const struct rehearse *rehearse); /* the caller's */
void rehearse_numbers(const struct rehearse *rehearse, struct openmetrics *text);

#endif
