/*
 * private.c - a redis-server of our own, where none is configured     (driver)
 *
 * Paths are absolute because redis-server changes to its directory first. The
 * child leaves our session and our descriptors; its log and its append-only
 * file are in state_dir/redis.
 */
#include "map/private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/identity.h"
#include "map/resp.h"
#include "map/server.h"
#include "map/state.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	START_MOST_MS =
	    60000, /* a large append-only file takes seconds to load; its socket a sixth of it */
	LOCK_MOST_MS = 60000,
	POLL_MS = 5,
	START_AGAIN_MS = 2000,
	REPLY_S = 5
};

struct private
{
	char *binary, *dir, *data, *socket, *log, *lock, *head_key;
	const struct settings *settings;
};

/* ---- where everything is */

static char *
binary_find(void)
{
	static const char *const dirs[] = {
	    "/usr/bin", "/usr/local/bin", "/usr/sbin", "/usr/local/sbin"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		char *path = xasprintf("%s/redis-server", dirs[i]);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static void
private_fini(struct private *private)
{
	free(private->binary);
	free(private->dir);
	free(private->data);
	free(private->socket);
	free(private->log);
	free(private->lock);
	free(private->head_key);
}

static int
private_init(struct private *private, const struct settings *settings, struct fault *fault_r)
{
	*private = (struct private){.settings = settings};
	if ((private->binary = binary_find()) == NULL)
		return fault_set(fault_r, VERDICT_TEMP,
		    "neither redis.url nor redis.sentinels is set, and redis-server is not "
		    "installed: install it, or set one of them");
	if (mkdir(settings->state_dir, 0750) == -1 && errno != EEXIST)
		return fault_set_errno(fault_r, VERDICT_TEMP, "state_dir %s", settings->state_dir);
	if ((private->dir = realpath(settings->state_dir, NULL)) == NULL)
		return fault_set_errno(fault_r, VERDICT_TEMP, "state_dir %s", settings->state_dir);
	private->data = xasprintf("%s/redis", private->dir);
	private->socket = xasprintf("%s/redis.sock", private->dir);
	private->log = xasprintf("%s/redis/redis.log", private->dir);
	private->lock = xasprintf("%s/redis.lock", private->dir);
	private->head_key = xasprintf("%s.map", settings->redis.prefix);
	if (strlen(private->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return fault_set(fault_r, VERDICT_TEMP,
		    "state_dir %s is too long for a socket in it", private->dir);
	return 0;
}

/* ---- one question to it, waiting for the answer */

static int
socket_connect(const struct private *private)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = REPLY_S};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), saved;

	memcpy(address.sun_path, private->socket, strlen(private->socket));
	if (fd != -1 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0)
		return fd;
	saved = errno;
	if (fd != -1)
		close(fd);
	errno = saved;
	return -1;
}

/* The reply, the caller's; NULL and *fault_r. */
static struct resp *
command(int fd, const struct str *argv, size_t argc, struct fault *fault_r)
{
	struct resp_reader *reader = resp_reader_new();
	struct buf out = BUF_INIT;
	struct resp *reply = NULL;
	char bytes[4096];
	ssize_t len;
	int rc = 0;

	resp_command(&out, argv, argc);
	if (send(fd, buf_str(&out).ptr, buf_len(&out), MSG_NOSIGNAL) != (ssize_t)buf_len(&out)) {
		fault_set_errno(fault_r, VERDICT_TEMP, "the private redis-server");
		goto out;
	}
	while ((rc = resp_next(reader, &reply, fault_r)) == 0) {
		len = read(fd, bytes, sizeof(bytes));
		if (len <= 0) {
			fault_set(fault_r, VERDICT_TEMP,
			    "the private redis-server does not answer");
			break;
		}
		resp_feed(reader, str_make(bytes, (size_t)len));
	}
out:
	buf_fini(&out);
	resp_reader_free(&reader);
	return reply;
}

/* ---- is there a map in it? */

static int
map_create(const struct private *private, int fd, struct fault *fault_r)
{
	struct identity *identity = identity_open(private->dir);
	char id[HEAD_ID_BYTES], lease_ms[24];
	struct resp *reply;
	int rc = -1;

	if (identity_id(identity)[0] != '\0') {
		fault_set(fault_r, VERDICT_TEMP,
		    "the private Redis in %s is empty, and this host knows map %s: restore it, then look with "
		    "\"splitmx doctor\"; only to begin anew without what it held, remove %s/identity",
		    private->data, identity_id(identity), private->dir);
		identity_close(&identity);
		return -1;
	}
	identity_close(&identity);
	map_id_new(id);
	snprintf(lease_ms, sizeof(lease_ms), "%d", LEASE_DEFAULT_MS);
	struct str argv[] = {STR("HSET"), str_of(private->head_key), STR("id"), str_of(id),
	    STR("epoch"), STR("0"), STR("schema"), STR("1"), STR("lease_ms"), str_of(lease_ms),
	    STR("members"), STR("1")};
	_Static_assert(MAP_SCHEMA == 1, "the schema that is written");
	if ((reply = command(fd, argv, ARRAY_LEN(argv), fault_r)) == NULL)
		return -1;
	if (resp_type(reply) == RESP_INTEGER)
		rc = 0;
	else
		server_error(reply, "HSET", fault_r);
	resp_free(&reply);
	if (rc == 0)
		log_info("map_created", "id=%s where=%s", id, private->data);
	return rc;
}

/* 1 it holds a map, 0 not yet ready, -1 and *fault_r */
static int
map_ensure(const struct private *private, int fd, struct fault *fault_r)
{
	struct str argv[] = {STR("EXISTS"), str_of(private->head_key)};
	struct resp *reply = command(fd, argv, ARRAY_LEN(argv), fault_r);
	int rc = -1;

	if (reply == NULL)
		return -1;
	if (resp_is_error(reply, "LOADING"))
		rc = 0;
	else if (resp_type(reply) != RESP_INTEGER)
		server_error(reply, "EXISTS", fault_r);
	else if (resp_int(reply) == 1 || map_create(private, fd, fault_r) == 0)
		rc = 1;
	resp_free(&reply);
	return rc;
}

/* ---- starting it */

/* In the child, after everything but the standard descriptors is closed: never returns. */
static void
become_redis(const struct private *private)
{
	struct stat st;
	int null = open("/dev/null", O_RDWR);

	if (null == -1 || stat(private->dir, &st) == -1)
		_exit(127);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
	if (geteuid() == 0 && st.st_uid != 0 &&
	    (setgroups(0, NULL) == -1 || setgid(st.st_gid) == -1 || setuid(st.st_uid) == -1))
		_exit(127);
	umask(077);
	if (mkdir(private->data, 0700) == -1 && errno != EEXIST)
		_exit(127);
	execl(private->binary, private->binary, "--port", "0", "--unixsocket", private->socket,
	    "--unixsocketperm", "700", "--dir", private->data, "--logfile", private->log,
	    "--databases", "1", "--save", "", "--appendonly", "yes", "--appendfsync", "always",
	    "--maxmemory-policy", "noeviction", "--client-output-buffer-limit", "pubsub", "256mb",
	    "64mb", "60", "--daemonize", "no", (char *)NULL);
	_exit(127);
}

/* A child of a child that has ended, with none of our descriptors and signal handlers. */
static pid_t
fork_detached(struct fault *fault_r)
{
	pid_t pid = fork();

	if (pid == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "fork");
	if (pid > 0) {
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
		return pid;
	}
	setsid();
	if ((pid = fork()) != 0)
		_exit(pid == -1);
	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	return 0;
}

/* Until it runs and holds a map, or START_MOST_MS have passed. The lock is ours. */
static int
ensure_locked(const struct private *private, struct fault *fault_r)
{
	uint64_t end_ms = clock_ms() + START_MOST_MS;
	bool started = false, loading = false;
	pid_t pid;
	int fd, rc;

	for (;;) {
		fd = socket_connect(private);
		if (fd != -1) {
			rc = map_ensure(private, fd, fault_r);
			close(fd);
			if (rc != 0)
				return rc == 1 ? 0 : -1;
			if (!loading)
				end_ms = clock_ms() + START_MOST_MS;
			loading = true;
		} else if (errno != ENOENT && errno != ECONNREFUSED) {
			/* It may well run: a second one on the same files would destroy them. */
			return fault_set_errno(fault_r, VERDICT_TEMP, "%s", private->socket);
		} else if (!started) {
			if ((pid = fork_detached(fault_r)) == -1)
				return -1;
			if (pid == 0)
				become_redis(private);
			started = true;
			end_ms = clock_ms() + START_MOST_MS / 6; /* to open its socket */
		}
		if (clock_ms() >= end_ms)
			return fault_set(fault_r, VERDICT_TEMP,
			    "the private redis-server did not start: see %s", private->log);
		usleep(POLL_MS * 1000);
	}
}

static int
private_run(const struct settings *settings, uint64_t lock_ms, struct fault *fault_r)
{
	uint64_t end_ms = clock_ms() + lock_ms;
	struct private private;
	int lock = -1, rc = -1;

	if (private_init(&private, settings, fault_r) == -1)
		goto out;
	if ((lock = state_open(private.dir, private.lock, O_RDWR | O_CREAT)) == -1) {
		fault_set_errno(fault_r, VERDICT_TEMP, "%s", private.lock);
		goto out;
	}
	while (flock(lock, LOCK_EX | LOCK_NB) == -1) {
		if (lock_ms == 0 && errno == EWOULDBLOCK) {
			rc = 0; /* whoever holds it is doing the same */
			goto out;
		}
		if (clock_ms() >= end_ms) {
			fault_set_errno(fault_r, VERDICT_TEMP, "%s", private.lock);
			goto out;
		}
		usleep(POLL_MS * 1000);
	}
	rc = ensure_locked(&private, fault_r);
out:
	if (lock != -1)
		close(lock);
	private_fini(&private);
	return rc;
}

int
private_ensure(const struct settings *settings, struct fault *fault_r)
{
	return private_run(settings, LOCK_MOST_MS, fault_r);
}

int
private_start(const struct settings *settings, struct fault *fault_r)
{
	static uint64_t last_ms;
	char *binary = binary_find();
	struct fault fault;
	pid_t pid;

	if (binary == NULL)
		return fault_set(fault_r, VERDICT_TEMP,
		    "neither redis.url nor redis.sentinels is set, and redis-server is not "
		    "installed: install it, or set one of them");
	free(binary);
	if (last_ms != 0 && clock_ms() - last_ms < START_AGAIN_MS)
		return 0;
	last_ms = clock_ms();
	if ((pid = fork_detached(fault_r)) == -1)
		return -1;
	if (pid != 0)
		return 0;
	if (private_run(settings, 0, &fault) == -1)
		log_warning("private_redis", "why=%s", log_quote_text(fault.text));
	_exit(0);
}
