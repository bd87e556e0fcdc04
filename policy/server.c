/*
 * server.c - policyd's listeners and connections                      (driver)
 */
#include "policy/server_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/client.h"

#include <inttypes.h>
#include <stdlib.h>

enum { GRACE_MS = 100 }; /* for who connected, or asked, just before we began to drain */

/* ---- trouble */

static void
say_unsaid(void *ctx)
{
	struct server *server = ctx;

	for (size_t v = 0; v < VERDICT_COUNT; v++) {
		struct tally_trouble *trouble = &server->tally.trouble[v];

		if (trouble->unsaid > 0)
			log_warning("answers_in_trouble", "verdict=%s more=%" PRIu64,
			    verdict_name((enum verdict)v), trouble->unsaid);
		trouble->unsaid = 0;
	}
}

void
server_grumble(struct server *server, enum listen_protocol protocol, struct str map, struct str key,
    const struct answer *answer)
{
	uint64_t unsaid;

	if (!tally_says(&server->tally, answer->verdict, clock_ms(), &unsaid)) {
		if (!timer_is_running(server->quiet))
			timer_start(server->quiet, TALLY_QUIET_MS);
		return;
	}
	log_warning("answer_in_trouble",
	    "proto=%s map=%s key=%s verdict=%s matched=%s owner=%s reason=%s unsaid=%" PRIu64,
	    protocols[protocol].name, log_quote(map), log_quote(key), verdict_name(answer->verdict),
	    log_quote(answer->finding.matched), log_quote(answer->finding.owner),
	    log_quote_text(answer->reason), unsaid);
}

/* ---- ports */

static struct port *
find_port(struct server *server, int fd, enum listen_protocol kind)
{
	struct port *port;

	LIST_FOREACH (port, &server->ports, entry) {
		if (port->fd == fd && port->kind == kind)
			return port;
	}
	return NULL;
}

/* Not wanted any more; its connections stay. */
static void
retire(struct port *port)
{
	port_stop(port);
	port->fd = -1;
	if (port->clients == 0)
		port_free(&port);
}

static bool
is_wanted(const struct port *port, const struct settings *settings, const int *fds)
{
	for (size_t i = 0; i < settings->policyd.listen_count; i++) {
		if (fds[i] == port->fd && settings->policyd.listen[i].protocol == port->kind)
			return true;
	}
	return false;
}

static void
set_ports(struct server *server, const struct settings *settings, const int *fds,
    const struct port_guard *guards)
{
	struct port *port, *next;

	for (port = LIST_FIRST(&server->ports); port != NULL; port = next) {
		next = LIST_NEXT(port, entry);
		if (port->fd != -1 && !is_wanted(port, settings, fds))
			retire(port);
	}
	for (size_t i = 0; i < settings->policyd.listen_count; i++) {
		const struct listen_settings *row = &settings->policyd.listen[i];

		port = find_port(server, fds[i], row->protocol);
		if (port == NULL)
			port = port_new(server, fds[i]);
		port_set(port, row, &guards[i]);
	}
}

/* Everything that can fail comes first, so that a bad row changes nothing. */
static int
take_settings(struct server *server, const struct settings *settings, const int *fds,
    struct fault *fault_r)
{
	size_t count = settings->policyd.listen_count;
	struct port_guard *guards = xnew_array(struct port_guard, count);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = port_guard_init(&guards[i], &settings->policyd.listen[i], fault_r);
	if (rc == 0) {
		set_ports(server, settings, fds, guards);
		server->idle_ms = (uint64_t)settings->policyd.idle_timeout_ms;
		seats_set_most(server->seats, (size_t)settings->policyd.max_connections);
	}
	for (size_t i = 0; i < count; i++)
		port_guard_fini(&guards[i]);
	free(guards);
	return rc;
}

/* ---- life */

struct server *
server_new(struct loop *loop, struct asker *asker, const struct settings *settings, const int *fds,
    struct fault *fault_r)
{
	struct server *server = xnew(struct server);

	server->loop = loop;
	server->asker = asker;
	server->seats = seats_new((size_t)settings->policyd.max_connections);
	server->quiet = timer_new(loop, say_unsaid, server);
	LIST_INIT(&server->ports);
	LIST_INIT(&server->clients);
	if (take_settings(server, settings, fds, fault_r) == -1)
		server_free(&server);
	return server;
}

void
server_set_counter(struct server *server, struct counter *counter)
{
	server->counter = counter;
}

int
server_reload(struct server *server, const struct settings *settings, const int *fds,
    struct fault *fault_r)
{
	return take_settings(server, settings, fds, fault_r);
}

void
server_check(struct settings *settings)
{
	for (size_t i = 0; i < settings->policyd.listen_count; i++) {
		const struct listen_settings *row = &settings->policyd.listen[i];
		struct port_guard guard;
		struct fault fault;

		if (port_guard_init(&guard, row, &fault) == 0)
			port_guard_fini(&guard);
		else
			settings_problem(settings, row->line, "policyd.listen", "%s", fault.text);
	}
}

void
server_free(struct server **server_ref)
{
	struct server *server = *server_ref;
	struct port *port;

	if (server == NULL)
		return;
	*server_ref = NULL;
	server->drained = NULL;
	while (!LIST_EMPTY(&server->clients))
		client_stop(LIST_FIRST(&server->clients));
	while ((port = LIST_FIRST(&server->ports)) != NULL)
		port_free(&port);
	timer_free(&server->quiet);
	timer_free(&server->grace);
	seats_free(&server->seats);
	buf_fini(&server->text);
	free(server);
}

/* ---- draining */

void
server_client_left(struct server *server)
{
	server_drained_fn *drained = server->drained;

	if (drained == NULL || !LIST_EMPTY(&server->clients) || !server->grace_is_over)
		return;
	server->drained = NULL;
	drained(server->drained_ctx);
}

static void
end_grace(void *ctx)
{
	struct server *server = ctx;
	struct client *client, *next;
	struct port *port;

	server->grace_is_over = true;
	LIST_FOREACH (port, &server->ports, entry)
		port_stop(port);
	for (client = LIST_FIRST(&server->clients); client != NULL; client = next) {
		next = client_after(client);
		client_drain(client);
	}
	server_client_left(server);
}

void
server_drain(struct server *server, server_drained_fn *fn, void *ctx)
{
	if (server->draining)
		return;
	server->draining = true;
	server->drained = fn;
	server->drained_ctx = ctx;
	server->grace = timer_new(server->loop, end_grace, server);
	timer_start(server->grace, GRACE_MS);
}

/* ---- status */

static json_t *
port_status(const struct port *port)
{
	json_t *one = json_object();

	json_object_set_new(one, "address", json_string(port->address));
	json_object_set_new(one, "protocol", json_string(protocols[port->kind].name));
	if (port->words.map.len > 0)
		json_object_set_new(one, "map", json_string(port->map));
	json_object_set_new(one, "connections", json_integer((json_int_t)port->clients));
	json_object_set_new(one, "accepted", json_integer((json_int_t)port->accepted));
	json_object_set_new(one, "listens", json_boolean(port->listener != NULL));
	return one;
}

json_t *
server_status(const struct server *server)
{
	json_t *all = json_object(), *listeners = json_array();
	const struct port *port;

	LIST_FOREACH (port, &server->ports, entry)
		json_array_insert_new(listeners, 0, port_status(port)); /* the oldest first */
	json_object_set_new(all, "listeners", listeners);
	json_object_set_new(all, "connections",
	    json_integer((json_int_t)seats_taken(server->seats)));
	json_object_set_new(all, "answers", tally_answers_json(&server->tally));
	json_object_set_new(all, "answers_that_waited", tally_later_json(&server->tally));
	return all;
}

/* ---- in numbers */

void
server_numbers(const struct server *server, struct openmetrics *text)
{
	uint64_t open[PROTOCOL_COUNT] = {0};
	const struct port *port;

	LIST_FOREACH (port, &server->ports, entry)
		open[port->kind] += port->clients;
	openmetrics_family(text, OPENMETRICS_GAUGE, "splitmx_policyd_connections", NULL,
	    "Connections that are open.");
	for (size_t p = 0; p < PROTOCOL_COUNT; p++)
		openmetrics_sample(text, OPENMETRICS_LABELS({"protocol", protocols[p].name}),
		    open[p]);
	tally_numbers(&server->tally, text);
}
