/*
 * server.h - a front worker: its listeners, logins and sessions       (driver)
 */
#ifndef FRONT_SERVER_H
#define FRONT_SERVER_H

#include "base/fault.h"
#include "base/openmetrics.h"
#include "base/settings.h"
#include "map/map.h"
#include "net/loop.h"

#include <jansson.h>

struct server;
struct tls_ticket_root; /* net/tls_tickets.h */

/* Add what only files can show to the settings' problems: certificates, networks. */
void server_check(struct settings *settings);

/*
 * fds[i] listens for settings->frontd.listen[i] and is lent until a reload brings
 * an array without it. settings are lent until the next reload, tickets as long as
 * the server. NULL and *fault_r
 * for what settings make impossible.
 */
struct server *server_new(struct loop *loop, struct map *map, struct tls_ticket_root *tickets,
    const struct settings *settings, const int *fds, struct fault *fault_r);
void server_free(struct server **server); /* everybody is cut off */

/* 0, or -1 and everything stays as it was. Sessions stay in any case. */
int server_reload(struct server *server, const struct settings *settings, const int *fds,
    struct fault *fault_r);

/* Nobody is let in; fn is called once, when the last session has ended by itself. */
typedef void server_drained_fn(void *ctx);
void server_drain(struct server *server, server_drained_fn *fn, void *ctx);

json_t *server_status(const struct server *server); /* the caller's */
void server_numbers(const struct server *server, struct openmetrics *text);
json_t *server_sessions(const struct server *server, const json_t *filter); /* the same */

/* End, gently, all sessions of the account or with this id; how many. */
size_t server_kick(struct server *server, const char *account, const char *session);

#endif
