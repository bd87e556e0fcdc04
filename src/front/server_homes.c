/*
 * server_homes.c - the destinations, and what may be promised for all (driver)
 *
 * A client is greeted before anybody knows where it belongs. So it is offered what
 * every destination of its protocol offers, and nothing before each has been seen.
 */
#include "front/server_inside.h"

#include "base/mem.h"

#include <stdlib.h>

/* ---- from the settings */

static void
home_free(struct home **homes, struct home *home)
{
	HASH_DEL(*homes, home);
	for (size_t i = 0; i < DIALECT_COUNT; i++) {
		scout_free(&home->scouts[i]);
		service_leave(&home->services[i]);
	}
	kick_free(&home->kick);
	free(home->rehearse);
	free(home->name);
	free(home);
}

void
homes_free(struct home **homes)
{
	struct home *home, *next;

	HASH_ITER (hh, *homes, home, next)
		home_free(homes, home);
}

static int
home_add(struct home **homes, const struct destination_settings *row, struct fault *fault_r)
{
	struct home *home = xnew(struct home);

	home->name = xstrdup(row->name);
	home->rehearse = row->rehearse != NULL ? xstrdup(row->rehearse) : NULL;
	HASH_ADD_KEYPTR(hh, *homes, home->name, strlen(home->name), home);
	if (kick_new(row->kick, row->kick_count, &home->kick, fault_r) == -1)
		return -1;
	for (size_t i = 0; i < row->service_count; i++) {
		const struct service_settings *service = &row->services[i];

		home->services[service->protocol] = service_new(row->name, service, fault_r);
		if (home->services[service->protocol] == NULL)
			return -1;
	}
	return 0;
}

int
homes_new(const struct settings *settings, struct home **homes_r, struct fault *fault_r)
{
	struct home *homes = NULL;

	for (size_t i = 0; i < settings->destination_count; i++) {
		if (home_add(&homes, &settings->destinations[i], fault_r) == -1) {
			homes_free(&homes);
			return -1;
		}
	}
	*homes_r = homes;
	return 0;
}

void
homes_check(struct settings *settings)
{
	struct home *homes = NULL;
	struct fault fault;

	for (size_t i = 0; i < settings->destination_count; i++) {
		if (home_add(&homes, &settings->destinations[i], &fault) == -1)
			settings_problem(settings, settings->destinations[i].line,
			    "destinations.services", "%s", fault.text);
	}
	homes_free(&homes);
}

/* ---- whose a login is */

struct home *
server_home(const struct server *server, struct str owner)
{
	struct home *home;

	HASH_FIND(hh, server->homes, owner.ptr, owner.len, home);
	return home;
}

struct str
server_owner(const struct server *server, const struct finding *finding)
{
	const char *unknown = server->settings->frontd.unknown_login;

	if (!finding->is_unknown)
		return finding->owner;
	return strcmp(unknown, "refuse") == 0 ? STR("") : str_of(unknown);
}

bool
server_run_kick(struct server *server, struct str account, struct str owner)
{
	const struct home *home = server_home(server, owner);

	if (home == NULL || home->kick == NULL)
		return false;
	kick_run(home->kick, server->kicks, account, owner);
	return true;
}

/* ---- what may be offered */

/* NULL as long as one of them was not seen: nothing can be promised for it. */
static struct offer *
offer_of(const struct server *server, enum dialect_kind kind)
{
	struct offer *common = NULL, *next;
	struct home *home, *tmp;

	HASH_ITER (hh, server->homes, home, tmp) {
		const struct service *service = home->services[kind];

		if (service == NULL)
			continue;
		if (service->offer == NULL) {
			offer_free(&common);
			return NULL;
		}
		next = offer_common(common ? common : service->offer, service->offer);
		offer_free(&common);
		common = next;
	}
	return common;
}

/* Passed mechanisms need the same login name everywhere: it is signed. */
static bool
rewrites(const struct server *server, enum dialect_kind kind)
{
	struct home *home, *tmp;

	HASH_ITER (hh, server->homes, home, tmp) {
		if (home->services[kind] != NULL && home->services[kind]->login[0] != '\0')
			return true;
	}
	return false;
}

/* Passwords every backend takes in some way; the others where all of them say so. */
static unsigned
mechanisms_of(const struct server *server, enum dialect_kind kind)
{
	unsigned set = MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_LOGIN);
	const struct offer *offer = server->offers[kind];

	for (unsigned i = 0; offer != NULL && i < MECHANISM_COUNT; i++) {
		if (offer_has_mechanism(offer, (enum mechanism)i) &&
		    !(mechanism_is_passed((enum mechanism)i) && rewrites(server, kind)))
			set |= MECHANISM_BIT(i);
	}
	return set;
}

static void
offers_refresh(struct server *server, enum dialect_kind kind)
{
	offer_free(&server->offers[kind]);
	server->offers[kind] = offer_of(server, kind);
	server->mechanisms[kind] = mechanisms_of(server, kind);
}

void
server_learn(struct server *server, struct service *service, const struct offer *offer)
{
	if (offer != NULL && service_learn(service, offer))
		offers_refresh(server, service->dialect);
}

void
server_terms(const struct server *server, const struct front_port *port, bool is_tls,
    struct front_terms *terms_r)
{
	*terms_r = (struct front_terms){.host = server->host,
	    .offer = server->offers[port->kind],
	    .mechanisms = server->mechanisms[port->kind],
	    .sasl = &server->sasl_rules,
	    .is_tls = is_tls,
	    .may_start_tls = port->tls_mode == TLS_MODE_STARTTLS && !is_tls,
	    .may_login = is_tls || port->plaintext_login};
}

/* ---- others take their place */

/* What was known of a destination's services is known of the new ones. */
static void
inherit(struct home *homes, const struct server *server)
{
	struct home *home, *tmp;
	const struct home *former;

	HASH_ITER (hh, homes, home, tmp) {
		former = server_home(server, str_of(home->name));
		for (size_t i = 0; former != NULL && i < DIALECT_COUNT; i++)
			if (home->services[i] != NULL)
				service_inherit(home->services[i], former->services[i]);
	}
}

static void
send_scouts(struct server *server)
{
	struct home *home, *tmp;

	HASH_ITER (hh, server->homes, home, tmp) {
		for (size_t i = 0; i < DIALECT_COUNT; i++)
			if (home->services[i] != NULL)
				home->scouts[i] = scout_new(server, home->services[i]);
	}
}

void
server_take_homes(struct server *server, struct home **homes_ref)
{
	inherit(*homes_ref, server);
	homes_free(&server->homes);
	server->homes = *homes_ref;
	*homes_ref = NULL;
	for (enum dialect_kind kind = 0; kind < DIALECT_COUNT; kind++)
		offers_refresh(server, kind);
	send_scouts(server);
}

void
server_drop_homes(struct server *server)
{
	homes_free(&server->homes);
	for (size_t i = 0; i < DIALECT_COUNT; i++)
		offer_free(&server->offers[i]);
}
