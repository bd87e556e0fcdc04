/*
 * ping.c - one question at a time, many times, and how long each took
 *
 * Both ends of a lookup benchmark over a Unix socket. As `ping echo SOCKET` it
 * is the floor: the least that a server can do with epoll, read and write. As
 * `ping ask ...` it keeps one request in flight on each of its connections and
 * prints one JSON line: rate and percentiles. Servers are compared by asking
 * each in turn with the same requests; see tests/bench/lookup.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { BYTES_MOST = 4096, CONNS_MOST = 1024, EVENTS_MOST = 64 };

struct peer {
	int fd;
	uint64_t sent_ns;
	size_t got;
	char in[BYTES_MOST];
};

struct plan {
	const char *socket, *form, *map;
	uint64_t names, requests, seed, first;
	int conns;
	bool in_turn; /* names one after the other instead of at random */
};

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct sockaddr_un
address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		errx(EX_USAGE, "%s: longer than a socket path can be", path);
	strcpy(address.sun_path, path);
	return address;
}

static void
watch(int epoll, int fd, void *ptr)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = ptr};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		err(EX_OSERR, "epoll_ctl");
}

static int
echo(const char *path)
{
	struct sockaddr_un address = address_of(path);
	struct epoll_event events[EVENTS_MOST];
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), epoll = epoll_create1(0);
	char bytes[BYTES_MOST];

	unlink(path);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) == -1 ||
	    listen(listener, 512) == -1)
		err(EX_OSERR, "%s", path);
	watch(epoll, listener, NULL);
	for (;;) {
		int ready = epoll_wait(epoll, events, EVENTS_MOST, -1);

		for (int i = 0; i < ready; i++) {
			int *fd = events[i].data.ptr;
			ssize_t len;

			if (fd == NULL) {
				fd = malloc(sizeof(*fd));
				*fd = accept(listener, NULL, NULL);
				watch(epoll, *fd, fd);
			} else if ((len = read(*fd, bytes, sizeof(bytes))) <= 0) {
				close(*fd);
				free(fd);
			} else if (write(*fd, bytes, (size_t)len) != len) {
				err(EX_IOERR, "write");
			}
		}
	}
}

/* xorshift64: the same names in the same order for every server that is compared. */
static uint64_t
next_name(struct plan *plan)
{
	if (plan->in_turn)
		return plan->first + plan->seed++ % plan->names;
	plan->seed ^= plan->seed << 13;
	plan->seed ^= plan->seed >> 7;
	plan->seed ^= plan->seed << 17;
	return plan->first + plan->seed % plan->names;
}

static size_t
write_request(struct plan *plan, char *out)
{
	char key[256];
	int len;

	if (strcmp(plan->form, "get") == 0) {
		len = snprintf(key, sizeof(key), "splitmx:owner:user%09" PRIu64 "@example.org",
		    next_name(plan));
		return (size_t)snprintf(out, BYTES_MOST, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len,
		    key);
	}
	len = snprintf(key, sizeof(key), "%s user%09" PRIu64 "@example.org", plan->map,
	    next_name(plan));
	return (size_t)snprintf(out, BYTES_MOST, "%d:%s,", len, key);
}

/* A whole reply? All three (netstring, echoed netstring, bulk string) end in a known way. */
static bool
is_whole(const struct plan *plan, const struct peer *peer)
{
	unsigned long len;
	char *end;

	if (strcmp(plan->form, "get") == 0)
		return peer->got >= 4 && memcmp(peer->in + peer->got - 2, "\r\n", 2) == 0 &&
		       (peer->in[1] == '-' || memchr(peer->in, '\n', peer->got - 1) != NULL);
	if (memchr(peer->in, ':', peer->got) == NULL)
		return false;
	len = strtoul(peer->in, &end, 10);
	return peer->got >= (size_t)(end - peer->in) + 1 + len + 1;
}

static bool
is_found(const struct plan *plan, const struct peer *peer)
{
	const char *colon;

	if (strcmp(plan->form, "get") == 0)
		return peer->in[1] != '-';
	colon = memchr(peer->in, ':', peer->got);
	return strcmp(plan->form, "echo") == 0 || memcmp(colon + 1, "OK ", 3) == 0;
}

static void
send_one(struct plan *plan, struct peer *peer)
{
	char request[BYTES_MOST];
	size_t len = write_request(plan, request);

	peer->got = 0;
	peer->sent_ns = now_ns();
	if (write(peer->fd, request, len) != (ssize_t)len)
		err(EX_IOERR, "write");
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double
percentile_us(const uint64_t *took_ns, uint64_t count, double part)
{
	uint64_t at = (uint64_t)((double)count * part);

	return (double)took_ns[at < count ? at : count - 1] / 1000.0;
}

static void
print_result(const struct plan *plan, uint64_t *took_ns, uint64_t found, uint64_t elapsed_ns)
{
	qsort(took_ns, plan->requests, sizeof(*took_ns), by_value);
	printf("{\"form\": \"%s\", \"conns\": %d, \"requests\": %" PRIu64 ", \"found\": %" PRIu64
	       ", \"per_second\": %.0f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f}\n",
	    plan->form, plan->conns, plan->requests, found,
	    (double)plan->requests * 1e9 / (double)elapsed_ns,
	    percentile_us(took_ns, plan->requests, 0.50),
	    percentile_us(took_ns, plan->requests, 0.99),
	    percentile_us(took_ns, plan->requests, 0.999));
}

static void
connect_all(const struct plan *plan, int epoll, struct peer *peers)
{
	struct sockaddr_un address = address_of(plan->socket);

	for (int i = 0; i < plan->conns; i++) {
		peers[i].fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(peers[i].fd, (struct sockaddr *)&address, sizeof(address)) == -1)
			err(EX_UNAVAILABLE, "%s", plan->socket);
		watch(epoll, peers[i].fd, &peers[i]);
	}
}

static int
ask(struct plan *plan)
{
	struct peer *peers = calloc((size_t)plan->conns, sizeof(*peers));
	uint64_t *took_ns = calloc(plan->requests, sizeof(*took_ns));
	uint64_t sent = 0, done = 0, found = 0, start_ns;
	struct epoll_event events[EVENTS_MOST];
	int epoll = epoll_create1(0);

	connect_all(plan, epoll, peers);
	start_ns = now_ns();
	for (int i = 0; i < plan->conns && sent < plan->requests; i++, sent++)
		send_one(plan, &peers[i]);
	while (done < plan->requests) {
		int ready = epoll_wait(epoll, events, EVENTS_MOST, 10000);

		if (ready <= 0)
			errx(EX_TEMPFAIL, "no answer for 10 s after %" PRIu64 " answers", done);
		for (int i = 0; i < ready; i++) {
			struct peer *peer = events[i].data.ptr;
			ssize_t len =
			    read(peer->fd, peer->in + peer->got, BYTES_MOST - 1 - peer->got);

			if (len <= 0)
				errx(EX_IOERR, "connection closed after %" PRIu64 " answers", done);
			peer->got += (size_t)len;
			peer->in[peer->got] = '\0';
			if (!is_whole(plan, peer))
				continue;
			took_ns[done++] = now_ns() - peer->sent_ns;
			found += is_found(plan, peer);
			if (sent < plan->requests) {
				send_one(plan, peer);
				sent++;
			}
		}
	}
	print_result(plan, took_ns, found, now_ns() - start_ns);
	free(took_ns);
	free(peers);
	return 0;
}

static void
usage(void)
{
	fprintf(stderr,
	    "usage: ping echo SOCKET\n"
	    "       ping ask -s SOCKET [-f echo|socketmap|get] [-m MAP] [-n NAMES] [-b FIRST]\n"
	    "                [-r REQUESTS] [-c CONNECTIONS] [-t (in turn)] [-S SEED]\n");
	exit(EX_USAGE);
}

int
main(int argc, char **argv)
{
	struct plan plan = {.form = "socketmap",
	    .map = "transport",
	    .names = 1000,
	    .requests = 10000,
	    .conns = 1,
	    .seed = 88172645463325252u};
	int option;

	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		return echo(argv[2]);
	if (argc < 2 || strcmp(argv[1], "ask") != 0)
		usage();
	argv++, argc--;
	while ((option = getopt(argc, argv, "s:f:m:n:b:r:c:tS:")) != -1) {
		switch (option) {
		/* clang-format off */
		case 's': plan.socket = optarg; break;
		case 'f': plan.form = optarg; break;
		case 'm': plan.map = optarg; break;
		case 'n': plan.names = strtoull(optarg, NULL, 10); break;
		case 'b': plan.first = strtoull(optarg, NULL, 10); break;
		case 'r': plan.requests = strtoull(optarg, NULL, 10); break;
		case 'c': plan.conns = atoi(optarg); break;
		case 't': plan.in_turn = true; plan.seed = 0; break;
		case 'S': plan.seed = strtoull(optarg, NULL, 10); break;
		default: usage();
			/* clang-format on */
		}
	}
	if (plan.socket == NULL || plan.names == 0 || plan.requests == 0 || plan.conns < 1 ||
	    plan.conns > CONNS_MOST)
		usage();
	return ask(&plan);
}
