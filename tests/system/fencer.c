/*
 * fencer.c - flips accounts at full speed while every node is asked all the time
 *
 *	fencer [OPTION ...] CONFIG NAME=SOCKET ...
 *
 *	-a COUNT	accounts (20), fence0@example.org and so on, in a domain that is there
 *	-f COUNT	flips (1000)
 *	-s COUNT	samples after each flip, of all nodes together (12), or
 *	-d MS		until so much time has passed without them (20)
 *	-p MS		how long a flip waits for its confirmation (20000)
 *	-k COUNT	askers per node (2)
 *	-u FILE		stop early when this file is there
 *
 * A node is a Unix socket that speaks the socketmap protocol; its answer to
 * "fence ACCOUNT" is the owner, as a text. Nodes are asked by processes of their
 * own. What they have in common with the one that flips is a board in shared
 * memory: each account has a version there, odd from before the first byte of a
 * change is sent until after it was confirmed, and the owner that was confirmed.
 * An answer is a sample when the account had the same even version before it was
 * asked for and after the answer was read; then it must be that owner, or TEMP.
 *
 * The last line is one JSON object; status 1 if a sample named the former owner,
 * or a confirmed change was not there any more.
 *
 * It is long because whoever judges a sample must see at once what the askers, the
 * flips and the board agree on: that is one argument, and it is all in this file.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/change.h"
#include "map/client.h"
#include "map/confirm.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	ACCOUNTS_MOST = 1000,
	ASKERS_MOST = 64,
	STALE_SHOWN = 10,
	ANSWER_MS = 3000, /* then a connection is given up */
	TEXT_BYTES = 160
};

#define KNOWN "known@example.org" /* nobody flips it */

static const char *const owners[] = {"old", "new"};

struct place {
	_Atomic uint64_t version; /* even: the owner is confirmed */
	_Atomic uint32_t owner;
	_Atomic uint32_t samples; /* of this version */
	_Atomic uint64_t since_us; /* when it was confirmed */
};

struct score {
	_Atomic uint64_t asked, samples, stale, temporary, strange, broken;
	_Atomic uint64_t
	    gap_us; /* the longest time in which no question about KNOWN was answered */
};

struct board {
	_Atomic uint32_t hot; /* the account that was flipped last */
	_Atomic uint32_t shown;
	char stale[STALE_SHOWN][TEXT_BYTES];
	struct place accounts[ACCOUNTS_MOST];
	struct score scores[ASKERS_MOST];
};

struct node {
	const char *name, *path;
	pid_t pids[ASKERS_MOST];
};

static struct options {
	long accounts, flips, samples, dwell_ms, patience_ms, askers;
	const char *config, *until;
} options = {.accounts = 20,
    .flips = 1000,
    .samples = 12,
    .dwell_ms = 20,
    .patience_ms = 20000,
    .askers = 2};
static struct board *board;
static struct node nodes[ASKERS_MOST];
static int node_count;

/* ---- asking */

static int
dial(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = ANSWER_MS / 1000};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == -1)
		err(EX_OSERR, "socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The text of the answer, as in "OK new"; false: the connection is of no use any more. */
static bool
ask(int fd, const char *account, char answer_r[static TEXT_BYTES])
{
	char question[128];
	size_t got = 0, digits, length;
	ssize_t n;
	int len = snprintf(question, sizeof(question), "%zu:fence %s,",
	    strlen("fence ") + strlen(account), account);

	if (send(fd, question, (size_t)len, MSG_NOSIGNAL) != len)
		return false;
	for (;;) {
		n = recv(fd, answer_r + got, TEXT_BYTES - 1 - got, 0);
		if (n <= 0)
			return false;
		got += (size_t)n;
		answer_r[got] = '\0';
		length = strtoul(answer_r, NULL, 10);
		digits = strspn(answer_r, "0123456789");
		if (answer_r[digits] == ':' && got == digits + length + 2)
			break;
		if (got == TEXT_BYTES - 1)
			return false;
	}
	memmove(answer_r, answer_r + digits + 1, length);
	answer_r[length] = '\0';
	return true;
}

static void
note_stale(const struct node *node, long account, const char *answer, uint64_t since_us)
{
	uint32_t at = atomic_fetch_add(&board->shown, 1);

	if (at < STALE_SHOWN)
		snprintf(board->stale[at], TEXT_BYTES,
		    "%s said %.20s for fence%ld, %" PRIu64 " us after", node->name, answer, account,
		    clock_us() - since_us);
}

static void
judge(const struct node *node, struct score *score, long account, uint64_t version,
    const char *answer)
{
	struct place *place = &board->accounts[account];
	uint32_t owner = atomic_load(&place->owner);
	uint64_t since_us = atomic_load(&place->since_us);
	bool settled = version % 2 == 0 && atomic_load(&place->version) == version;

	if (strncmp(answer, "TEMP", 4) == 0) {
		atomic_fetch_add(&score->temporary, 1);
		return;
	}
	if (strcmp(answer, "OK old") != 0 && strcmp(answer, "OK new") != 0) {
		atomic_fetch_add(&score->strange, 1);
		return;
	}
	if (!settled)
		return;
	atomic_fetch_add(&score->samples, 1);
	atomic_fetch_add(&place->samples, 1);
	if (strcmp(answer + 3, owners[owner]) != 0) {
		atomic_fetch_add(&score->stale, 1);
		note_stale(node, account, answer, since_us);
	}
}

/* Is the account that nobody flips answered? Says so as long as the connection is of use. */
static bool
ask_known(int fd, struct score *score, uint64_t *answered_us)
{
	char answer[TEXT_BYTES];
	bool is_alive = ask(fd, KNOWN, answer);
	uint64_t now_us = clock_us();

	if (is_alive && strncmp(answer, "OK", 2) == 0)
		*answered_us = now_us;
	else if (now_us - *answered_us > atomic_load(&score->gap_us))
		atomic_store(&score->gap_us, now_us - *answered_us);
	return is_alive;
}

/* Mostly the account that was flipped last, and sometimes any. */
static long
choose(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % 8 != 0 ? (long)atomic_load(&board->hot)
			      : (long)((*seed >> 8) % (uint64_t)options.accounts);
}

static void
ask_for_ever(const struct node *node, struct score *score, uint64_t seed)
{
	char answer[TEXT_BYTES], name[64];
	uint64_t version, answered_us = clock_us();
	long account;
	int fd = -1;

	for (;;) {
		if (fd == -1 && (fd = dial(node->path)) == -1) {
			atomic_fetch_add(&score->broken, 1);
			poll(NULL, 0, 5);
			continue;
		}
		account = choose(&seed);
		snprintf(name, sizeof(name), "fence%ld@example.org", account);
		version = atomic_load(&board->accounts[account].version);
		atomic_fetch_add(&score->asked, 1);
		if (ask(fd, name, answer)) {
			judge(node, score, account, version, answer);
			if (ask_known(fd, score, &answered_us))
				continue;
		}
		atomic_fetch_add(&score->broken, 1);
		close(fd);
		fd = -1;
	}
}

static void
start_askers(void)
{
	pid_t parent = getpid();

	for (int i = 0; i < node_count; i++) {
		for (long k = 0; k < options.askers; k++) {
			long number = i * options.askers + k;

			nodes[i].pids[k] = fork();
			if (nodes[i].pids[k] == -1)
				err(EX_OSERR, "fork");
			if (nodes[i].pids[k] > 0)
				continue;
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != parent)
				_exit(0);
			ask_for_ever(&nodes[i], &board->scores[number],
			    0x9e3779b97f4a7c15u * (uint64_t)(number + 1));
		}
	}
}

static void
stop_askers(void)
{
	for (int i = 0; i < node_count; i++) {
		for (long k = 0; k < options.askers; k++) {
			kill(nodes[i].pids[k], SIGKILL);
			waitpid(nodes[i].pids[k], NULL, 0);
		}
	}
}

/* ---- flipping */

struct tally {
	uint64_t flips, by_time;
	uint64_t unconfirmed, undone; /* told so */
	uint64_t failed, reopened;
	uint64_t lost; /* confirmed, and not there any more */
	uint64_t failing_us, write_gap_us; /* since when changes fail; the longest such time */
	uint64_t *took_us; /* of those that every node acknowledged */
	size_t took_count;
	char last_failure[FAULT_TEXT_BYTES];
};

static struct settings *settings;
static struct client *client;

static struct settings *
read_settings(const char *path)
{
	struct settings *read = settings_load(path);

	if (read == NULL || settings_problem_count(read) > 0)
		errx(EX_CONFIG, "%s: not good", path);
	return read;
}

static void
guard_nothing(void *ctx, struct change *change)
{
	if (change->seen.owner.there && str_eq(change->seen.owner.text, change->owner))
		change->result = CHANGE_UNCHANGED;
}

static void
failed(struct tally *tally, uint64_t began_us, const char *why)
{
	tally->failed++;
	if (tally->failing_us == 0)
		tally->failing_us = began_us;
	snprintf(tally->last_failure, sizeof(tally->last_failure), "%s", why);
}

static bool
is_over(void)
{
	return options.until != NULL && access(options.until, F_OK) == 0;
}

/* What was confirmed must be there, whoever is the master now. */
static void
look_for_losses(struct tally *tally)
{
	for (long a = 0; a < options.accounts; a++) {
		struct place *place = &board->accounts[a];
		struct change change = {.writes = CHANGE_OWNER};
		struct fault fault;
		char name[64];

		if (atomic_load(&place->version) % 2 != 0)
			continue;
		snprintf(name, sizeof(name), "fence%ld@example.org", a);
		change.name = str_of(name);
		change.owner = str_of(owners[atomic_load(&place->owner)]);
		if (change_try(client, &change, 1, guard_nothing, NULL, &fault) == -1)
			return;
		if (change.result != CHANGE_UNCHANGED)
			tally->lost++;
	}
}

static void
reopen(struct tally *tally)
{
	struct fault fault;

	client_close(&client);
	while ((client = client_open(settings, CLIENT_NEEDS_MAP, &fault)) == NULL && !is_over()) {
		snprintf(tally->last_failure, sizeof(tally->last_failure), "%s", fault.text);
		poll(NULL, 0, 20);
	}
	tally->reopened++;
	if (client != NULL)
		look_for_losses(tally);
}

/* Until it is confirmed; the account's version is odd meanwhile. */
static bool
flip(struct tally *tally, long account)
{
	static const struct change_note note = {.who = "fencer", .what = "set", .why = "test"};
	struct place *place = &board->accounts[account];
	uint32_t owner = 1 - atomic_load(&place->owner);
	char name[64];
	struct change change = {.writes = CHANGE_OWNER, .owner = str_of(owners[owner])};
	struct confirm_request request = {.count = 1,
	    .names = &change.name,
	    .members = settings->redis.confirm_members,
	    .wait_ms = (uint64_t)options.patience_ms};
	struct confirm_result *result;
	struct seal seal;
	struct fault fault;
	uint64_t began_us;

	snprintf(name, sizeof(name), "fence%ld@example.org", account);
	change.name = str_of(name);
	if (atomic_load(&place->version) % 2 == 0)
		atomic_fetch_add(&place->version, 1);
	began_us = clock_us();
	if (change_run(client, &change, 1, &note, guard_nothing, NULL, &seal, &fault) == -1) {
		failed(tally, began_us, fault.text);
		return false;
	}
	if (tally->failing_us != 0 && clock_us() - tally->failing_us > tally->write_gap_us)
		tally->write_gap_us = clock_us() - tally->failing_us;
	tally->failing_us = 0;
	if (seal.epoch == 0) { /* an earlier attempt that was not confirmed has made it */
		atomic_store(&place->owner, owner);
		return true;
	}
	request.epoch = seal.epoch;
	request.nonce = seal.nonce;
	result = confirm_run(client, &request);
	if (confirm_is_done(result)) {
		atomic_store(&place->owner, owner);
		atomic_store(&place->samples, 0);
		atomic_store(&place->since_us, clock_us());
		atomic_store(&board->hot, (uint32_t)account);
		atomic_fetch_add(&place->version, 1);
		tally->flips++;
		if (result->state == CONFIRM_DONE_BY_TIME)
			tally->by_time++;
		else
			tally->took_us[tally->took_count++] = clock_us() - began_us;
	} else if (result->state == CONFIRM_LOST) {
		tally->undone++;
	} else {
		tally->unconfirmed++;
		snprintf(tally->last_failure, sizeof(tally->last_failure), "%s", result->trouble);
	}
	confirm_result_free(&result);
	return !client_is_lost(client);
}

static void
dwell(long account)
{
	struct place *place = &board->accounts[account];
	uint64_t end_us = clock_us() + (uint64_t)options.dwell_ms * 1000;

	while (atomic_load(&place->samples) < (uint32_t)options.samples && clock_us() < end_us)
		poll(NULL, 0, 0);
}

static void
flip_all(struct tally *tally)
{
	long account = 0;

	tally->took_us = xnew_array(uint64_t, (size_t)options.flips + 1);
	for (long f = 0; f < options.flips && !is_over() && client != NULL;
	     account = (account + 1) % options.accounts) {
		uint64_t before = tally->flips;

		if (!flip(tally, account))
			reopen(tally);
		if (tally->flips == before)
			continue;
		f++;
		dwell(account);
	}
	if (client != NULL)
		look_for_losses(tally);
}

/* ---- the report */

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
percentile_ms(const struct tally *tally, unsigned percent)
{
	return tally->took_count == 0
		   ? 0
		   : (double)tally->took_us[(tally->took_count - 1) * percent / 100] / 1000;
}

static json_t *
score_json(const struct node *node, const struct score *score)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "node", node->name, "asked",
	    (json_int_t)score->asked, "samples", (json_int_t)score->samples, "stale",
	    (json_int_t)score->stale, "temp", (json_int_t)score->temporary, "strange",
	    (json_int_t)score->strange, "broken", (json_int_t)score->broken, "gap_ms",
	    (double)score->gap_us / 1000);
}

static bool
report(struct tally *tally)
{
	json_t *askers = json_array(), *stale = json_array(), *all;
	uint64_t samples = 0, stale_count = 0;

	qsort(tally->took_us, tally->took_count, sizeof(*tally->took_us), compare);
	for (long i = 0; i < node_count * options.askers; i++) {
		samples += board->scores[i].samples;
		stale_count += board->scores[i].stale;
		json_array_append_new(askers,
		    score_json(&nodes[i / options.askers], &board->scores[i]));
	}
	for (uint32_t i = 0; i < board->shown && i < STALE_SHOWN; i++)
		json_array_append_new(stale, json_string(board->stale[i]));
	all = json_pack(
	    "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:s, s:o, s:o}",
	    "flips", (json_int_t)tally->flips, "by_time", (json_int_t)tally->by_time, "unconfirmed",
	    (json_int_t)tally->unconfirmed, "undone", (json_int_t)tally->undone, "failed",
	    (json_int_t)tally->failed, "reopened", (json_int_t)tally->reopened, "lost",
	    (json_int_t)tally->lost, "samples", (json_int_t)samples, "stale",
	    (json_int_t)stale_count, "p50_ms", percentile_ms(tally, 50), "p99_ms",
	    percentile_ms(tally, 99), "most_ms", percentile_ms(tally, 100), "write_gap_ms",
	    (double)tally->write_gap_us / 1000, "last_failure", tally->last_failure,
	    "stale_answers", stale, "askers", askers);
	json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(all);
	return stale_count == 0 && tally->lost == 0;
}

/* ---- */

static long
number(const char *text, long least, long most)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end != '\0' || end == text || n < least || n > most)
		errx(EX_USAGE, "%s: not a number from %ld to %ld", text, least, most);
	return n;
}

static void
read_arguments(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "a:f:s:d:p:k:u:")) != -1) {
		switch (option) {
		case 'a':
			options.accounts = number(optarg, 1, ACCOUNTS_MOST);
			break;
		case 'f':
			options.flips = number(optarg, 1, 10000000);
			break;
		case 's':
			options.samples = number(optarg, 0, 100000);
			break;
		case 'd':
			options.dwell_ms = number(optarg, 0, 60000);
			break;
		case 'p':
			options.patience_ms = number(optarg, 1, 600000);
			break;
		case 'k':
			options.askers = number(optarg, 1, 8);
			break;
		case 'u':
			options.until = optarg;
			break;
		default:
			exit(EX_USAGE);
		}
	}
	if (optind >= argc)
		errx(EX_USAGE, "no settings file");
	options.config = argv[optind++];
	for (; optind < argc; optind++) {
		char *equals = strchr(argv[optind], '=');

		if (equals == NULL || (node_count + 1) * options.askers > ASKERS_MOST)
			errx(EX_USAGE, "%s: not NAME=SOCKET, or one too many", argv[optind]);
		*equals = '\0';
		nodes[node_count++] = (struct node){.name = argv[optind], .path = equals + 1};
	}
}

int
main(int argc, char **argv)
{
	struct tally tally = {0};
	struct fault fault;
	bool good;

	read_arguments(argc, argv);
	board =
	    mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		err(EX_OSERR, "mmap");
	for (long a = 0; a < options.accounts; a++)
		board->accounts[a].version = 1;
	settings = read_settings(options.config);
	client = client_open(settings, CLIENT_NEEDS_MAP, &fault);
	if (client == NULL)
		errx(EX_TEMPFAIL, "%s", fault.text);
	start_askers();
	flip_all(&tally);
	stop_askers();
	good = report(&tally);
	client_close(&client);
	settings_free(&settings);
	free(tally.took_us);
	return good ? 0 : 1;
}
