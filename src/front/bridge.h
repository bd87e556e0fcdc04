/*
 * bridge.h - a session: a client and its backend                      (driver)
 *
 * Lives from the hand-over to the end, and has no place for a password. What
 * passes is watched by the dialect's follow machine, so that the session can be
 * ended gently when the account moves. A session has left its owner only when
 * the backend has closed: until then the claim stays.
 */
#ifndef FRONT_BRIDGE_H
#define FRONT_BRIDGE_H

#include "front/dialect.h"
#include "map/claims.h"
#include "net/conn.h"

#include <jansson.h>

struct bridge;
struct server;

/* Both connections and the claim are the bridge's from then on; the rest is copied. */
struct bridge_order {
	const struct dialect *dialect;
	enum dialect_kind kind;
	struct conn *client, *backend;
	const char *backend_name;
	const struct offer *offer; /* what the backend has announced */
	struct claim **claim;
	const char *account, *owner, *session, *client_ip;
	const struct sockaddr_storage *address; /* the client's, for the crowd */
};

void bridge_new(struct server *server, const struct bridge_order *order);

void bridge_end(struct bridge *bridge, enum bye why); /* gently */
void bridge_stop(struct bridge *bridge); /* at once */

struct bridge *bridge_after(const struct bridge *bridge); /* in the server's list */
struct str bridge_account(const struct bridge *bridge);
const char *bridge_session(const struct bridge *bridge);
json_t *bridge_status(const struct bridge *bridge); /* for "sessions"; the caller's */

#endif
