/*
 * control.h - ask a running process how it is                         (driver)
 *
 * A Unix socket; one JSON object per line in, one JSON object per line out:
 *
 *	{"do":"status"}		{"program":"splitmx-policyd", ...}
 *	{"do":"dance"}		{"error":"there is no command \"dance\": ..."}
 *
 * Who may connect is a matter of the socket's mode. Descriptors for all clients
 * are set aside, so it answers when the process has no other left.
 */
#ifndef NET_CONTROL_H
#define NET_CONTROL_H

#include "base/fault.h"
#include "net/loop.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONTROL_LINE_MOST = 64 * 1024,
	CONTROL_CLIENTS_MOST = 32,
	CONTROL_IDLE_MS = 60000,
	CONTROL_REPLY_MOST = 64 * 1024 * 1024, /* what control_ask() reads */
};

/* An object, the caller's, or NULL with a fault that becomes {"error": text}. */
typedef json_t *control_fn(void *ctx, const json_t *request, struct fault *fault_r);

struct control_command {
	const char *name; /* NULL ends a table */
	control_fn *fn;
};

struct control;

/* fd is lent, and listens. Tables are lent as well; the first row with a name wins. */
struct control *control_new(struct loop *loop, int fd);
void control_add(struct control *control, const struct control_command *commands, void *ctx);
void control_stop_accepting(struct control *control); /* who is here stays */
void control_free(struct control **control);

/*
 * The other side, for commands: blocks, but no longer than timeout_ms. The
 * reply is the caller's. -1 where nobody answers (VERDICT_TEMP), or the answer
 * is an error (VERDICT_PERM, with its text).
 */
int control_ask(const char *path, const json_t *request, uint64_t timeout_ms, json_t **reply_r,
    struct fault *fault_r);

#endif
