/*
 * port.c - one address where policyd listens                          (driver)
 */
#include "policy/port.h"

#include "base/mem.h"
#include "base/settings_pattern.h"
#include "policy/client.h"
#include "policy/server_inside.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* 0, or -1 when there is no such user. */
static int
find_user(const char *name, uid_t *uid_r, struct fault *fault_r)
{
	const struct passwd *user;

	errno = 0;
	if ((user = getpwnam(name)) == NULL) {
		if (errno != 0)
			return fault_set_errno(fault_r, VERDICT_PERM, "user %s", name);
		return fault_set(fault_r, VERDICT_PERM, "there is no user %s", name);
	}
	*uid_r = user->pw_uid;
	return 0;
}

int
port_guard_init(struct port_guard *guard, const struct listen_settings *row, struct fault *fault_r)
{
	*guard = (struct port_guard){.allow = xnew_array(struct cidr, row->allow_count),
	    .uids = xnew_array(uid_t, row->user_count)};
	for (; guard->allow_count < row->allow_count; guard->allow_count++) {
		if (cidr_parse(row->allow[guard->allow_count], &guard->allow[guard->allow_count],
			fault_r) == -1)
			goto failed;
	}
	for (; guard->uid_count < row->user_count; guard->uid_count++) {
		if (find_user(row->users[guard->uid_count], &guard->uids[guard->uid_count],
			fault_r) == -1)
			goto failed;
	}
	return 0;
failed:
	port_guard_fini(guard);
	return -1;
}

void
port_guard_fini(struct port_guard *guard)
{
	free(guard->allow);
	free(guard->uids);
	*guard = (struct port_guard){0};
}

static void
let_in(void *ctx, int fd, const struct sockaddr_storage *peer)
{
	struct port *port = ctx;

	port->accepted++;
	port->server->tally.accepted[port->kind]++;
	client_new(port, fd);
}

struct port *
port_new(struct server *server, int fd)
{
	struct port *port = xnew(struct port);

	port->server = server;
	port->fd = fd;
	LIST_INSERT_HEAD(&server->ports, port, entry);
	return port;
}

void
port_free(struct port **port_ref)
{
	struct port *port = *port_ref;

	if (port == NULL)
		return;
	must(port->clients == 0);
	*port_ref = NULL;
	LIST_REMOVE(port, entry);
	listener_free(&port->listener);
	free(port->address);
	free(port->map);
	free(port->reply);
	free(port);
}

static void
set_text(char **text, struct str *word, const char *value)
{
	free(*text);
	*text = xstrdup(value ? value : "");
	if (word != NULL)
		*word = str_of(*text);
}

void
port_set(struct port *port, const struct listen_settings *row, const struct port_guard *guard)
{
	const struct listener_guard who = {.allow = guard->allow,
	    .allow_count = guard->allow_count,
	    .uids = guard->uids,
	    .uid_count = guard->uid_count};
	struct server *server = port->server;

	port->kind = row->protocol;
	port->is_unix = address_is_unix(row->address);
	set_text(&port->address, NULL, row->address);
	set_text(&port->map, &port->words.map, row->map);
	set_text(&port->reply, &port->words.reply, row->reply);
	listener_free(&port->listener);
	if (!server->draining)
		port->listener = listener_new(server->loop, port->fd, port->address, &who,
		    server->seats, let_in, port);
}

void
port_stop(struct port *port)
{
	listener_free(&port->listener);
}
