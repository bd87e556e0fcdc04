/*
 * front_backend.c - an IMAP server that does next to nothing
 *
 * Behind every proxy of a comparison stands the same backend: it takes any
 * login at once, in each of the forms that proxies use (LOGIN with atoms,
 * quoted strings or literals, AUTHENTICATE PLAIN with and without initial
 * response), knows NOOP, IDLE, LOGOUT, and FETCHes as many bytes as it is asked
 * for. "COUNT name" tells a test how many sessions of this user are open and
 * when the last of them was closed (CLOCK_MONOTONIC, ns), without a login.
 */
#include "front_load.h"
#include "front_wire.h"

#include <ctype.h>
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <uthash.h>

enum { NAME_MOST = 128, TAG_MOST = 64, EVENTS_MOST = 256, PUSH_AT_ONCE = 64 * 1024 };

#define CAPABILITIES "IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN ID IDLE"

struct user {
	char name[NAME_MOST];
	uint64_t open, closed_ns;
	UT_hash_handle hh;
};

struct session {
	struct wire wire;
	struct user *user; /* NULL: not logged in */
	char tag[TAG_MOST]; /* of the command that goes on */
	enum { AT_COMMAND, AT_NAME, AT_PASSWORD, AT_RESPONSE, AT_DONE } at;
	uint64_t push; /* bytes of a literal that are still to be written */
	bool is_leaving;
};

static struct user *users;

static struct user *
user_get(const char *name)
{
	struct user *user;

	HASH_FIND_STR(users, name, user);
	if (user != NULL)
		return user;
	user = calloc(1, sizeof(*user));
	if (user == NULL)
		err(EX_OSERR, "user");
	snprintf(user->name, sizeof(user->name), "%s", name);
	HASH_ADD_STR(users, name, user);
	return user;
}

static void
session_enter(struct session *session, const char *name)
{
	session->user = user_get(name);
	session->user->open++;
	session->at = AT_COMMAND;
	wire_say(&session->wire, "%s OK [CAPABILITY " CAPABILITIES "] Logged in\r\n", session->tag);
}

/* A word of a command: an atom, or a quoted string without a backslash. Ends it; what follows is
 * returned. */
static char *
word_end(char **word)
{
	char *end = *word;

	if (*end == '"') {
		*word = ++end;
		end += strcspn(end, "\"");
	} else {
		end += strcspn(end, " ");
	}
	if (*end == '\0')
		return end;
	*end++ = '\0';
	return end + strspn(end, " ");
}

/* Whether a line ends in a literal's length; asks for it if it is a synchronizing one. */
static bool
has_literal(struct session *session, const char *line)
{
	size_t len = strlen(line);

	if (len < 3 || line[len - 1] != '}')
		return false;
	if (line[len - 2] != '+')
		wire_say(&session->wire, "+ OK\r\n");
	return true;
}

static void
plain(struct session *session, const char *response)
{
	unsigned char text[WIRE_LINE_MOST] = {0};
	size_t len = strlen(response);
	int got = len < sizeof(text)
		      ? EVP_DecodeBlock(text, (const unsigned char *)response, (int)len)
		      : -1;
	const char *name = got > 0 ? memchr(text, '\0', (size_t)got) : NULL;

	session->at = AT_COMMAND;
	if (name == NULL)
		wire_say(&session->wire, "%s BAD Not base64\r\n", session->tag);
	else
		session_enter(session, name + 1);
}

static void
do_login(struct session *session, char *name)
{
	if (name[0] == '{') {
		session->at = has_literal(session, name) ? AT_NAME : AT_COMMAND;
		return;
	}
	if (has_literal(session, word_end(&name))) {
		session->user = user_get(name);
		session->at = AT_PASSWORD;
		return;
	}
	session_enter(session, name);
}

static void
do_authenticate(struct session *session, char *mechanism)
{
	const char *response = word_end(&mechanism);

	if (*response != '\0') {
		plain(session, response);
		return;
	}
	session->at = AT_RESPONSE;
	wire_say(&session->wire, "+ \r\n");
}

static void
session_write(struct session *session)
{
	static const char block[PUSH_AT_ONCE];

	while (session->push > 0 && session->wire.out_len == 0) {
		size_t len = wire_push(&session->wire, block,
		    session->push < sizeof(block) ? (size_t)session->push : sizeof(block));

		if (len == 0)
			return;
		session->push -= len;
		if (session->push == 0)
			wire_say(&session->wire, ")\r\n%s OK Fetched\r\n", session->tag);
	}
}

static void
do_fetch(struct session *session, char *what)
{
	const char *size = strstr(what, "<0.");

	session->push = size != NULL ? strtoull(size + 3, NULL, 10) : 1;
	wire_say(&session->wire, "* 1 FETCH (BODY[]<0> {%" PRIu64 "}\r\n", session->push);
	session_write(session);
}

static void
do_logout(struct session *session, char *nothing)
{
	(void)nothing;
	wire_say(&session->wire, "* BYE\r\n%s OK\r\n", session->tag);
	session->is_leaving = true;
}

static void
do_capability(struct session *session, char *nothing)
{
	(void)nothing;
	wire_say(&session->wire, "* CAPABILITY " CAPABILITIES "\r\n%s OK\r\n", session->tag);
}

static void
do_id(struct session *session, char *fields)
{
	(void)fields;
	wire_say(&session->wire, "* ID NIL\r\n%s OK\r\n", session->tag);
}

static void
do_idle(struct session *session, char *nothing)
{
	(void)nothing;
	session->at = AT_DONE;
	wire_say(&session->wire, "+ idling\r\n");
}

static void
do_count(struct session *session, char *name)
{
	const struct user *user = user_get(name);

	wire_say(&session->wire, "* COUNT %" PRIu64 " %" PRIu64 "\r\n%s OK\r\n", user->open,
	    user->closed_ns, session->tag);
}

static void
do_noop(struct session *session, char *nothing)
{
	(void)nothing;
	wire_say(&session->wire, "%s OK\r\n", session->tag);
}

static const struct {
	const char *word;
	void (*run)(struct session *session, char *rest);
} commands[] = {
    {"NOOP", do_noop},
    {"LOGIN", do_login},
    {"AUTHENTICATE", do_authenticate},
    {"CAPABILITY", do_capability},
    {"ID", do_id},
    {"LOGOUT", do_logout},
    {"FETCH", do_fetch},
    {"IDLE", do_idle},
    {"COUNT", do_count},
};

static void
command(struct session *session, char *line)
{
	char *word = word_end(&line);
	char *rest = word_end(&word);

	snprintf(session->tag, sizeof(session->tag), "%s", line);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcasecmp(word, commands[i].word) == 0) {
			commands[i].run(session, rest);
			return;
		}
	}
	wire_say(&session->wire, "%s BAD Not here\r\n", session->tag);
}

static void
session_line(struct session *session, const char *text)
{
	char line[WIRE_LINE_MOST], *word = line;

	snprintf(line, sizeof(line), "%s", text);
	switch (session->at) {
	case AT_COMMAND:
		command(session, line);
		return;
	case AT_NAME:
		session->at = AT_PASSWORD;
		has_literal(session, word_end(&word));
		session->user = user_get(word);
		return;
	case AT_PASSWORD:
		session_enter(session, session->user->name);
		return;
	case AT_RESPONSE:
		plain(session, line);
		return;
	case AT_DONE:
		session->at = AT_COMMAND;
		wire_say(&session->wire, "%s OK\r\n", session->tag);
		return;
	}
}

static void
session_free(struct session *session)
{
	if (session->user != NULL && session->at != AT_PASSWORD) {
		session->user->open--;
		session->user->closed_ns = now_ns();
	}
	wire_close(&session->wire);
	free(session);
}

static void
session_event(struct session *session)
{
	bool was_ready = session->wire.is_ready;
	const char *line;

	wire_step(&session->wire);
	if (session->wire.is_ready && !was_ready)
		wire_say(&session->wire, "* OK [CAPABILITY " CAPABILITIES "] Ready\r\n");
	session_write(session);
	while (session->push == 0 && !session->is_leaving &&
	       (line = wire_line(&session->wire)) != NULL)
		session_line(session, line);
	if (session->wire.has_ended || (session->is_leaving && session->wire.out_len == 0))
		session_free(session);
}

struct door {
	int fd;
	SSL_CTX *tls;
};

static void
door_event(const struct door *door, int epoll)
{
	int fd;

	while ((fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		struct session *session = calloc(1, sizeof(*session));

		if (session == NULL)
			err(EX_OSERR, "session");
		wire_take(&session->wire, epoll, session, fd, door->tls);
	}
}

int
backend_run(uint16_t port, uint16_t tls_port, SSL_CTX *tls)
{
	struct door doors[2] = {{.fd = wire_listen(port)}, {.fd = -1, .tls = tls}};
	struct epoll_event events[EVENTS_MOST], wanted = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (tls != NULL)
		doors[1].fd = wire_listen(tls_port);
	for (size_t i = 0; i < 2; i++) {
		wanted.data.ptr = &doors[i];
		if (doors[i].fd != -1 &&
		    epoll_ctl(epoll, EPOLL_CTL_ADD, doors[i].fd, &wanted) == -1)
			err(EX_OSERR, "epoll_ctl");
	}
	printf("{\"ready\": true}\n");
	fflush(stdout);
	for (;;) {
		int ready = epoll_wait(epoll, events, EVENTS_MOST, -1);

		for (int i = 0; i < ready; i++) {
			void *owner = events[i].data.ptr;

			if (owner == &doors[0] || owner == &doors[1])
				door_event(owner, epoll);
			else
				session_event(owner);
		}
	}
}
