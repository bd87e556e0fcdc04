/*
 * sockets.c - the listening sockets of a master                       (driver)
 */
#include "net/sockets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { TRY_AGAIN_MS = 50 };

static const struct socket *
find_name(const struct sockets *sockets, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(sockets->rows[i].name, name) == 0)
			return &sockets->rows[i];
	}
	return NULL;
}

static const struct socket *
find_serial(const struct sockets *sockets, uint64_t serial)
{
	for (size_t i = 0; i < sockets->count; i++) {
		if (sockets->rows[i].serial == serial)
			return &sockets->rows[i];
	}
	return NULL;
}

/* Somebody removed or replaced its file, so no client finds it any more. */
static bool
is_lost(const struct socket *socket)
{
	struct bind_file file;

	if (!socket->made || strncmp(socket->name, "unix:", 5) != 0)
		return false;
	return !bind_find_file(socket->name, &file) || file.dev != socket->file.dev ||
	       file.ino != socket->file.ino;
}

static int
open_patiently(const struct bind_request *request, uint64_t until_ms, struct bind_file *file_r,
    struct fault *fault_r)
{
	int fd;

	for (;;) {
		fd = bind_open(request, file_r, fault_r);
		if (fd != -1 || fault_r->verdict != VERDICT_TEMP || clock_ms() >= until_ms)
			return fd;
		usleep(TRY_AGAIN_MS * 1000);
	}
}

static int
fill_row(struct socket *row, const struct bind_request *request, const struct sockets *now,
    struct inheritance *inheritance, uint64_t until_ms, struct fault *fault_r)
{
	static uint64_t last_serial;
	const struct socket *open = find_name(now, now->count, row->name);

	if (open != NULL && !is_lost(open)) {
		*row = *open;
		return 0;
	}
	row->serial = ++last_serial;
	row->fd = inheritance_take(inheritance, request->address, &row->made);
	if (row->fd != -1) {
		bind_find_file(request->address, &row->file);
		return 0;
	}
	row->made = true;
	row->fd = open_patiently(request, until_ms, &row->file, fault_r);
	return row->fd == -1 ? -1 : 0;
}

static void
give_up(const struct sockets *now, struct sockets *next)
{
	for (size_t i = 0; i < next->count; i++) {
		struct socket *row = &next->rows[i];

		if (row->fd == -1 || find_serial(now, row->serial) != NULL)
			continue;
		if (row->made)
			bind_remove(row->name, &row->file);
		close(row->fd);
	}
	free(next->rows);
	memset(next, 0, sizeof(*next));
}

int
sockets_prepare(const struct sockets *now, const struct bind_request *requests, size_t count,
    struct inheritance *inheritance, uint64_t patience_ms, sockets_problem_fn *fn, void *ctx,
    struct sockets *next_r)
{
	uint64_t until_ms = clock_ms() + patience_ms;
	struct fault fault;
	int rc = 0;

	*next_r = (struct sockets){.rows = xnew_array(struct socket, count + 1), .count = count};
	for (size_t i = 0; i < count; i++) {
		struct socket *row = &next_r->rows[i];

		row->fd = -1;
		if (bind_check(&requests[i], &fault) == 0) {
			must(bind_name(requests[i].address, row->name));
			if (find_name(next_r, i, row->name) != NULL)
				fault_set(&fault, VERDICT_PERM, "%s is there twice", row->name);
			else if (fill_row(row, &requests[i], now, inheritance, until_ms, &fault) ==
				 0)
				continue;
		}
		rc = -1;
		fn(ctx, requests[i].line, &fault);
	}
	if (rc == -1) {
		give_up(now, next_r);
		return -1;
	}
	for (size_t i = 0; i < count; i++) {
		struct socket *row = &next_r->rows[i];

		if (row->made && find_serial(now, row->serial) != NULL &&
		    bind_adjust(&requests[i], row->fd, &fault) == -1)
			log_warning("socket_unadjusted", "address=%s why=%s",
			    log_quote_text(row->name), log_quote_text(fault.text));
	}
	return 0;
}

void
sockets_commit(struct sockets *now, struct sockets *next)
{
	for (size_t i = 0; i < now->count; i++) {
		struct socket *row = &now->rows[i];

		if (find_serial(next, row->serial) != NULL)
			continue;
		if (row->made)
			bind_remove(row->name, &row->file);
		close(row->fd);
	}
	free(now->rows);
	*now = *next;
	memset(next, 0, sizeof(*next));
}

void
sockets_remove_files(const struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++) {
		if (sockets->rows[i].made)
			bind_remove(sockets->rows[i].name, &sockets->rows[i].file);
	}
}

void
sockets_close(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		close(sockets->rows[i].fd);
	free(sockets->rows);
	memset(sockets, 0, sizeof(*sockets));
}
