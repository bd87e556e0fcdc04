/*
 * acks.c - the least that a confirmed change can need
 *
 *	acks SOCKET NODES CHANGES REPLICAS
 *
 * What tests/bench/confirm compares with. For each change: SET at the Redis behind
 * SOCKET, WAIT for so many replicas, PUBLISH, and then a message from each of so
 * many processes that do nothing but publish one when they hear one. Nobody
 * remembers, compares, or parses anything: all messages have the same length, so
 * bytes are counted. Prints one JSON line.
 */
#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { BYTES_MOST = 4096, NODES_MOST = 64 };

#define PUBLISH(channel) "*3\r\n$7\r\nPUBLISH\r\n$5\r\n" channel "\r\n$10\r\n%010" PRIu64 "\r\n"
#define SUBSCRIBE(channel) "*2\r\n$9\r\nSUBSCRIBE\r\n$5\r\n" channel "\r\n"
#define SUBSCRIBED "*3\r\n$9\r\nsubscribe\r\n$5\r\nbench\r\n:1\r\n"
#define MESSAGE "*3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n$10\r\n0123456789\r\n"

static const char *path;

static uint64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static int
dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(EX_USAGE, "%s: longer than a socket path can be", path);
	strcpy(address.sun_path, path);
	if (fd == -1 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1)
		err(EX_UNAVAILABLE, "%s", path);
	return fd;
}

static void
say(int fd, const char *text)
{
	size_t len = strlen(text);

	if (write(fd, text, len) != (ssize_t)len)
		err(EX_IOERR, "write");
}

static void
hear(int fd, size_t len)
{
	char bytes[BYTES_MOST];
	ssize_t n;

	while (len > 0) {
		n = read(fd, bytes, len < sizeof(bytes) ? len : sizeof(bytes));
		if (n <= 0)
			err(EX_IOERR, "read");
		len -= (size_t)n;
	}
}

/* A whole line that must begin with this; the number after it. */
static uint64_t
hear_line(int fd, char first)
{
	char line[256];
	size_t len = 0;

	do {
		if (len == sizeof(line) - 1 || read(fd, line + len, 1) != 1)
			err(EX_IOERR, "read");
	} while (line[len++] != '\n');
	line[len] = '\0';
	if (line[0] != first)
		errx(EX_PROTOCOL, "Redis said %s", line);
	return strtoull(line + 1, NULL, 10);
}

static int
subscribed(const char *subscribe)
{
	int fd = dial();

	say(fd, subscribe);
	hear(fd, strlen(SUBSCRIBED));
	return fd;
}

/* In a process of its own. */
static void
node(int ready)
{
	int hears = subscribed(SUBSCRIBE("bench")), says = dial();
	char text[128];

	if (write(ready, "", 1) != 1)
		err(EX_IOERR, "write");
	for (uint64_t i = 0;; i++) {
		hear(hears, strlen(MESSAGE));
		snprintf(text, sizeof(text), PUBLISH("acked"), i);
		say(says, text);
		hear_line(says, ':');
	}
}

static void
start_nodes(unsigned count)
{
	int ready[2];
	char byte;

	if (pipe(ready) == -1)
		err(EX_OSERR, "pipe");
	for (unsigned i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid == -1)
			err(EX_OSERR, "fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			node(ready[1]);
		}
	}
	for (unsigned i = 0; i < count; i++) {
		if (read(ready[0], &byte, 1) != 1)
			err(EX_IOERR, "read");
	}
}

static void
change(int redis, int acks, uint64_t i, unsigned nodes, unsigned replicas)
{
	char text[128];

	say(redis, i % 2 == 0 ? "SET bench:owner old\r\n" : "SET bench:owner new\r\n");
	hear_line(redis, '+');
	if (replicas > 0) {
		snprintf(text, sizeof(text), "WAIT %u 10000\r\n", replicas);
		say(redis, text);
		if (hear_line(redis, ':') < replicas)
			errx(EX_UNAVAILABLE, "not all replicas are there");
	}
	snprintf(text, sizeof(text), PUBLISH("bench"), i);
	say(redis, text);
	if (hear_line(redis, ':') < nodes)
		errx(EX_UNAVAILABLE, "not all nodes are there");
	hear(acks, nodes * strlen(MESSAGE));
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	unsigned nodes = argc == 5 ? (unsigned)atoi(argv[2]) : 0;
	uint64_t changes = argc == 5 ? strtoull(argv[3], NULL, 10) : 0;
	uint64_t *took_us, began_us;
	int redis, acks;

	if (argc != 5 || nodes == 0 || nodes > NODES_MOST || changes == 0) {
		fprintf(stderr, "usage: acks SOCKET NODES CHANGES REPLICAS\n");
		return EX_USAGE;
	}
	path = argv[1];
	took_us = calloc(changes, sizeof(*took_us));
	start_nodes(nodes);
	redis = dial();
	acks = subscribed(SUBSCRIBE("acked"));
	for (uint64_t i = 0; i < changes; i++) {
		began_us = now_us();
		change(redis, acks, i, nodes, (unsigned)atoi(argv[4]));
		took_us[i] = now_us() - began_us;
	}
	qsort(took_us, changes, sizeof(*took_us), by_value);
	printf("{\"changes\": %" PRIu64
	       ", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"most_ms\": %.3f}\n",
	    changes, (double)took_us[(changes - 1) / 2] / 1000,
	    (double)took_us[(changes - 1) * 99 / 100] / 1000, (double)took_us[changes - 1] / 1000);
	free(took_us);
	return 0;
}
