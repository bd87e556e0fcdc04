/*
 * server_settings.c - what the settings make of a front worker        (driver)
 *
 * At its start and at each reload, in two parts: first all that can fail is built, so
 * that a bad file changes nothing, then it takes its place. Clients who have come stay.
 */
#include "front/server_inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- our name */

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

/* ---- what listeners show */

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

/* ---- listeners */

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

/* ---- all of them */

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

int
server_reload(struct server *server, const struct settings *settings, const int *fds,
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
	server_take_homes(server, &homes);
	return 0;
}

/* In the master, which reads the same files that its workers will read. */
void
server_check(struct settings *settings)
{
	struct tls_context *tls[DIALECT_COUNT] = {NULL};
	struct fault fault;

	homes_check(settings);
	if (contexts_new(settings, NULL, tls, &fault) == -1)
		settings_problem(settings, settings->frontd.certificates[0].line,
		    "frontd.certificates", "%s", fault.text);
	contexts_free(tls);
	if (check_ports(settings, &fault) == -1)
		settings_problem(settings, 0, "frontd.listen.proxy_from", "%s", fault.text);
}

void
server_drop_settings(struct server *server)
{
	contexts_free(server->tls);
	hosts_free(server);
}
