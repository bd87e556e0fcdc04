/*
 * service.h - where a destination serves one protocol                 (driver)
 *
 * Made from a row of destinations.services. Counted by whoever uses it: a reload
 * makes all anew, which inherit what was known, and the old ones go with the last
 * login that still points there.
 */
#ifndef FRONT_SERVICE_H
#define FRONT_SERVICE_H

#include "base/fault.h"
#include "base/settings.h"
#include "front/breaker.h"
#include "front/caller.h"
#include "front/latency.h"
#include "front/offer.h"
#include "front/words.h"
#include "net/endpoint.h"
#include "net/tls.h"
#include "rules/template.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service {
	unsigned users;
	char *destination;
	enum dialect_kind dialect;
	struct endpoint *endpoints;
	size_t endpoint_count;
	enum tls_mode tls_mode;
	struct tls_context *tls; /* NULL where tls_mode is none */
	char *server_name; /* NULL: the endpoint's host */
	enum caller_way caller;
	bool is_safe; /* secrets may be sent there */
	char *login; /* template of the name to present; "" = as it came */
	uint64_t connect_ms;
	struct breaker breaker;
	struct offer *offer; /* what it announced last; NULL: nobody was there yet */
	uint64_t logins, refused, failed;
	struct latency latency;
};

/* NULL and *fault_r for what only opening files can show. */
struct service *service_new(const char *destination, const struct service_settings *row,
    struct fault *fault_r);
struct service *service_use(struct service *service);
void service_leave(struct service **service); /* NULL is allowed */

/* A reload: what the former service (NULL: there was none) has learned and counted goes on. */
void service_inherit(struct service *service, const struct service *former);

/* What this backend was seen to announce takes the place of what was known; copied. False: it was
 * known. */
bool service_learn(struct service *service, const struct offer *offer);

#endif
