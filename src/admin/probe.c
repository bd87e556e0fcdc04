/*
 * probe.c - does it answer, in the words of its protocol?             (driver)
 */
#include "admin/probe.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MOST = 512 };

/* What is said, and what a good answer begins with. The sink speaks first. */
static const struct {
	const char *name, *question;
	const char *good[3];
} dialogues[] = {
    [LISTEN_SOCKETMAP] = {"socketmap", NULL, {"OK ", "NOTFOUND"}},
    [LISTEN_TCP_TABLE] = {"tcp_table", "get *\n", {"200 ", "500 "}},
    [LISTEN_POLICY] = {"policy", "request=smtpd_access_policy\nprotocol_state=RCPT\n\n",
	{"action="}},
    [LISTEN_SINK] = {"sink", "", {"220"}},
};
_Static_assert(ARRAY_LEN(dialogues) == LISTEN_SINK + 1, "a protocol lacks its dialogue");

static int
limit(int fd)
{
	struct timeval limit = {.tv_sec = PROBE_TIMEOUT_MS / 1000};

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == -1 ||
		       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == -1
		   ? -1
		   : 0;
}

static int
connect_unix(const struct endpoint *endpoint)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, endpoint->path, sizeof(address.sun_path));
	if (fd == -1 ||
	    (limit(fd) == 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0))
		return fd;
	close(fd);
	return -1;
}

static int
connect_inet(const struct endpoint *endpoint, struct fault *fault_r)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *at;
	int error = getaddrinfo(endpoint->host, endpoint->port, &hints, &list), fd = -1;

	if (error != 0) {
		fault_set(fault_r, VERDICT_TEMP, "%s: %s", endpoint->host, gai_strerror(error));
		return -1;
	}
	for (at = list; at != NULL && fd == -1; at = at->ai_next) {
		fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd != -1 &&
		    (limit(fd) == -1 || connect(fd, at->ai_addr, at->ai_addrlen) == -1)) {
			if (errno == EINPROGRESS) /* SO_SNDTIMEO has ended it */
				fault_set(fault_r, VERDICT_TEMP,
				    "no answer from this address in %d s", PROBE_TIMEOUT_MS / 1000);
			else
				fault_set_errno(fault_r, VERDICT_TEMP, "%s",
				    endpoint_name(endpoint));
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

int
probe_connect(const struct endpoint *endpoint, struct fault *fault_r)
{
	int fd;

	if (endpoint->kind != ENDPOINT_UNIX)
		return connect_inet(endpoint, fault_r);
	if ((fd = connect_unix(endpoint)) == -1)
		fault_set_errno(fault_r, VERDICT_TEMP, "%s", endpoint->path);
	return fd;
}

/* The answer's text, without the frame of a netstring, whole or cut. */
static int
read_answer(int fd, enum listen_protocol protocol, char *answer, struct fault *fault_r)
{
	size_t len = 0;
	char *text = answer;

	while (len < ANSWER_MOST - 1) {
		ssize_t got = recv(fd, answer + len, ANSWER_MOST - 1 - len, 0);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return errno == EAGAIN
				   ? fault_set(fault_r, VERDICT_TEMP,
					 "takes the connection and says nothing")
				   : fault_set_errno(fault_r, VERDICT_TEMP, "reading the answer");
		if (got == 0)
			return fault_set(fault_r, VERDICT_TEMP,
			    "closes the connection without an answer: see \"allow\", \"users\" and "
			    "its log");
		len += (size_t)got;
		answer[len] = '\0';
		if (protocol != LISTEN_SOCKETMAP ? strchr(answer, '\n') != NULL
						 : answer[len - 1] == ',')
			break;
	}
	if (protocol == LISTEN_SOCKETMAP && (text = strchr(answer, ':')) != NULL)
		memmove(answer, text + 1, strlen(text + 1) + 1);
	answer[strcspn(answer, "\r\n")] = '\0';
	return 0;
}

static int
talk(int fd, enum listen_protocol protocol, const char *map, struct fault *fault_r)
{
	char question[512], answer[ANSWER_MOST] = "";
	const char *said = dialogues[protocol].question;

	if (protocol == LISTEN_SOCKETMAP) {
		snprintf(question, sizeof(question), "%zu:%s *,", strlen(map) + 2, map);
		said = question;
	}
	if (said[0] != '\0' && send(fd, said, strlen(said), MSG_NOSIGNAL) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "asking");
	if (read_answer(fd, protocol, answer, fault_r) == -1)
		return -1;
	for (size_t i = 0; dialogues[protocol].good[i] != NULL; i++) {
		if (str_starts(str_of(answer), dialogues[protocol].good[i]))
			return 0;
	}
	return fault_set(fault_r, VERDICT_TEMP, "does not speak %s: it says %s",
	    dialogues[protocol].name, log_quote_text(answer));
}

int
probe_ask(const struct endpoint *endpoint, enum listen_protocol protocol, const char *map,
    struct fault *fault_r)
{
	int fd = probe_connect(endpoint, fault_r), rc;

	if (fd == -1)
		return -1;
	rc = talk(fd, protocol, map, fault_r);
	close(fd);
	return rc;
}

/* ---- as Postfix */

static int
become(const char *queue_directory, const char *user, bool chrooted, struct fault *fault_r)
{
	struct passwd *entry = getpwnam(user);

	if (entry == NULL)
		return fault_set(fault_r, VERDICT_TEMP, "there is no user %s", user);
	if (initgroups(user, entry->pw_gid) == -1 || chdir(queue_directory) == -1 ||
	    (chrooted && (chroot(".") == -1 || chdir("/") == -1)) || setgid(entry->pw_gid) == -1 ||
	    setuid(entry->pw_uid) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "becoming %s in %s", user,
		    queue_directory);
	return 0;
}

/* The child: what it finds goes through the pipe; nothing is good news. */
static void
ask_and_tell(int pipe_fd, const struct endpoint *endpoint, const char *map,
    const char *queue_directory, const char *user, bool chrooted)
{
	struct fault fault;

	if (become(queue_directory, user, chrooted, &fault) == -1 ||
	    probe_ask(endpoint, LISTEN_SOCKETMAP, map, &fault) == -1) {
		if (write(pipe_fd, fault.text, strlen(fault.text)) == -1)
			_exit(2);
		_exit(1);
	}
	_exit(0);
}

static int
ask_from_here(const struct endpoint *endpoint, const char *map, const char *queue_directory,
    bool chrooted, struct fault *fault_r)
{
	struct endpoint there = *endpoint;
	int len;

	if (endpoint->kind == ENDPOINT_UNIX && (chrooted || endpoint->path[0] != '/')) {
		len = snprintf(there.path, sizeof(there.path), "%s/%s", queue_directory,
		    endpoint->path + (endpoint->path[0] == '/'));
		if (len >= (int)sizeof(there.path))
			return fault_set(fault_r, VERDICT_TEMP, "%s/%s is too long for a socket",
			    queue_directory, endpoint->path);
	}
	return probe_ask(&there, LISTEN_SOCKETMAP, map, fault_r);
}

int
probe_ask_as_postfix(const struct endpoint *endpoint, const char *map, const char *queue_directory,
    const char *user, bool chrooted, struct fault *fault_r)
{
	int fds[2], status = 0;
	ssize_t got;
	pid_t child;

	if (geteuid() != 0)
		return ask_from_here(endpoint, map, queue_directory, chrooted, fault_r);
	if (pipe(fds) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "pipe");
	if ((child = fork()) == 0)
		ask_and_tell(fds[1], endpoint, map, queue_directory, user, chrooted);
	close(fds[1]);
	fault_set(fault_r, VERDICT_TEMP, "nobody could be sent to ask");
	got = child == -1 ? -1 : read(fds[0], fault_r->text, sizeof(fault_r->text) - 1);
	if (got > 0)
		fault_r->text[got] = '\0';
	close(fds[0]);
	if (child == -1 || waitpid(child, &status, 0) == -1)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
