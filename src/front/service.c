/*
 * service.c - where a destination serves one protocol                 (driver)
 */
#include "front/service.h"

#include "base/mem.h"

#include <stdlib.h>

_Static_assert((int)SERVICE_IMAP == (int)DIALECT_IMAP && (int)SERVICE_POP3 == (int)DIALECT_POP3 &&
		   (int)SERVICE_SUBMISSION == (int)DIALECT_SUBMISSION &&
		   (int)SERVICE_SIEVE == (int)DIALECT_SIEVE,
    "the settings name the dialects in their order");
_Static_assert((int)SERVICE_CALLER_PROXY == (int)CALLER_PROXY &&
		   (int)SERVICE_CALLER_XCLIENT == (int)CALLER_XCLIENT &&
		   (int)SERVICE_CALLER_ID == (int)CALLER_ID &&
		   (int)SERVICE_CALLER_NONE == (int)CALLER_NONE,
    "and the ways to say who is calling");

static int
load_tls(struct service *service, const struct service_settings *row, struct fault *fault_r)
{
	if (row->tls == TLS_MODE_NONE)
		return 0;
	service->tls = tls_context_new_client(row->ca_file, row->cert_file, row->key_file, fault_r);
	if (service->tls == NULL)
		return -1;
	if (!row->verify)
		tls_context_trust_anybody(service->tls);
	if (row->pin_count > 0)
		return tls_context_pin(service->tls, TLS_PINS_BESIDES, row->pins, row->pin_count,
		    fault_r);
	return 0;
}

static int
load_endpoints(struct service *service, const struct service_settings *row, struct fault *fault_r)
{
	service->endpoints = xnew_array(struct endpoint, row->address_count);
	for (; service->endpoint_count < row->address_count; service->endpoint_count++) {
		if (endpoint_parse(row->addresses[service->endpoint_count],
			&service->endpoints[service->endpoint_count], fault_r) == -1)
			return -1;
	}
	return 0;
}

struct service *
service_new(const char *destination, const struct service_settings *row, struct fault *fault_r)
{
	struct service *service = xnew(struct service);

	service->users = 1;
	service->destination = xstrdup(destination);
	service->dialect = (enum dialect_kind)row->protocol;
	service->tls_mode = row->tls;
	service->caller = (enum caller_way)row->caller;
	service->is_safe = row->tls != TLS_MODE_NONE || row->trusted;
	service->server_name = row->server_name ? xstrdup(row->server_name) : NULL;
	service->login = xstrdup(row->login ? row->login : "");
	service->connect_ms = (uint64_t)row->connect_timeout_ms;
	if (load_endpoints(service, row, fault_r) == -1 || load_tls(service, row, fault_r) == -1)
		service_leave(&service);
	return service;
}

struct service *
service_use(struct service *service)
{
	service->users++;
	return service;
}

void
service_leave(struct service **service_ref)
{
	struct service *service = *service_ref;

	if (service == NULL)
		return;
	*service_ref = NULL;
	if (--service->users > 0)
		return;
	tls_context_free(&service->tls);
	offer_free(&service->offer);
	free(service->endpoints);
	free(service->destination);
	free(service->server_name);
	free(service->login);
	free(service);
}

bool
service_learn(struct service *service, const struct offer *offer)
{
	struct offer *copy;

	if (service->offer != NULL && offer_is_same(service->offer, offer))
		return false;
	copy = offer_common(offer, offer); /* with itself: a copy */
	offer_free(&service->offer);
	service->offer = copy;
	return true;
}

void
service_inherit(struct service *service, const struct service *former)
{
	if (former == NULL)
		return;
	service->breaker = former->breaker;
	service->breaker.is_tried = false; /* whoever tries tells the former one */
	service->logins = former->logins;
	service->refused = former->refused;
	service->failed = former->failed;
	service->latency = former->latency;
	if (former->offer != NULL)
		service_learn(service, former->offer);
}
