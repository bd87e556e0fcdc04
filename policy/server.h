/*
 * server.h - policyd's listeners and connections                      (driver)
 */
#ifndef POLICY_SERVER_H
#define POLICY_SERVER_H

#include "base/openmetrics.h"
#include "base/settings.h"
#include "net/loop.h"
#include "rules/ask.h"

#include <jansson.h>

struct counter;
struct server;

/* What only looking things up can show: users that there are not. Says every problem. */
void server_check(struct settings *settings);

/*
 * Serves from the next turn on. fds[i] listens for policyd.listen[i] and is
 * lent; loop and asker outlive the server. NULL with a fault.
 */
struct server *server_new(struct loop *loop, struct asker *asker, const struct settings *settings,
    const int *fds, struct fault *fault_r);

/* Who is told of arrivals; before the first turn. It outlives the server. */
void server_set_counter(struct server *server, struct counter *counter);

/* Ends every connection at once. */
void server_free(struct server **server);

/*
 * New rows: a listener that is still there has its former descriptor, and its
 * connections go on with what the row says now. -1, and nothing has changed.
 */
int server_reload(struct server *server, const struct settings *settings, const int *fds,
    struct fault *fault_r);

/*
 * Take in who already waits, answer what was asked, send away who asks nothing;
 * then call fn, once.
 */
typedef void server_drained_fn(void *ctx);
void server_drain(struct server *server, server_drained_fn *fn, void *ctx);

/* Connections and answers, in numbers. */
void server_numbers(const struct server *server, struct openmetrics *text);

/* "listeners", "connections", "answers": a new object, the caller's. */
json_t *server_status(const struct server *server);

#endif
