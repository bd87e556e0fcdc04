/*
 * inherit.c - listening sockets from whoever started us               (driver)
 */
#include "net/inherit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

enum { FIRST_FD = 3, FDS_MOST = 4096 };

static const char made_name[] = "splitmx-made";

/* A number in the environment, 0 where there is none in range. */
static uint64_t
env_number(const char *name, uint64_t most)
{
	const char *text = getenv(name);
	uint64_t number = 0;

	if (text != NULL)
		str_number(str_of(text), most, &number);
	return number;
}

/* The next word of "a:b:c", and what is left; names may be missing. */
static struct str
next_name(struct str *names)
{
	size_t len = str_find(*names, ':');
	struct str name = str_make(names->ptr, len);

	*names = str_from(*names, len < names->len ? len + 1 : len);
	return name;
}

static bool
adopt(struct inherited *socket, int fd, struct str name)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return false;
	if (!bind_name_of(fd, socket->name)) {
		log_warning("socket_refused", "fd=%d name=%s why=%s", fd, log_quote(name),
		    log_quote_text("not a listening stream socket"));
		close(fd);
		return false;
	}
	socket->fd = fd;
	socket->made = str_is(name, made_name) && bind_find_file(socket->name, &socket->file);
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1 && fcntl(fd, F_SETFD, FD_CLOEXEC) != -1;
}

void
inheritance_init(struct inheritance *inheritance)
{
	uint64_t count = env_number("LISTEN_FDS", FDS_MOST);
	const char *names_text = getenv("LISTEN_FDNAMES");
	struct str names = names_text != NULL ? str_of(names_text) : STR("");

	memset(inheritance, 0, sizeof(*inheritance));
	if (env_number("LISTEN_PID", INT32_MAX) != (uint64_t)getpid())
		count = 0;
	if (count > 0)
		inheritance->sockets = xnew_array(struct inherited, count);
	for (uint64_t i = 0; i < count; i++) {
		if (adopt(&inheritance->sockets[inheritance->count], FIRST_FD + (int)i,
			next_name(&names)))
			inheritance->count++;
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

void
inheritance_settle(struct inheritance *inheritance)
{
	for (size_t i = 0; i < inheritance->count; i++) {
		struct inherited *socket = &inheritance->sockets[i];

		if (socket->fd == -1)
			continue;
		log_warning("socket_unused", "address=%s why=%s", log_quote_text(socket->name),
		    log_quote_text("no listener in the settings has this address"));
		if (socket->made)
			bind_remove(socket->name, &socket->file);
	}
	inheritance_fini(inheritance);
}

void
inheritance_fini(struct inheritance *inheritance)
{
	for (size_t i = 0; i < inheritance->count; i++) {
		if (inheritance->sockets[i].fd != -1)
			close(inheritance->sockets[i].fd);
	}
	free(inheritance->sockets);
	memset(inheritance, 0, sizeof(*inheritance));
}

int
inheritance_take(struct inheritance *inheritance, const char *address, bool *made_r)
{
	char name[BIND_NAME_BYTES];

	if (!bind_name(address, name))
		return -1;
	for (size_t i = 0; i < inheritance->count; i++) {
		struct inherited *socket = &inheritance->sockets[i];
		int fd = socket->fd;

		if (fd == -1 || strcmp(socket->name, name) != 0)
			continue;
		socket->fd = -1;
		*made_r = socket->made;
		return fd;
	}
	return -1;
}

/* Away from the numbers that the sockets will get. */
static int
move_up(int fd, int least)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, least);

	must(up != -1);
	return up;
}

int
inheritance_give(const int *fds, const bool *made, size_t count, int keep)
{
	int free_fd = FIRST_FD + (int)count + 1; /* one more for keep */
	int *moved = xnew_array(int, count + 1);
	struct buf names = BUF_INIT;
	char number[24];

	for (size_t i = 0; i < count; i++) {
		moved[i] = move_up(fds[i], free_fd);
		buf_addf(&names, "%s%s", i > 0 ? ":" : "", made[i] ? made_name : "systemd");
	}
	moved[count] = move_up(keep, free_fd);
	for (size_t i = 0; i <= count; i++)
		must(dup2(moved[i], FIRST_FD + (int)i) != -1); /* without close-on-exec */
	snprintf(number, sizeof(number), "%ld", (long)getpid());
	setenv("LISTEN_PID", number, 1);
	snprintf(number, sizeof(number), "%zu", count);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", buf_cstr(&names), 1);
	buf_fini(&names);
	free(moved);
	return FIRST_FD + (int)count;
}
