/*
 * holderd.c - acts on answers, as a proxy with sessions does, and says for whom
 *
 *	holderd [-d DRAIN_MS] [-n] CONFIG SOCKET
 *
 * For each account that it is asked about it acts from then on for the owner:
 * it asks the map, takes a claim, and when it is asked to end, releases it after
 * DRAIN_MS (0) and logs in again, as a client would. The socket speaks the
 * socketmap protocol, so that whoever asks policyd can ask here: "MAP ACCOUNT" is
 * answered "OK owner" from what is being done, not from what is remembered, and
 * TEMP while nothing is. With -n it takes no claims: then nothing ever ends, and
 * whoever checks must see it.
 */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/map.h"
#include "net/conn.h"
#include "net/netstring.h"

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

enum { RETRY_MS = 10, REQUEST_MAX_BYTES = 1000, CLIENTS_BACKLOG = 64 };

/* One that acts for an account. */
struct actor {
	UT_hash_handle hh;
	struct account account;
	struct map_question *question;
	struct claim *claim;
	char *owner; /* for whom; NULL: for nobody now */
	bool ending;
	struct timer *timer; /* to log in again, or to end */
};

struct client {
	LIST_ENTRY(client) entry;
	struct conn *conn;
};

static struct loop *loop;
static struct map *map;
static struct settings *settings;
static struct actor *actors;
static LIST_HEAD(, client) clients = LIST_HEAD_INITIALIZER(clients);
static uint64_t drain_ms;
static bool careless, leaving;

/* ---- acting */

static void
actor_stop(struct actor *actor)
{
	claim_release(&actor->claim);
	free(actor->owner);
	actor->owner = NULL;
	actor->ending = false;
}

static bool
stands(void *ctx, const struct finding *finding)
{
	const struct actor *actor = ctx;

	return str_is(finding->owner, actor->owner) && finding->hold != HOLD_ALL;
}

static void
end(void *ctx, const struct finding *finding)
{
	struct actor *actor = ctx;

	actor->ending = true;
	timer_start(actor->timer, drain_ms);
}

static const struct claim_events events = {stands, end};

static void
found(void *ctx, const struct finding *finding)
{
	struct actor *actor = ctx;

	actor->question = NULL;
	if (finding->verdict != VERDICT_FOUND || finding->hold == HOLD_ALL) {
		timer_start(actor->timer, RETRY_MS);
		return;
	}
	actor->owner = xstrndup(finding->owner.ptr, finding->owner.len);
	if (!careless)
		actor->claim = map_claim(map, &actor->account, finding, &events, actor);
}

static void
on_timer(void *ctx)
{
	struct actor *actor = ctx;
	struct finding finding;

	if (actor->ending)
		actor_stop(actor);
	actor->question = map_ask(map, &actor->account, found, actor, &finding);
	if (actor->question == NULL)
		found(actor, &finding);
}

static struct actor *
actor_new(struct str name)
{
	const struct account_rules rules = {settings->fold_local, settings->recipient_delimiter};
	struct actor *actor = xnew(struct actor);

	account_init(&actor->account);
	if (account_parse(&actor->account, name, &rules) != ACCOUNT_ADDRESS)
		errx(EX_DATAERR, "%.*s: no address", STR_FMT(name));
	actor->timer = timer_new(loop, on_timer, actor);
	HASH_ADD_KEYPTR(hh, actors, actor->account.name.ptr, actor->account.name.len, actor);
	on_timer(actor);
	return actor;
}

static void
actors_free(void)
{
	struct actor *actor, *next;

	HASH_ITER (hh, actors, actor, next) {
		HASH_DEL(actors, actor);
		map_forget(&actor->question);
		actor_stop(actor);
		timer_free(&actor->timer);
		account_fini(&actor->account);
		free(actor);
	}
}

/* ---- saying for whom */

static void
answer(struct conn *conn, struct str request)
{
	struct str name = str_from(request, str_find(request, ' '));
	struct buf text = BUF_INIT;
	struct actor *actor;

	if (name.len < 2)
		errx(EX_DATAERR, "%.*s: no request", STR_FMT(request));
	name = str_from(name, 1);
	HASH_FIND(hh, actors, name.ptr, name.len, actor);
	if (actor == NULL && !leaving)
		actor = actor_new(name);
	if (actor != NULL && actor->owner != NULL)
		buf_addf(&text, "OK %s", actor->owner);
	else
		buf_add_text(&text, "TEMP nobody acts for it now");
	netstring_add(conn_out(conn), buf_str(&text));
	buf_fini(&text);
}

static void
client_end(struct client *client)
{
	conn_close(&client->conn);
	LIST_REMOVE(client, entry);
	loop_bury(loop, client, free);
}

static void
on_client(struct conn *conn, enum conn_event event, void *ctx)
{
	struct client *client = ctx;
	struct fault fault;
	struct str request;
	int rc = 0;

	if (event == CONN_DATA) {
		while ((rc = netstring_next(conn_in(conn), REQUEST_MAX_BYTES, &request, &fault)) ==
		       1)
			answer(conn, request);
	}
	if (rc != 0 || event == CONN_EOF || event == CONN_FAILED)
		client_end(client);
}

static void
on_listener(int ready, void *ctx)
{
	int fd = accept4(*(int *)ctx, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *client;

	if (fd == -1)
		return;
	client = xnew(struct client);
	client->conn = conn_take(loop, fd, on_client, client);
	LIST_INSERT_HEAD(&clients, client, entry);
}

static int
listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(EX_USAGE, "%s: too long", path);
	memcpy(address.sun_path, path, strlen(path));
	unlink(path);
	if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof(address)) == -1 ||
	    listen(fd, CLIENTS_BACKLOG) == -1)
		err(EX_OSERR, "%s", path);
	return fd;
}

/* ---- life */

static void
on_left(void *ctx)
{
	loop_stop(loop);
}

static void
on_term(int signo, void *ctx)
{
	leaving = true;
	actors_free(); /* first: whoever leaves the roster is not waited for any more */
	map_leave(map, on_left, NULL);
}

int
main(int argc, char **argv)
{
	struct map_role role = {.name = "holderd"};
	struct watch *watch;
	struct fault fault;
	int option, fd;

	while ((option = getopt(argc, argv, "d:n")) != -1) {
		if (option == 'd')
			drain_ms = strtoul(optarg, NULL, 10);
		else if (option == 'n')
			careless = true;
		else
			return EX_USAGE;
	}
	if (argc - optind != 2)
		errx(EX_USAGE, "usage: holderd [-d DRAIN_MS] [-n] CONFIG SOCKET");
	signal(SIGPIPE, SIG_IGN);
	settings = settings_load(argv[optind]);
	if (settings_problem_count(settings) > 0)
		errx(EX_CONFIG, "%s", settings_problem_text(settings, 0));
	log_open("holderd", LOG_TO_STDERR, settings->log_level);
	role.drain_ms = (uint32_t)drain_ms;
	loop = loop_new();
	if ((map = map_new(loop, settings, &role, &fault)) == NULL)
		errx(EX_CONFIG, "%s", fault.text);
	fd = listen_at(argv[optind + 1]);
	watch = watch_new(loop, fd, on_listener, &fd);
	watch_set(watch, WATCH_READ);
	loop_on_signal(loop, SIGTERM, on_term, NULL);
	loop_run(loop);
	watch_free(&watch);
	close(fd);
	while (!LIST_EMPTY(&clients))
		client_end(LIST_FIRST(&clients));
	actors_free();
	map_free(&map);
	loop_free(&loop);
	settings_free(&settings);
	return 0;
}
