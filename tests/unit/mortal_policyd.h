/*
 * mortal_policyd.h - a policyd in threads that goes away and comes back
 *
 * It knows everybody as ann@x.org, but for addresses that begin with "gone", and
 * keeps every report. policyd_come() and policyd_go() are for one thread; whoever
 * has a connection when it goes finds it closed, as one does when it is killed.
 */
#ifndef TESTS_MORTAL_POLICYD_H
#define TESTS_MORTAL_POLICYD_H

#include "net/netstring.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

enum { PEERS_MOST = 256 }; /* many more than a milter may have at a time */

static struct {
	const char *path;
	int listener;
	pthread_t thread, peers[PEERS_MOST];
	int fds[PEERS_MOST];
	size_t count;
} policyd;

static int
listen_at(const char *where)
{
	struct sockaddr_un place = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(place.sun_path, where, strlen(where));
	assert_int_equal(bind(fd, (const struct sockaddr *)&place, sizeof(place)), 0);
	assert_int_equal(listen(fd, 512), 0);
	return fd;
}

static void
policyd_answer(int fd, struct str question)
{
	static const char found[] =
	    "OK {\"verdict\":\"found\",\"account\":\"ann@x.org\",\"owner\":"
	    "\"new\",\"hold\":\"none\",\"unknown\":%s,\"epoch\":7,\"kept\":1}";
	struct buf text = BUF_INIT, out = BUF_INIT;
	ssize_t ignored;

	buf_addf(&text, found, str_starts(question, "=ask gone") ? "true" : "false");
	netstring_add(&out, buf_str(&text));
	ignored = send(fd, buf_str(&out).ptr, buf_len(&out), MSG_NOSIGNAL);
	(void)ignored;
	buf_fini(&text);
	buf_fini(&out);
}

static void *
policyd_serve_one(void *arg)
{
	int fd = *(int *)arg;
	struct buf in = BUF_INIT;
	struct str question;
	struct fault fault;
	ssize_t got;

	while ((got = recv(fd, buf_room(&in, 4096), 4096, 0)) > 0) {
		buf_added(&in, (size_t)got);
		while (netstring_next(&in, NETSTRING_CEILING_BYTES, &question, &fault) == 1)
			policyd_answer(fd, question);
	}
	buf_fini(&in);
	return NULL;
}

static void *
policyd_serve(void *arg)
{
	int fd;

	while ((fd = accept(policyd.listener, NULL, NULL)) != -1) {
		must(policyd.count < PEERS_MOST);
		policyd.fds[policyd.count] = fd;
		must(pthread_create(&policyd.peers[policyd.count], NULL, policyd_serve_one,
			 &policyd.fds[policyd.count]) == 0);
		policyd.count++;
	}
	return NULL;
}

static void
policyd_come(void)
{
	policyd.listener = listen_at(policyd.path);
	policyd.count = 0;
	assert_int_equal(pthread_create(&policyd.thread, NULL, policyd_serve, NULL), 0);
}

/* The descriptors are closed at the end: nobody else gets their numbers before. */
static void
policyd_go(void)
{
	unlink(policyd.path);
	shutdown(policyd.listener, SHUT_RDWR);
	pthread_join(policyd.thread, NULL);
	close(policyd.listener);
	for (size_t i = 0; i < policyd.count; i++)
		shutdown(policyd.fds[i], SHUT_RDWR);
	for (size_t i = 0; i < policyd.count; i++) {
		pthread_join(policyd.peers[i], NULL);
		close(policyd.fds[i]);
	}
}

#endif
