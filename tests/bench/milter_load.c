/*
 * milter_load.c - many sessions of one message each, and how long their steps took
 *
 * `milter_load run` keeps so many of them open at once until all have ended, and
 * prints one JSON line: sessions a second, and percentiles for RCPT, for the end
 * of the message and for a session from connect to the last reply. `milter_load
 * hold` leads all of them to one place, prints how many there are, and drops
 * them at the end of its input. With -s it speaks to a milter at a Unix socket,
 * with -p SMTP. Whoever refuses anything ends it. See tests/bench/milter.
 */
#include "front_load.h" /* timings */
#include "milter_load.h"

#include <arpa/inet.h>
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENTS_MOST = 64,
	SILENCE_MS = 30000,
	LED_AT_ONCE = 100 /* hold: on their way; a milter lets so many wait and no more */
};

enum part { PART_RCPT, PART_END, PART_SESSION, PARTS };

struct load {
	const struct talk *talk;
	const char *socket;
	uint16_t port;
	uint64_t sessions, accounts;
	unsigned at_once, recipients;
	enum step halt; /* hold: where each of them stays */
	int epoll;
	struct peer *peers;
	uint64_t begun, halted, ended, changes, account;
	struct timings timings[PARTS];
};

static const char *const part_names[PARTS] = {
    [PART_RCPT] = "rcpt", [PART_END] = "end", [PART_SESSION] = "session"};

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- connections */

static int
dial_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(EX_USAGE, "%s: longer than a socket path can be", path);
	strcpy(address.sun_path, path);
	if (fd == -1 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1)
		err(EX_UNAVAILABLE, "%s", path);
	return fd;
}

static int
dial_port(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd == -1 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1)
		err(EX_UNAVAILABLE, "port %d", port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void
say(struct load *load, struct peer *peer)
{
	char out[BYTES_MOST];
	size_t len;

	if (load->talk->say[peer->step] == NULL)
		return;
	len = load->talk->say[peer->step](load->account, out);
	if (peer->step == STEP_RCPT)
		load->account = (load->account + 1) % load->accounts;
	if (write(peer->fd, out, len) != (ssize_t)len)
		err(EX_IOERR, "at %s", step_names[peer->step]);
}

/* ---- a session */

static void begin(struct load *load, struct peer *peer);

static void
end(struct load *load, struct peer *peer)
{
	timings_add(&load->timings[PART_SESSION], now_ns() - peer->begun_ns);
	load->changes += peer->changes;
	load->ended++;
	close(peer->fd);
	peer->fd = -1;
	if (load->begun < load->sessions)
		begin(load, peer);
}

/* From its step on, to one that is answered. */
static void
go_on(struct load *load, struct peer *peer)
{
	for (; peer->step < STEPS; peer->step++) {
		peer->got = 0;
		peer->asked_ns = now_ns();
		say(load, peer);
		if (load->talk->is_answered[peer->step])
			return;
	}
	end(load, peer);
}

static void
begin(struct load *load, struct peer *peer)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};

	load->begun++;
	*peer = (struct peer){.begun_ns = now_ns()};
	peer->fd = load->socket != NULL ? dial_unix(load->socket) : dial_port(load->port);
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, peer->fd, &event) == -1)
		err(EX_OSERR, "epoll_ctl");
	go_on(load, peer);
}

static void
on_reply(struct load *load, struct peer *peer)
{
	uint64_t took_ns = now_ns() - peer->asked_ns;

	if (peer->step == STEP_RCPT)
		timings_add(&load->timings[PART_RCPT], took_ns);
	else if (peer->step == STEP_END)
		timings_add(&load->timings[PART_END], took_ns);
	if (peer->step == load->halt) {
		load->halted++;
		if (load->begun < load->sessions)
			begin(load, &load->peers[load->begun]);
		return;
	}
	if (peer->step != STEP_RCPT || ++peer->recipients == load->recipients)
		peer->step++;
	go_on(load, peer);
}

static void
on_readable(struct load *load, struct peer *peer)
{
	ssize_t len = read(peer->fd, peer->in + peer->got, BYTES_MOST - 1 - peer->got);

	if (len <= 0)
		errx(EX_IOERR, "closed at %s, after %" PRIu64 " sessions", step_names[peer->step],
		    load->ended);
	peer->got += (size_t)len;
	peer->in[peer->got] = '\0';
	if (load->talk->is_whole(peer))
		on_reply(load, peer);
	else if (peer->got == BYTES_MOST - 1)
		errx(EX_PROTOCOL, "a reply of more than %d bytes", BYTES_MOST - 1);
}

/* ---- all of them */

static void
run(struct load *load, size_t room)
{
	struct epoll_event events[EVENTS_MOST];

	if ((load->peers = calloc(room, sizeof(*load->peers))) == NULL)
		err(EX_OSERR, "%zu sessions", room);
	for (unsigned i = 0; i < load->at_once && load->begun < load->sessions; i++)
		begin(load, &load->peers[i]);
	while (load->ended + load->halted < load->sessions) {
		int ready = epoll_wait(load->epoll, events, EVENTS_MOST, SILENCE_MS);

		if (ready <= 0)
			errx(EX_TEMPFAIL, "nothing for %d ms after %" PRIu64 " sessions",
			    SILENCE_MS, load->ended);
		for (int i = 0; i < ready; i++)
			on_readable(load, events[i].data.ptr);
	}
	free(load->peers);
}

static void
print_result(struct load *load, uint64_t elapsed_ns)
{
	printf("{\"sessions\": %" PRIu64 ", \"changes\": %" PRIu64 ", \"per_second\": %.1f",
	    load->ended, load->changes, (double)load->ended * 1e9 / (double)elapsed_ns);
	for (int part = 0; part < PARTS; part++) {
		printf(", \"%s\": {", part_names[part]);
		timings_print(&load->timings[part]);
		printf("}");
	}
	printf("}\n");
}

static void
hold(struct load *load)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	load->at_once = LED_AT_ONCE;
	run(load, load->sessions);
	printf("{\"held\": %" PRIu64 "}\n", load->halted);
	fflush(stdout);
	while (getchar() != EOF)
		;
}

static void
usage(void)
{
	fprintf(stderr,
	    "usage: milter_load run -s SOCKET | -p PORT [-n SESSIONS] [-c AT ONCE]\n"
	    "                   [-r RECIPIENTS] [-a ACCOUNTS]\n"
	    "       milter_load hold -s SOCKET [-n SESSIONS] [-m (after RCPT, not before MAIL)]\n");
	exit(EX_USAGE);
}

int
main(int argc, char **argv)
{
	struct load load = {
	    .sessions = 1000, .accounts = 1000, .at_once = 1, .recipients = 1, .halt = STEPS};
	bool holds = argc > 1 && strcmp(argv[1], "hold") == 0, within = false;
	uint64_t start_ns;
	int option;

	if (argc < 2 || (!holds && strcmp(argv[1], "run") != 0))
		usage();
	argv++, argc--;
	while ((option = getopt(argc, argv, "s:p:n:c:r:a:m")) != -1) {
		switch (option) {
		/* clang-format off */
		case 's': load.socket = optarg; break;
		case 'p': load.port = (uint16_t)atoi(optarg); break;
		case 'n': load.sessions = strtoull(optarg, NULL, 10); break;
		case 'c': load.at_once = (unsigned)atoi(optarg); break;
		case 'r': load.recipients = (unsigned)atoi(optarg); break;
		case 'a': load.accounts = strtoull(optarg, NULL, 10); break;
		case 'm': within = true; break;
		default: usage();
			/* clang-format on */
		}
	}
	if ((load.socket == NULL) == (load.port == 0) || (holds && load.socket == NULL) ||
	    load.sessions == 0 || load.at_once == 0 || load.recipients == 0 || load.accounts == 0)
		usage();
	load.talk = load.socket != NULL ? &talk_milter : &talk_smtp;
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (holds) {
		load.halt = within ? STEP_RCPT : STEP_BEGIN;
		hold(&load);
	} else {
		start_ns = now_ns();
		run(&load, load.at_once);
		print_result(&load, now_ns() - start_ns);
	}
	for (int part = 0; part < PARTS; part++)
		timings_free(&load.timings[part]);
	return 0;
}
