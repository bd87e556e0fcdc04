/*
 * server.c - a front worker: its listeners, logins and sessions       (driver)
 *
 * Here is its life, and what people ask of it. server_homes.c has the destinations,
 * server_settings.c what a reload changes, server_numbers.c what it has done.
 */
#include "front/server_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "front/bridge.h"
#include "front/login.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CROWDED_LOG_MS = 60000 };

/* ---- life */

struct server *
server_new(struct loop *loop, struct map *map, struct tls_ticket_root *tickets,
    const struct settings *settings, const int *fds, struct fault *fault_r)
{
	struct server *server = xnew(struct server);

	server->loop = loop;
	server->map = map;
	server->tickets = tickets;
	server->seats = seats_new((size_t)settings->frontd.max_connections);
	server->arenas = arenas_new((size_t)settings->frontd.max_logins);
	server->kicks = kicks_new(loop, KICK_MOST_MS);
	server->crowd = crowd_new();
	server->turns = timer_new(loop, login_next_turns, server);
	server->households = households_new();
	server->rehearse = rehearse_new(server);
	account_init(&server->account);
	LIST_INIT(&server->ports);
	TAILQ_INIT(&server->logins);
	TAILQ_INIT(&server->bridges);
	if (server_reload(server, settings, fds, fault_r) == -1)
		server_free(&server);
	return server;
}

void
server_free(struct server **server_ref)
{
	struct server *server = *server_ref;
	struct front_port *port;

	if (server == NULL)
		return;
	*server_ref = NULL;
	server->drained = NULL;
	while (!TAILQ_EMPTY(&server->logins))
		login_stop(TAILQ_FIRST(&server->logins));
	while (!TAILQ_EMPTY(&server->bridges))
		bridge_stop(TAILQ_FIRST(&server->bridges));
	while ((port = LIST_FIRST(&server->ports)) != NULL)
		front_port_free(&port);
	rehearse_free(&server->rehearse);
	server_drop_homes(server);
	arenas_free(&server->arenas);
	kicks_free(&server->kicks);
	households_free(&server->households);
	timer_free(&server->turns);
	crowd_free(&server->crowd);
	seats_free(&server->seats);
	account_fini(&server->account);
	buf_wipe(&server->name);
	server_drop_settings(server);
	free(server);
}

void
server_crowded(struct server *server, const struct front_port *port)
{
	uint64_t now_ms = clock_ms();

	if (server->crowded_ms != 0 && now_ms - server->crowded_ms < CROWDED_LOG_MS)
		return;
	server->crowded_ms = now_ms;
	log_warning("login_crowded", "listener=%s logins=%" PRId64 " reason=%s", port->address,
	    server->settings->frontd.max_logins, "\"too many logins are under way\"");
}

/* ---- draining */

void
server_left(struct server *server)
{
	server_drained_fn *drained = server->drained;

	if (drained == NULL || !TAILQ_EMPTY(&server->logins) || !TAILQ_EMPTY(&server->bridges))
		return;
	server->drained = NULL;
	drained(server->drained_ctx);
}

void
server_drain(struct server *server, server_drained_fn *fn, void *ctx)
{
	struct front_port *port;
	struct login *login, *next;

	if (server->draining)
		return;
	server->draining = true;
	server->drained = fn;
	server->drained_ctx = ctx;
	LIST_FOREACH (port, &server->ports, entry)
		front_port_stop(port);
	rehearse_stop(server->rehearse); /* and no login begins another */
	for (login = TAILQ_FIRST(&server->logins); login != NULL; login = next) {
		next = login_after(login);
		login_drain(login);
	}
	server_left(server);
}

/* ---- for people */

static void
kick(void *ctx, void *bridge)
{
	bridge_end(bridge, BYE_MOVED);
}

size_t
server_kick(struct server *server, const char *account, const char *session)
{
	struct bridge *bridge;

	if (account != NULL)
		return household_each(server->households, str_of(account), kick, NULL);
	for (bridge = TAILQ_FIRST(&server->bridges); bridge != NULL;
	     bridge = bridge_after(bridge)) {
		if (strcmp(bridge_session(bridge), session) == 0) {
			bridge_end(bridge, BYE_MOVED);
			return 1;
		}
	}
	return 0;
}

json_t *
server_sessions(const struct server *server, const json_t *filter)
{
	json_t *all = json_array();
	const struct bridge *bridge;
	const struct login *login;
	const char *account = json_string_value(json_object_get(filter, "account"));

	for (bridge = TAILQ_FIRST(&server->bridges); bridge != NULL; bridge = bridge_after(bridge))
		if (account == NULL || str_is(bridge_account(bridge), account))
			json_array_append_new(all, bridge_status(bridge));
	for (login = TAILQ_FIRST(&server->logins); login != NULL; login = login_after(login))
		if (account == NULL || login_is_of(login, account))
			json_array_append_new(all, login_status(login));
	return all;
}

static json_t *
service_status(const struct service *service)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "logins", (json_int_t)service->logins, "refused",
	    (json_int_t)service->refused, "failed", (json_int_t)service->failed, "avoided_ms",
	    (json_int_t)service->breaker.pause_ms);
}

static json_t *
homes_status(const struct server *server)
{
	json_t *all = json_object(), *one;
	struct home *home, *next;

	HASH_ITER (hh, server->homes, home, next) {
		one = json_object();
		for (size_t i = 0; i < DIALECT_COUNT; i++)
			if (home->services[i] != NULL)
				json_object_set_new(one, dialects[i]->name,
				    service_status(home->services[i]));
		json_object_set_new(all, home->name, one);
	}
	return all;
}

json_t *
server_status(const struct server *server)
{
	json_t *all = json_object(), *listeners = json_array();
	const struct front_port *port;
	const struct bridge *bridge;
	const struct login *login;
	size_t bridges = 0, logins = 0;

	LIST_FOREACH (port, &server->ports, entry)
		json_array_insert_new(listeners, 0,
		    json_pack("{s:s, s:s, s:I, s:I}", "address", port->address, "protocol",
			port->dialect->name, "logins", (json_int_t)port->logins, "accepted",
			(json_int_t)port->accepted)); /* the oldest first */
	for (bridge = TAILQ_FIRST(&server->bridges); bridge != NULL; bridge = bridge_after(bridge))
		bridges++;
	for (login = TAILQ_FIRST(&server->logins); login != NULL; login = login_after(login))
		logins++;
	json_object_set_new(all, "listeners", listeners);
	json_object_set_new(all, "sessions", json_integer((json_int_t)bridges));
	json_object_set_new(all, "logins_under_way", json_integer((json_int_t)logins));
	json_object_set_new(all, "destinations", homes_status(server));
	json_object_set_new(all, "logins", tally_json(&server->tally));
	json_object_set_new(all, "rehearsals", rehearse_status(server->rehearse));
	return all;
}
