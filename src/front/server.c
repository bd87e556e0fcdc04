/*
 * server.c - a front worker: its listeners, logins and sessions       (driver)
 */
#include "front/server_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "front/bridge.h"
#include "front/login.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CROWDED_LOG_MS = 60000 };

/* ---- destinations */

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

static void
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

static int
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

/* ---- settings */

struct host_name {
	SLIST_ENTRY(host_name) entry;
	char text[256];
};

/* Our name by these settings; lent until the server goes, because a login may last as long. */
static const char *
host_name(struct server *server, const struct settings *settings)
{
	struct host_name *name = xnew(struct host_name);
	const struct host_name *other;

	if (settings->frontd.host_name != NULL)
		snprintf(name->text, sizeof(name->text), "%s", settings->frontd.host_name);
	else
		must(gethostname(name->text, sizeof(name->text) - 1) == 0);
	SLIST_FOREACH(other, &server->hosts, entry)
	{
		if (strcmp(other->text, name->text) == 0) {
			free(name);
			return other->text;
		}
	}
	SLIST_INSERT_HEAD(&server->hosts, name, entry);
	return name->text;
}

static void
hosts_free(struct server *server)
{
	struct host_name *name;

	while ((name = SLIST_FIRST(&server->hosts)) != NULL) {
		SLIST_REMOVE_HEAD(&server->hosts, entry);
		free(name);
	}
}

static void
contexts_free(struct tls_context *contexts[static DIALECT_COUNT])
{
	for (size_t i = 0; i < DIALECT_COUNT; i++)
		tls_context_free(&contexts[i]);
}

/* One for each protocol, because each answers to its own name only (ALPN). */
static int
contexts_new(const struct settings *settings, struct tls_ticket_root *tickets,
    struct tls_context *contexts_r[static DIALECT_COUNT], struct fault *fault_r)
{
	const struct frontd_settings *frontd = &settings->frontd;
	struct tls_server_rules rules = {.identity_count = frontd->certificate_count,
	    .tickets = tickets,
	    .least = frontd->tls_oldest == TLS_OLDEST_1_3 ? TLS_LEAST_1_3 : TLS_LEAST_1_2};
	struct tls_identity *identities = xnew_array(struct tls_identity, rules.identity_count + 1);
	int rc = 0;

	for (size_t i = 0; i < rules.identity_count; i++)
		identities[i] =
		    (struct tls_identity){.cert_file = frontd->certificates[i].cert_file,
			.key_file = frontd->certificates[i].key_file};
	rules.identities = identities;
	for (size_t i = 0; i < DIALECT_COUNT; i++)
		contexts_r[i] = NULL;
	for (size_t i = 0; i < DIALECT_COUNT && rc == 0 && rules.identity_count > 0; i++) {
		rules.alpn = dialects[i]->alpn;
		contexts_r[i] = tls_context_new_server(&rules, fault_r);
		rc = contexts_r[i] != NULL ? 0 : -1;
	}
	free(identities);
	return rc;
}

static struct front_port *
find_port(struct server *server, int fd)
{
	struct front_port *port;

	LIST_FOREACH (port, &server->ports, entry)
		if (port->fd == fd)
			return port;
	return NULL;
}

static bool
is_wanted(const struct front_port *port, const struct settings *settings, const int *fds)
{
	for (size_t i = 0; i < settings->frontd.listen_count; i++)
		if (fds[i] == port->fd)
			return true;
	return false;
}

/* It goes with its last login. */
static void
retire(struct front_port *port)
{
	front_port_stop(port);
	port->fd = -1;
	if (port->logins == 0)
		front_port_free(&port);
}

static int
check_ports(const struct settings *settings, struct fault *fault_r)
{
	for (size_t i = 0; i < settings->frontd.listen_count; i++)
		if (front_port_check(&settings->frontd.listen[i], fault_r) == -1)
			return -1;
	return 0;
}

static void
set_ports(struct server *server, const struct settings *settings, const int *fds)
{
	struct front_port *port, *next;

	for (size_t i = 0; i < settings->frontd.listen_count; i++) {
		const struct front_listen_settings *row = &settings->frontd.listen[i];

		port = find_port(server, fds[i]);
		if (port != NULL && (int)port->kind != (int)row->protocol) {
			retire(port); /* who came for the other protocol goes on with it */
			port = NULL;
		}
		if (port == NULL)
			port = front_port_new(server, fds[i]);
		front_port_set(port, row);
	}
	for (port = LIST_FIRST(&server->ports); port != NULL; port = next) {
		next = LIST_NEXT(port, entry);
		if (port->fd != -1 && !is_wanted(port, settings, fds))
			retire(port);
	}
}

/* Where the name of a token's user is looked for; claims only where the settings name some. */
static void
set_sasl_rules(struct server *server, const struct frontd_settings *frontd)
{
	static const enum token_place places[][2] = {
	    {TOKEN_FIELD, TOKEN_CLAIM}, {TOKEN_CLAIM, TOKEN_FIELD}};

	server->sasl_rules = (struct sasl_rules){.places = places[frontd->token_claims_first],
	    .place_count = ARRAY_LEN(places[0]),
	    .claims = frontd->token_claims,
	    .claim_count = frontd->token_claim_count};
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

/* Everything that can fail comes first, so that a bad file changes nothing. */
static int
take_settings(struct server *server, const struct settings *settings, const int *fds,
    struct fault *fault_r)
{
	struct tls_context *tls[DIALECT_COUNT] = {NULL};
	struct home *homes = NULL;

	if (homes_new(settings, &homes, fault_r) == -1 ||
	    contexts_new(settings, server->tickets, tls, fault_r) == -1 ||
	    check_ports(settings, fault_r) == -1) {
		homes_free(&homes);
		contexts_free(tls);
		return -1;
	}
	set_ports(server, settings, fds);
	inherit(homes, server);
	homes_free(&server->homes);
	server->homes = homes;
	contexts_free(server->tls);
	memcpy(server->tls, tls, sizeof(tls));
	server->host = host_name(server, settings);
	server->settings = settings;
	server->account_rules =
	    (struct account_rules){settings->fold_local, settings->recipient_delimiter};
	server->route_rules =
	    (struct route_rules){.default_domain = settings->frontd.default_domain,
		.master_separators = settings->frontd.master_separators};
	set_sasl_rules(server, &settings->frontd);
	seats_set_most(server->seats, (size_t)settings->frontd.max_connections);
	arenas_set_most(server->arenas, (size_t)settings->frontd.max_logins);
	for (enum dialect_kind kind = 0; kind < DIALECT_COUNT; kind++)
		offers_refresh(server, kind);
	send_scouts(server);
	return 0;
}

/* In the master, which reads the same files that its workers will read. */
void
server_check(struct settings *settings)
{
	struct tls_context *tls[DIALECT_COUNT] = {NULL};
	struct home *homes = NULL;
	struct fault fault;

	for (size_t i = 0; i < settings->destination_count; i++) {
		if (home_add(&homes, &settings->destinations[i], &fault) == -1)
			settings_problem(settings, settings->destinations[i].line,
			    "destinations.services", "%s", fault.text);
	}
	homes_free(&homes);
	if (contexts_new(settings, NULL, tls, &fault) == -1)
		settings_problem(settings, settings->frontd.certificates[0].line,
		    "frontd.certificates", "%s", fault.text);
	contexts_free(tls);
	if (check_ports(settings, &fault) == -1)
		settings_problem(settings, 0, "frontd.listen.proxy_from", "%s", fault.text);
}

int
server_reload(struct server *server, const struct settings *settings, const int *fds,
    struct fault *fault_r)
{
	return take_settings(server, settings, fds, fault_r);
}

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
	server->households = households_new();
	server->rehearse = rehearse_new(server);
	account_init(&server->account);
	LIST_INIT(&server->ports);
	TAILQ_INIT(&server->logins);
	TAILQ_INIT(&server->bridges);
	if (take_settings(server, settings, fds, fault_r) == -1)
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
	homes_free(&server->homes);
	for (size_t i = 0; i < DIALECT_COUNT; i++)
		offer_free(&server->offers[i]);
	contexts_free(server->tls);
	arenas_free(&server->arenas);
	kicks_free(&server->kicks);
	households_free(&server->households);
	crowd_free(&server->crowd);
	seats_free(&server->seats);
	account_fini(&server->account);
	buf_wipe(&server->name);
	hosts_free(server);
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
