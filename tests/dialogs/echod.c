/*
 * echod.c - the smallest daemon there can be, to test the frame of all daemons
 *
 * Speaks lines: "word" is answered "pid idle_timeout_ms word", and "sleep 200
 * word" the same after 200 ms. "die" kills the worker, "hang" stops its loop,
 * "refuse" makes it refuse the next reload, "files" uses all descriptors up.
 * It listens where policyd would.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/line.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/daemon.h"

enum { LINE_MOST = 4096, LINGER_MS = 2000, SLEEP_MOST_MS = 60000, LAST_WORDS_MS = 100 };

struct port {
	int fd;
	struct watch *watch;
	struct echo *echo;
	LIST_ENTRY(port) link;
};

struct client {
	struct echo *echo;
	struct conn *conn;
	struct timer *timer;
	struct line_reader lines;
	char later[LINE_MOST + 1]; /* what the timer will say */
	LIST_ENTRY(client) link;
};

struct echo {
	struct worker *worker;
	struct loop *loop;
	struct timer *last_words; /* of the drain: what was sent before it is still read */
	int64_t idle_timeout_ms;
	unsigned long long answers;
	bool draining, refuses;
	LIST_HEAD(, port) ports;
	LIST_HEAD(, client) clients;
};

/* ---- clients */

static void
end_if_drained(struct echo *echo)
{
	if (echo->draining && LIST_EMPTY(&echo->clients))
		worker_drained(echo->worker);
}

static void
client_end(struct client *client, bool finish)
{
	struct echo *echo = client->echo;

	if (finish)
		conn_finish(&client->conn, LINGER_MS);
	else
		conn_close(&client->conn);
	timer_free(&client->timer);
	LIST_REMOVE(client, link);
	loop_bury(echo->loop, client, free);
	end_if_drained(echo);
}

static void
say(struct client *client, const char *word)
{
	buf_addf(conn_out(client->conn), "%ld %lld %s\n", (long)getpid(),
	    (long long)client->echo->idle_timeout_ms, word);
	conn_flush(client->conn);
	client->echo->answers++;
}

static void client_lines(struct client *client);

static void
on_timer(void *ctx)
{
	struct client *client = ctx;

	say(client, client->later);
	client_lines(client);
	if (client->echo->draining && !timer_is_running(client->timer))
		client_end(client, true);
}

static void
use_all_files(void)
{
	while (open("/dev/null", O_RDONLY | O_CLOEXEC) != -1)
		continue;
}

static void
client_word(struct client *client, const char *word)
{
	unsigned ms;

	if (strcmp(word, "die") == 0)
		abort();
	if (strcmp(word, "hang") == 0)
		sleep(30);
	if (strcmp(word, "refuse") == 0)
		client->echo->refuses = true;
	if (strcmp(word, "files") == 0)
		use_all_files();
	if (sscanf(word, "sleep %u %4096s", &ms, client->later) == 2 && ms < SLEEP_MOST_MS)
		timer_start(client->timer, ms);
	else
		say(client, word);
}

static void
client_lines(struct client *client)
{
	char word[LINE_MOST + 1];
	struct str line;

	while (!timer_is_running(client->timer) &&
	       line_next(&client->lines, conn_in(client->conn), &line) == LINE_HERE) {
		memcpy(word, line.ptr, line.len);
		word[line.len] = '\0';
		client_word(client, word);
	}
}

static void
on_client(struct conn *conn, enum conn_event event, void *ctx)
{
	struct client *client = ctx;

	if (event == CONN_DATA)
		client_lines(client);
	if (event == CONN_EOF || event == CONN_FAILED)
		client_end(client, event == CONN_EOF);
	else if (client->echo->draining && !timer_is_running(client->timer))
		client_end(client, true);
}

/* ---- ports */

static void
accept_all(struct port *port)
{
	struct echo *echo = port->echo;
	int fd;

	while ((fd = accept4(port->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		struct client *client = xnew(struct client);

		client->echo = echo;
		client->lines.max_bytes = LINE_MOST;
		client->timer = timer_new(echo->loop, on_timer, client);
		client->conn = conn_take(echo->loop, fd, on_client, client);
		LIST_INSERT_HEAD(&echo->clients, client, link);
	}
}

static void
on_port(int ready, void *ctx)
{
	accept_all(ctx);
}

static struct port *
find_port(struct echo *echo, int fd)
{
	struct port *port;

	LIST_FOREACH (port, &echo->ports, link) {
		if (port->fd == fd)
			return port;
	}
	return NULL;
}

static void
port_open(struct echo *echo, int fd)
{
	struct port *port = xnew(struct port);

	port->fd = fd;
	port->echo = echo;
	port->watch = watch_new(echo->loop, fd, on_port, port);
	watch_set(port->watch, WATCH_READ);
	LIST_INSERT_HEAD(&echo->ports, port, link);
}

static void
port_close(struct port *port)
{
	watch_free(&port->watch);
	LIST_REMOVE(port, link);
	loop_bury(port->echo->loop, port, free);
}

/* ---- the program */

static void
on_last_words(void *ctx)
{
	struct echo *echo = ctx;
	struct client *client, *next;

	echo->draining = true;
	for (client = LIST_FIRST(&echo->clients); client != NULL; client = next) {
		next = LIST_NEXT(client, link);
		if (!timer_is_running(client->timer))
			client_end(client, true);
	}
	end_if_drained(echo);
}

static void
plan(const struct settings *settings, struct daemon_plan *plan_r)
{
	const struct policyd_settings *policyd = &settings->policyd;

	plan_r->binds = xnew_array(struct bind_request, policyd->listen_count + 1);
	plan_r->bind_count = policyd->listen_count;
	plan_r->workers = (unsigned)policyd->workers;
	plan_r->drain_ms = (uint64_t)policyd->drain_timeout_ms;
	plan_r->metrics = policyd->metrics;
	for (size_t i = 0; i < policyd->listen_count; i++) {
		const struct listen_settings *listen = &policyd->listen[i];

		plan_r->binds[i] = (struct bind_request){.address = listen->address,
		    .mode = listen->mode,
		    .owner = listen->owner,
		    .group = listen->group,
		    .backlog = (int)listen->backlog,
		    .line = listen->line};
	}
}

static void
check(struct settings *settings)
{
	if (settings->policyd.idle_timeout_ms == 666)
		settings_problem(settings, 0, "idle_timeout", "not this one");
}

static int
start(struct worker *worker, const struct settings *settings, const int *fds, void **ctx_r,
    struct fault *fault_r)
{
	struct echo *echo;

	if (settings->policyd.idle_timeout_ms == 667)
		return fault_set(fault_r, VERDICT_PERM, "this one does not start");
	echo = xnew(struct echo);
	echo->worker = worker;
	echo->loop = worker_loop(worker);
	echo->idle_timeout_ms = settings->policyd.idle_timeout_ms;
	echo->last_words = timer_new(echo->loop, on_last_words, echo);
	LIST_INIT(&echo->ports);
	LIST_INIT(&echo->clients);
	for (size_t i = 0; i < settings->policyd.listen_count; i++)
		port_open(echo, fds[i]);
	*ctx_r = echo;
	worker_ready(worker);
	return 0;
}

static int
reload(void *ctx, const struct settings *settings, const int *fds, struct fault *fault_r)
{
	struct echo *echo = ctx;
	struct port *port, *next;

	if (echo->refuses)
		return fault_set(fault_r, VERDICT_PERM, "told to refuse");
	echo->idle_timeout_ms = settings->policyd.idle_timeout_ms;
	for (port = LIST_FIRST(&echo->ports); port != NULL; port = next) {
		bool stays = false;

		next = LIST_NEXT(port, link);
		for (size_t i = 0; i < settings->policyd.listen_count; i++)
			stays = stays || fds[i] == port->fd;
		if (!stays)
			port_close(port);
	}
	for (size_t i = 0; i < settings->policyd.listen_count; i++) {
		if (find_port(echo, fds[i]) == NULL)
			port_open(echo, fds[i]);
	}
	return 0;
}

static void
drain(void *ctx)
{
	struct echo *echo = ctx;
	struct port *port;

	while ((port = LIST_FIRST(&echo->ports)) != NULL) {
		accept_all(port);
		port_close(port);
	}
	timer_start(echo->last_words, LAST_WORDS_MS);
}

static json_t *
status(void *ctx)
{
	const struct echo *echo = ctx;

	return json_pack("{s:I, s:I}", "answers", (json_int_t)echo->answers, "idle_timeout_ms",
	    (json_int_t)echo->idle_timeout_ms);
}

static void
stop(void *ctx)
{
	struct echo *echo = ctx;
	struct port *port;

	echo->draining = false;
	while (!LIST_EMPTY(&echo->clients))
		client_end(LIST_FIRST(&echo->clients), false);
	while ((port = LIST_FIRST(&echo->ports)) != NULL)
		port_close(port);
	timer_free(&echo->last_words);
	free(echo);
}

static json_t *
do_greet(void *ctx, const json_t *request, struct fault *fault_r)
{
	const char *name = json_string_value(json_object_get(request, "name"));

	if (name == NULL) {
		fault_set(fault_r, VERDICT_PERM, "greet whom?");
		return NULL;
	}
	return json_pack("{s:s}", "hello", name);
}

static const struct control_command commands[] = {
    {"greet", do_greet},
    {NULL, NULL},
};

static const struct daemon_program echod = {
    .name = "echod",
    .service = "echod",
    .summary = "Echoes lines, to test what all daemons share.",
    .check = check,
    .plan = plan,
    .start = start,
    .reload = reload,
    .drain = drain,
    .status = status,
    .commands = commands,
    .stop = stop,
};

int
main(int argc, char **argv)
{
	return daemon_main(&echod, argc, argv);
}
