/*
 * resolve.c - the addresses of a host                                 (driver)
 */
#include "net/resolve.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/loop_inside.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct resolve {
	struct loop *loop;
	resolve_fn *fn; /* NULL: cancelled */
	void *ctx;
	struct timer *timer; /* carries the answer out of the call that made it */
	struct evdns_getaddrinfo_request *request;
	size_t count;
	struct address addresses[RESOLVE_MOST];
	struct fault fault;
};

static void
resolve_free(void *object)
{
	struct resolve *resolve = object;

	timer_free(&resolve->timer);
	free(resolve);
}

static void
say_answer(void *ctx)
{
	struct resolve *resolve = ctx;

	if (resolve->fn != NULL)
		resolve->fn(resolve->ctx, resolve->addresses, resolve->count, &resolve->fault);
	loop_bury(resolve->loop, resolve, resolve_free);
}

/* Called by evdns, also for what was cancelled, and sometimes from inside evdns_getaddrinfo(). */
static void
take_answer(int rc, struct evutil_addrinfo *list, void *arg)
{
	struct resolve *resolve = arg;

	resolve->request = NULL;
	for (struct evutil_addrinfo *ai = list; ai != NULL && resolve->count < RESOLVE_MOST;
	     ai = ai->ai_next) {
		struct address *address = &resolve->addresses[resolve->count];

		if (ai->ai_addrlen > sizeof(address->sockaddr))
			continue;
		memcpy(&address->sockaddr, ai->ai_addr, ai->ai_addrlen);
		address->len = (socklen_t)ai->ai_addrlen;
		resolve->count++;
	}
	if (list != NULL)
		evutil_freeaddrinfo(list);
	if (rc != 0)
		fault_set(&resolve->fault, VERDICT_TEMP, "cannot find the address: %s",
		    evutil_gai_strerror(rc));
	else if (resolve->count == 0)
		fault_set(&resolve->fault, VERDICT_TEMP, "cannot find the address: it has none");
	if (resolve->fn == NULL)
		loop_bury(resolve->loop, resolve, resolve_free);
	else
		timer_start(resolve->timer, 0);
}

bool
resolve_numbers(const char *host, const char *port, struct address *address_r)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)&address_r->sockaddr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address_r->sockaddr;
	uint64_t number;

	if (!str_number(str_of(port), UINT16_MAX, &number))
		return false;
	memset(address_r, 0, sizeof(*address_r));
	if (inet_pton(AF_INET, host, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)number);
		address_r->len = sizeof(*in4);
		return true;
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)number);
		address_r->len = sizeof(*in6);
		return true;
	}
	return false;
}

struct resolve *
resolve_start(struct loop *loop, const char *host, const char *port, resolve_fn *fn, void *ctx)
{
	struct resolve *resolve = xnew(struct resolve);
	struct evutil_addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_protocol = IPPROTO_TCP,
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	};
	struct evutil_addrinfo *list = NULL;
	int rc;

	resolve->loop = loop;
	resolve->fn = fn;
	resolve->ctx = ctx;
	resolve->timer = timer_new(loop, say_answer, resolve);
	if (strcmp(host, "localhost") == 0)
		hints.ai_flags = AI_NUMERICSERV; /* RFC 6761, section 6.3: stays on this host */
	rc = getaddrinfo(host, port, &hints, &list);
	if (rc != EAI_NONAME || hints.ai_flags == AI_NUMERICSERV) {
		take_answer(rc, list, resolve);
		resolve->fault.is_ours = rc != 0; /* nobody else was asked */
		return resolve;
	}
	hints.ai_flags = EVUTIL_AI_ADDRCONFIG | AI_NUMERICSERV;
	resolve->request =
	    evdns_getaddrinfo(loop_dns(loop), host, port, &hints, take_answer, resolve);
	return resolve;
}

void
resolve_cancel(struct resolve **resolve_ref)
{
	struct resolve *resolve = *resolve_ref;

	if (resolve == NULL)
		return;
	*resolve_ref = NULL;
	resolve->fn = NULL;
	if (resolve->request != NULL) {
		evdns_getaddrinfo_cancel(resolve->request); /* take_answer() buries it */
		return;
	}
	timer_free(&resolve->timer);
	loop_bury(resolve->loop, resolve, resolve_free);
}
