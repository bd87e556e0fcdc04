/*
 * port.c - one address where the front listens                        (driver)
 */
#include "front/port.h"

#include "base/mem.h"
#include "front/login.h"
#include "front/server_inside.h"

#include <stdlib.h>

static void
let_in(void *ctx, int fd, const struct sockaddr_storage *peer)
{
	struct front_port *port = ctx;

	port->accepted++;
	login_new(port, fd, peer);
}

struct front_port *
front_port_new(struct server *server, int fd)
{
	struct front_port *port = xnew(struct front_port);

	port->server = server;
	port->fd = fd;
	LIST_INSERT_HEAD(&server->ports, port, entry);
	return port;
}

void
front_port_free(struct front_port **port_ref)
{
	struct front_port *port = *port_ref;

	if (port == NULL)
		return;
	must(port->logins == 0);
	*port_ref = NULL;
	LIST_REMOVE(port, entry);
	listener_free(&port->listener);
	free(port->address);
	free(port->proxy_from);
	free(port);
}

static int
read_networks(const struct front_listen_settings *row, struct cidr **list_r, struct fault *fault_r)
{
	struct cidr *list = xnew_array(struct cidr, row->proxy_from_count + 1);

	for (size_t i = 0; i < row->proxy_from_count; i++) {
		if (cidr_parse(row->proxy_from[i], &list[i], fault_r) == -1) {
			free(list);
			return -1;
		}
	}
	*list_r = list;
	return 0;
}

int
front_port_check(const struct front_listen_settings *row, struct fault *fault_r)
{
	struct cidr *networks;

	if (read_networks(row, &networks, fault_r) == -1)
		return -1;
	free(networks);
	return 0;
}

void
front_port_set(struct front_port *port, const struct front_listen_settings *row)
{
	/* Everybody: a login front stands in public. */
	static const struct cidr all[] = {
	    {{[10] = 0xff, [11] = 0xff}, 96}, /* every IPv4 address, and */
	    {.bits = 0}, /* every IPv6 address */
	};
	static const struct listener_guard guard = {.allow = all, .allow_count = ARRAY_LEN(all)};
	struct server *server = port->server;
	struct fault fault;

	free(port->proxy_from);
	port->proxy_from = NULL;
	must(read_networks(row, &port->proxy_from, &fault) == 0);
	port->proxy_from_count = row->proxy_from_count;
	port->kind = (enum dialect_kind)row->protocol;
	port->dialect = dialects[port->kind];
	port->tls_mode = row->tls;
	port->plaintext_login = row->plaintext_login;
	free(port->address);
	port->address = xstrdup(row->address);
	listener_free(&port->listener);
	if (!server->draining)
		port->listener = listener_new(server->loop, port->fd, port->address, &guard,
		    server->seats, let_in, port);
}

void
front_port_stop(struct front_port *port)
{
	listener_free(&port->listener);
}
