/*
 * scout.h - what a backend announces, before anybody logs in          (driver)
 *
 * Clients are told before the login what all backends can do. So each service is
 * visited at the start and now and then: greeting, TLS, capabilities, and away
 * again, without a login. It also opens the way for a breaker.
 */
#ifndef FRONT_SCOUT_H
#define FRONT_SCOUT_H

#include "front/service.h"

struct scout;
struct server;

enum { SCOUT_EVERY_MS = 600 * 1000, SCOUT_AGAIN_MS = 5000 };

struct scout *scout_new(struct server *server, struct service *service);
void scout_free(struct scout **scout); /* NULL is allowed */

#endif
