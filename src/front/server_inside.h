/*
 * server_inside.h - what the parts of a front worker share            (driver)
 */
#ifndef FRONT_SERVER_INSIDE_H
#define FRONT_SERVER_INSIDE_H

#include "base/hash.h"
#include "front/arena.h"
#include "front/crowd.h"
#include "front/household.h"
#include "front/kick.h"
#include "front/port.h"
#include "front/rehearse.h"
#include "front/route.h"
#include "front/sasl.h"
#include "front/scout.h"
#include "front/server.h"
#include "front/service.h"
#include "front/tally.h"
#include "map/account.h"

#include <sys/queue.h>

struct login;
struct bridge;

TAILQ_HEAD(login_list, login);
TAILQ_HEAD(bridge_list, bridge);
LIST_HEAD(front_ports, front_port);

/* A destination of the settings; by its name. */
struct home {
	UT_hash_handle hh;
	char *name;
	struct service *services[DIALECT_COUNT]; /* NULL: does not serve this protocol */
	struct scout *scouts[DIALECT_COUNT];
	char *rehearse; /* the home where its logins are tried, too; NULL: none */
	struct kick *kick; /* what ends its sessions where nothing else does; NULL: nothing */
};

struct host_name;
SLIST_HEAD(host_names, host_name);

struct server {
	struct loop *loop;
	struct map *map;
	struct front_ports ports; /* those that are gone but for their connections included */
	struct login_list logins;
	struct bridge_list bridges;
	struct home *homes;
	struct offer *offers[DIALECT_COUNT]; /* what all homes announce; NULL: not known yet */
	unsigned mechanisms[DIALECT_COUNT]; /* that follows from it */
	struct arenas *arenas;
	struct kicks *kicks; /* that run; a reload does not lose them */
	struct seats *seats;
	struct households *households; /* the sessions of each account */
	struct rehearse *rehearse;
	struct crowd *crowd; /* by address: connections, parked logins, failures */
	struct timer *turns; /* of logins that stand in line there */
	struct tls_ticket_root *tickets; /* lent */
	struct tls_context *tls[DIALECT_COUNT]; /* what listeners show; NULL: no certificates */
	struct account account; /* of the name in hand */
	struct account_rules account_rules;
	struct route_rules route_rules;
	struct sasl_rules sasl_rules;
	struct buf name; /* of the login in hand */
	struct tally tally;
	const struct settings *settings; /* lent by the daemon's frame */
	struct host_names hosts; /* all that we ever had: logins under way have theirs lent */
	const char *host; /* the present one */
	uint64_t crowded_ms; /* when that was logged last; 0: never */
	bool draining;
	server_drained_fn *drained;
	void *drained_ctx;
};

/*
 * server_homes.c: the destinations of these settings. -1 and *fault_r for what
 * cannot be; check adds each such one to the settings' problems.
 */
int homes_new(const struct settings *settings, struct home **homes_r, struct fault *fault_r);
void homes_free(struct home **homes);
void homes_check(struct settings *settings);

/* In the place of the former ones; what was known of their services stays known. */
void server_take_homes(struct server *server, struct home **homes);
void server_drop_homes(struct server *server);

/* The home of an owner; NULL: there is no such destination. */
struct home *server_home(const struct server *server, struct str owner);

/*
 * Who a finding (FOUND) says is to serve: the owner, or where the account is unknown
 * the destination that the settings want to judge it; empty: nobody.
 */
struct str server_owner(const struct server *server, const struct finding *finding);

/* What may be offered on a connection of this dialect, as things stand. */
void server_terms(const struct server *server, const struct front_port *port, bool is_tls,
    struct front_terms *terms_r);

/* A backend was seen: the offers may have changed. */
void server_learn(struct server *server, struct service *service, const struct offer *offer);

/* Run the owner's command that ends the account's sessions there; false: it has none. */
bool server_run_kick(struct server *server, struct str account, struct str owner);

/* server_settings.c: what a reload has built, at the end of the server. */
void server_drop_settings(struct server *server);

/* A client finds no room: say so to the operator, though not for each. */
void server_crowded(struct server *server, const struct front_port *port);

void server_left(struct server *server); /* a login or bridge has left its list */

#endif
