/*
 * mapdrive.c - the map alone, asked from standard input
 *
 *	mapdrive FILE [ROLE [DRAIN_MS]]	settings
 *	mapdrive --ensure FILE		private_ensure(), then ends
 *
 * A line is "ask N ADDRESS", "domain NAME", "status", "reload FILE", "leave" or
 * "quit"; an answer is a JSON object in a line. The dialogues in tests/dialogs use it.
 * An address may be a login name as well.
 *
 * "claim N ADDRESS mail" asks and takes a claim, as a delivery does (a hold of mail
 * ends it), "... all" as a session does. {"end": N} says that it is asked to end;
 * it is released at once, or after "hold-on" by "release N". "claims" lists them.
 *
 * After "disk hung" fsync(2) and fdatasync(2) do not return, until "disk well".
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/map.h"
#include "map/private.h"

#include <err.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

static struct loop *loop;
static struct map *map;
static struct settings *settings, *older;
static struct buf in;

struct asked {
	long number;
	uint64_t since_us;
	struct held *held; /* NULL: asked without a claim */
};

/* Something that acts on an answer. */
struct held {
	TAILQ_ENTRY(held) entry;
	struct claim *claim;
	long number;
	struct account account;
	char *owner;
	bool is_mail, ending;
};

static TAILQ_HEAD(, held) helds = TAILQ_HEAD_INITIALIZER(helds);
static bool hold_on;
static atomic_bool is_hung;

/* ---- a disk that hangs: these are our own */

static int
sync_when_well(long how, int fd)
{
	while (is_hung)
		usleep(1000);
	return (int)syscall(how, fd);
}

int
fsync(int fd)
{
	return sync_when_well(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return sync_when_well(SYS_fdatasync, fd);
}

/* ---- what is said */

static void
say(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	puts(text);
	fflush(stdout);
	free(text);
	json_decref(json);
}

static json_t *
text(struct str s)
{
	json_t *json = json_stringn(s.ptr != NULL ? s.ptr : "", s.len);

	return json != NULL ? json : json_string("?");
}

static void
held_free(struct held *held)
{
	if (held->claim != NULL) {
		claim_release(&held->claim);
		TAILQ_REMOVE(&helds, held, entry);
	}
	account_fini(&held->account);
	free(held->owner);
	free(held);
}

static bool
stands(void *ctx, const struct finding *finding)
{
	const struct held *held = ctx;

	return str_is(finding->owner, held->owner) && finding->hold != HOLD_ALL &&
	       !(held->is_mail && finding->hold == HOLD_MAIL);
}

static void
end(void *ctx, const struct finding *finding)
{
	struct held *held = ctx;

	held->ending = true;
	say(json_pack("{s:I, s:b}", "end", (json_int_t)held->number, "nobody", finding == NULL));
	if (!hold_on)
		held_free(held);
}

static const struct claim_events events = {stands, end};

static void
hold(struct held *held, const struct finding *finding)
{
	held->owner = xstrndup(finding->owner.ptr, finding->owner.len);
	held->claim = map_claim(map, &held->account, finding, &events, held);
	TAILQ_INSERT_TAIL(&helds, held, entry);
}

static void
helds_say(void)
{
	json_t *all = json_object();
	struct held *held;
	char number[24];

	TAILQ_FOREACH (held, &helds, entry) {
		snprintf(number, sizeof(number), "%ld", held->number);
		json_object_set_new(all, number, json_string(held->owner));
	}
	say(json_pack("{s:o}", "claims", all));
}

static void
helds_end(void)
{
	while (!TAILQ_EMPTY(&helds))
		held_free(TAILQ_FIRST(&helds));
}

static void
release(long number)
{
	struct held *held;

	TAILQ_FOREACH (held, &helds, entry) {
		if (held->number == number)
			break;
	}
	if (held != NULL)
		held_free(held);
}

static void
found(void *ctx, const struct finding *finding)
{
	static const char *const sources[] = {"config", "memory", "grace", "redis"};
	static const char *const holds[] = {"", "mail", "all"};
	struct asked *asked = ctx;

	if (asked->held != NULL && finding->verdict == VERDICT_FOUND)
		hold(asked->held, finding);
	else if (asked->held != NULL)
		held_free(asked->held);
	say(json_pack("{s:I, s:s, s:o, s:s, s:o, s:o, s:s, s:I, s:I, s:s}", "n",
	    (json_int_t)asked->number, "verdict", verdict_name(finding->verdict), "owner",
	    text(finding->owner), "hold", holds[finding->hold], "account", text(finding->account),
	    "matched", text(finding->matched), "source", sources[finding->source], "epoch",
	    (json_int_t)finding->epoch, "us", (json_int_t)(clock_us() - asked->since_us), "reason",
	    finding->reason != NULL ? finding->reason : ""));
	free(asked);
}

static void
ask_one(const char *words)
{
	struct asked *asked = xnew(struct asked);
	struct account_rules rules = {settings->fold_local, settings->recipient_delimiter};
	struct account account;
	struct finding finding;
	char *end;

	asked->number = strtol(words, &end, 10);
	asked->since_us = clock_us();
	account_init(&account);
	if (!account_read(&account, str_of(end + 1), &rules))
		errx(EX_DATAERR, "%s: no address and no login", end + 1);
	if (map_ask(map, &account, found, asked, &finding) == NULL)
		found(asked, &finding);
	account_fini(&account);
}

static void
claim_one(char *words)
{
	struct asked *asked = xnew(struct asked);
	struct account_rules rules = {settings->fold_local, settings->recipient_delimiter};
	struct finding finding;
	char *end, *what = strrchr(words, ' ');

	asked->number = strtol(words, &end, 10);
	asked->since_us = clock_us();
	asked->held = xnew(struct held);
	asked->held->number = asked->number;
	asked->held->is_mail = strcmp(what, " mail") == 0;
	*what = '\0';
	account_init(&asked->held->account);
	if (!account_read(&asked->held->account, str_of(end + 1), &rules))
		errx(EX_DATAERR, "%s: no address and no login", end + 1);
	if (map_ask(map, &asked->held->account, found, asked, &finding) == NULL)
		found(asked, &finding);
}

static void
left(void *ctx)
{
	say(json_pack("{s:b}", "left", 1));
}

static void
line_take(char *line)
{
	if (strncmp(line, "ask ", 4) == 0) {
		ask_one(line + 4);
	} else if (strncmp(line, "domain ", 7) == 0) {
		say(json_pack("{s:s}", "verdict", verdict_name(map_domain(map, str_of(line + 7)))));
	} else if (strcmp(line, "status") == 0) {
		say(map_status(map));
	} else if (strncmp(line, "reload ", 7) == 0) {
		older = settings;
		settings = settings_load(line + 7);
		if (settings_problem_count(settings) > 0)
			errx(EX_CONFIG, "%s", settings_problem_text(settings, 0));
		map_reload(map, settings);
		settings_free(&older);
		say(json_pack("{s:b}", "reloaded", 1));
	} else if (strncmp(line, "claim ", 6) == 0) {
		claim_one(line + 6);
	} else if (strncmp(line, "release ", 8) == 0) {
		release(strtol(line + 8, NULL, 10));
	} else if (strcmp(line, "hold-on") == 0) {
		hold_on = true;
	} else if (strcmp(line, "claims") == 0) {
		helds_say();
	} else if (strncmp(line, "disk ", 5) == 0) {
		is_hung = strcmp(line + 5, "hung") == 0;
		say(json_pack("{s:b}", "hung", (int)is_hung));
	} else if (strcmp(line, "leave") == 0) {
		helds_end();
		map_leave(map, left, NULL);
	} else if (strcmp(line, "quit") == 0) {
		loop_stop(loop);
	} else {
		errx(EX_DATAERR, "%s: unknown", line);
	}
}

static void
on_stdin(int ready, void *ctx)
{
	ssize_t len = read(STDIN_FILENO, buf_room(&in, 65536), 65536);
	char *line;
	size_t end;

	if (len <= 0) {
		loop_stop(loop);
		return;
	}
	buf_added(&in, (size_t)len);
	while ((end = str_find(buf_str(&in), '\n')) < buf_len(&in)) {
		line = xstrndup(buf_str(&in).ptr, end);
		buf_consume(&in, end + 1);
		line_take(line);
		free(line);
	}
}

int
main(int argc, char **argv)
{
	struct map_role role = {.name = "drive"};
	struct watch *watch;
	struct fault fault;
	bool ensure = argc == 3 && strcmp(argv[1], "--ensure") == 0;

	if (argc < 2 || argc > 4)
		errx(EX_USAGE, "usage: mapdrive --ensure FILE | FILE [ROLE [DRAIN_MS]]");
	if (argc > 2 && !ensure)
		role.name = argv[2];
	if (argc > 3)
		role.drain_ms = (uint32_t)strtoul(argv[3], NULL, 10);
	signal(SIGPIPE, SIG_IGN);
	settings = settings_load(argv[ensure ? 2 : 1]);
	for (size_t i = 0; i < settings_problem_count(settings); i++)
		warnx("%s", settings_problem_text(settings, i));
	if (settings_problem_count(settings) > 0)
		return EX_CONFIG;
	log_open("mapdrive", LOG_TO_STDERR, settings->log_level);
	if (ensure) {
		if (private_ensure(settings, &fault) == -1)
			errx(EX_TEMPFAIL, "%s", fault.text);
		settings_free(&settings);
		return 0;
	}
	loop = loop_new();
	if ((map = map_new(loop, settings, &role, &fault)) == NULL)
		errx(EX_CONFIG, "%s", fault.text);
	watch = watch_new(loop, STDIN_FILENO, on_stdin, NULL);
	watch_set(watch, WATCH_READ);
	loop_run(loop);
	is_hung = false; /* or it would never end */
	watch_free(&watch);
	helds_end();
	map_free(&map);
	loop_free(&loop);
	settings_free(&settings);
	buf_fini(&in);
	return 0;
}
