/*
 * control.c - ask a running process how it is                         (driver)
 */
#include "net/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/line.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/conn.h"

enum {
	TABLES_MOST = 4,
	REST_MS = 100, /* after accept failed */
	UNREAD_MOST = 1024 * 1024, /* of replies; then we stop reading requests */
	LINGER_MS = 2000,
};

struct client {
	struct control *control;
	struct conn *conn;
	struct line_reader lines;
	LIST_ENTRY(client) link;
};

struct control {
	struct loop *loop;
	struct watch *watch;
	struct timer *rest;
	int fd;
	bool closed;
	struct {
		const struct control_command *commands;
		void *ctx;
	} tables[TABLES_MOST];
	size_t table_count;
	LIST_HEAD(, client) clients;
	int client_count;
	int spares[CONTROL_CLIENTS_MOST];
	int spare_count;
};

/* ---- commands */

static json_t *
unknown(const struct control *control, const char *name, struct fault *fault_r)
{
	struct buf names = BUF_INIT;

	for (size_t t = 0; t < control->table_count; t++) {
		for (const struct control_command *c = control->tables[t].commands; c->name != NULL;
		     c++)
			buf_addf(&names, "%s%s", buf_len(&names) > 0 ? ", " : "", c->name);
	}
	fault_set(fault_r, VERDICT_PERM, "there is no command %s; there are: %s",
	    log_quote_text(name), buf_cstr(&names));
	buf_fini(&names);
	return NULL;
}

static json_t *
run(const struct control *control, const json_t *request, struct fault *fault_r)
{
	const char *name = json_string_value(json_object_get(request, "do"));

	if (name == NULL) {
		fault_set(fault_r, VERDICT_PERM, "a request is an object with a string \"do\"");
		return NULL;
	}
	for (size_t t = 0; t < control->table_count; t++) {
		for (const struct control_command *c = control->tables[t].commands; c->name != NULL;
		     c++) {
			if (strcmp(c->name, name) == 0)
				return c->fn(control->tables[t].ctx, request, fault_r);
		}
	}
	return unknown(control, name, fault_r);
}

static int
add_bytes(const char *bytes, size_t len, void *data)
{
	buf_add((struct buf *)data, bytes, len);
	return 0;
}

/* The fault's text may hold a peer's bytes, cut anywhere: not always UTF-8. */
static json_t *
error_object(const struct fault *fault)
{
	json_t *text = json_string(fault->text);

	if (text == NULL)
		text = json_string(log_quote_text(fault->text));
	if (text == NULL)
		text = json_string("refused");
	return json_pack("{s:o}", "error", text);
}

static void
answer(const struct control *control, struct str line, struct buf *out)
{
	struct fault fault;
	json_error_t wrong;
	json_t *request = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, &wrong);
	json_t *reply = NULL;

	if (request == NULL)
		fault_set(&fault, VERDICT_PERM, "not JSON: %s at byte %d", wrong.text,
		    wrong.position);
	else
		reply = run(control, request, &fault);
	if (reply == NULL)
		reply = error_object(&fault);
	json_dump_callback(reply, add_bytes, out, JSON_COMPACT);
	buf_add_byte(out, '\n');
	json_decref(reply);
	json_decref(request);
}

/* ---- clients */

static void
fill_spares(struct control *control)
{
	int wanted = CONTROL_CLIENTS_MOST - control->client_count;

	while (control->spare_count < wanted) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (fd == -1)
			return; /* next time */
		control->spares[control->spare_count++] = fd;
	}
}

static void
listen_again(struct control *control)
{
	bool room = control->client_count < CONTROL_CLIENTS_MOST;

	if (!control->closed)
		watch_set(control->watch, room ? WATCH_READ : 0);
}

static void
client_free(void *object)
{
	free(object);
}

static void
client_end(struct client *client)
{
	struct control *control = client->control;

	LIST_REMOVE(client, link);
	control->client_count--;
	loop_bury(control->loop, client, client_free);
	fill_spares(control);
	listen_again(control);
}

static void
client_finish(struct client *client)
{
	conn_finish(&client->conn, LINGER_MS);
	client_end(client);
}

/* Every whole line, as long as the replies find room. false: it ended. */
static bool
client_lines(struct client *client)
{
	struct buf *in = conn_in(client->conn), *out = conn_out(client->conn);
	enum line_result got = LINE_HERE;
	struct str line;

	while (buf_len(out) < UNREAD_MOST) {
		got = line_next(&client->lines, in, &line);
		if (got != LINE_HERE)
			break;
		answer(client->control, line, out);
	}
	if (got == LINE_TOO_LONG) {
		buf_add_text(out, "{\"error\":\"a line has at most 65535 bytes\"}\n");
		client_finish(client);
		return false;
	}
	conn_read(client->conn, buf_len(out) < UNREAD_MOST);
	conn_flush(client->conn);
	return true;
}

static void
client_event(struct conn *conn, enum conn_event event, void *ctx)
{
	struct client *client = ctx;

	switch (event) {
	case CONN_DATA:
	case CONN_DRAINED:
		client_lines(client);
		return;
	case CONN_EOF: /* what it asked before may still be on the way to it */
		if (client_lines(client))
			client_finish(client);
		return;
	case CONN_RELAYED:
	case CONN_IDLE:
	case CONN_FAILED:
		conn_close(&client->conn);
		client_end(client);
		return;
	case CONN_OPEN:
		return;
	}
}

static void
client_new(struct control *control, int fd)
{
	struct client *client = xnew(struct client);

	client->control = control;
	client->conn = conn_take(control->loop, fd, client_event, client);
	client->lines.max_bytes = CONTROL_LINE_MOST - 1;
	conn_set_in_max(client->conn, CONTROL_LINE_MOST + 1);
	conn_set_idle_ms(client->conn, CONTROL_IDLE_MS);
	LIST_INSERT_HEAD(&control->clients, client, link);
	control->client_count++;
}

/* A spare descriptor makes room for this one; nobody can come between. */
static int
accept_one(struct control *control)
{
	int fd;

	if (control->spare_count > 0)
		close(control->spares[--control->spare_count]);
	fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return fd;
}

static void
on_listening(int ready, void *ctx)
{
	struct control *control = ctx;
	int fd;

	while (control->client_count < CONTROL_CLIENTS_MOST) {
		fd = accept_one(control);
		if (fd == -1)
			break;
		client_new(control, fd);
	}
	if (control->client_count < CONTROL_CLIENTS_MOST && errno != EAGAIN &&
	    errno != ECONNABORTED && errno != EINTR) {
		watch_set(control->watch, 0);
		timer_start(control->rest, REST_MS);
	} else {
		listen_again(control);
	}
	fill_spares(control);
}

static void
on_rested(void *ctx)
{
	listen_again(ctx);
}

struct control *
control_new(struct loop *loop, int fd)
{
	struct control *control = xnew(struct control);

	control->loop = loop;
	control->fd = fd;
	LIST_INIT(&control->clients);
	fill_spares(control);
	control->rest = timer_new(loop, on_rested, control);
	control->watch = watch_new(loop, fd, on_listening, control);
	watch_set(control->watch, WATCH_READ);
	return control;
}

void
control_add(struct control *control, const struct control_command *commands, void *ctx)
{
	must(control->table_count < TABLES_MOST);
	control->tables[control->table_count].commands = commands;
	control->tables[control->table_count++].ctx = ctx;
}

void
control_stop_accepting(struct control *control)
{
	control->closed = true;
	timer_stop(control->rest);
	watch_set(control->watch, 0);
}

void
control_free(struct control **control)
{
	struct control *c = *control;
	struct client *client;

	if (c == NULL)
		return;
	control_stop_accepting(c);
	while ((client = LIST_FIRST(&c->clients)) != NULL) {
		conn_close(&client->conn);
		client_end(client);
	}
	while (c->spare_count > 0)
		close(c->spares[--c->spare_count]);
	watch_free(&c->watch);
	timer_free(&c->rest);
	free(c);
	*control = NULL;
}
