/*
 * metrics.c - answer whoever collects numbers                         (driver)
 *
 * libevent's server (2.1) has no limit of connections, and its timeout begins
 * anew with every byte. So each connection has a place here, from accept() to its
 * end or METRICS_LIFE_MS, whichever comes first, and nobody is let in while all
 * places are taken. Of a connection that says nothing we are not told the end:
 * we hold a reference of our own to it, which keeps its descriptor from being
 * somebody else's before we let go.
 */
#include "net/metrics.h"

#include "base/mem.h"
#include "base/openmetrics.h"
#include "net/loop_inside.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

enum { REST_MS = 100 }; /* after the kernel had nothing left */

struct place {
	struct metrics *metrics;
	struct bufferevent *bev; /* NULL: free */
	struct timer *deadline;
};

struct metrics {
	LIST_ENTRY(metrics) entry;
	struct loop *loop;
	struct evhttp *http;
	struct evconnlistener *listener; /* evhttp's */
	struct timer *rest;
	metrics_fn *fn;
	void *ctx;
	size_t taken;
	struct place places[METRICS_CLIENTS_MOST];
};

/* A listener has one pointer for its owner, which evhttp takes for itself. */
static LIST_HEAD(, metrics) all = LIST_HEAD_INITIALIZER(all);

/* ---- places */

static void
let_in(struct metrics *metrics)
{
	if (metrics->taken < METRICS_CLIENTS_MOST && !timer_is_running(metrics->rest))
		evconnlistener_enable(metrics->listener);
	else
		evconnlistener_disable(metrics->listener);
}

static void
place_leave(struct place *place)
{
	struct metrics *metrics = place->metrics;

	if (place->bev == NULL)
		return;
	timer_stop(place->deadline);
	bufferevent_decref(place->bev);
	place->bev = NULL;
	metrics->taken--;
	let_in(metrics);
}

/* Its server reads the end of file and frees it; or has done so, and nothing happens. */
static void
on_deadline(void *ctx)
{
	struct place *place = ctx;

	shutdown(bufferevent_getfd(place->bev), SHUT_RDWR);
	place_leave(place);
}

static struct place *
place_of(struct metrics *metrics, const struct bufferevent *bev)
{
	size_t i = 0;

	while (i < METRICS_CLIENTS_MOST && metrics->places[i].bev != bev)
		i++;
	return i < METRICS_CLIENTS_MOST ? &metrics->places[i] : NULL;
}

/* Somebody was accepted: the connection that it is to have. */
static struct bufferevent *
on_accept(struct event_base *base, void *ctx)
{
	struct metrics *metrics = ctx;
	struct place *place = place_of(metrics, NULL);
	struct bufferevent *bev;

	if (place == NULL)
		return NULL; /* the listener accepts no more when it is disabled, so this is nobody
			      */
	bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	must(bev != NULL);
	bufferevent_incref(bev);
	place->bev = bev;
	timer_start(place->deadline, METRICS_LIFE_MS);
	metrics->taken++;
	let_in(metrics);
	return bev;
}

/* No descriptors, no memory: whoever waits goes on waiting, and we do not spin. */
static void
on_trouble(struct evconnlistener *listener, void *http)
{
	struct metrics *metrics;

	LIST_FOREACH (metrics, &all, entry)
		if (metrics->listener == listener)
			break;
	must(metrics != NULL);
	timer_start(metrics->rest, REST_MS);
	let_in(metrics);
}

static void
on_rest(void *ctx)
{
	let_in(ctx);
}

static void
on_close(struct evhttp_connection *connection, void *ctx)
{
	struct metrics *metrics = ctx;
	struct place *place = place_of(metrics, evhttp_connection_get_bufferevent(connection));

	if (place != NULL)
		place_leave(place);
}

/* ---- requests */

static void
header(struct evhttp_request *request, const char *name, const char *value)
{
	must(evhttp_add_header(evhttp_request_get_output_headers(request), name, value) == 0);
}

static void
refuse(struct evhttp_request *request, int code, const char *reason)
{
	header(request, "Content-Type", "text/plain; charset=utf-8");
	evhttp_send_reply(request, code, reason, NULL);
}

static void
give_back(const void *bytes, size_t len, void *ctx)
{
	struct buf *text = ctx;

	buf_fini(text);
	free(text);
}

static void
answer(struct metrics *metrics, struct evhttp_request *request)
{
	struct buf *text = xnew(struct buf);
	struct evbuffer *body;
	struct str bytes;

	buf_init(text, METRICS_TEXT_MOST);
	metrics->fn(metrics->ctx, text);
	bytes = buf_str(text);
	if (text->failed || bytes.len == 0) {
		give_back(NULL, 0, text);
		refuse(request, HTTP_INTERNAL, "Too Many Numbers");
		return;
	}
	body = evbuffer_new();
	must(body != NULL);
	must(evbuffer_add_reference(body, bytes.ptr, bytes.len, give_back, text) == 0);
	header(request, "Content-Type", OPENMETRICS_TYPE);
	evhttp_send_reply(request, HTTP_OK, "OK", body);
	evbuffer_free(body);
}

static void
on_request(struct evhttp_request *request, void *ctx)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));

	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_close, ctx);
	header(request, "Connection", "close");
	if (path == NULL || strcmp(path, "/metrics") != 0) {
		refuse(request, HTTP_NOTFOUND, "Not Found");
	} else if (evhttp_request_get_command(request) != EVHTTP_REQ_GET) {
		header(request, "Allow", "GET");
		refuse(request, HTTP_BADMETHOD, "Method Not Allowed");
	} else {
		answer(ctx, request);
	}
}

/* ---- life */

static struct evhttp *
server_new(struct metrics *metrics)
{
	static const struct timeval life = {
	    .tv_sec = METRICS_LIFE_MS / 1000, .tv_usec = METRICS_LIFE_MS % 1000 * 1000};
	struct evhttp *http = evhttp_new(loop_base(metrics->loop));

	must(http != NULL);
	evhttp_set_max_headers_size(http, METRICS_HEAD_MOST);
	evhttp_set_max_body_size(http, 0);
	evhttp_set_timeout_tv(http, &life);
	evhttp_set_allowed_methods(http,
	    EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
		EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT |
		EVHTTP_REQ_PATCH); /* to be told 405; evhttp says 501 */
	evhttp_set_bevcb(http, on_accept, metrics);
	evhttp_set_gencb(http, on_request, metrics);
	return http;
}

struct metrics *
metrics_new(struct loop *loop, int fd, metrics_fn *fn, void *ctx)
{
	struct metrics *metrics = xnew(struct metrics);

	metrics->loop = loop;
	metrics->fn = fn;
	metrics->ctx = ctx;
	for (size_t i = 0; i < METRICS_CLIENTS_MOST; i++) {
		metrics->places[i].metrics = metrics;
		metrics->places[i].deadline = timer_new(loop, on_deadline, &metrics->places[i]);
	}
	metrics->rest = timer_new(loop, on_rest, metrics);
	metrics->http = server_new(metrics);
	/* Without LEV_OPT_CLOSE_ON_FREE, because fd is lent; 0: it listens already. */
	metrics->listener =
	    evconnlistener_new(loop_base(loop), NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	must(metrics->listener != NULL);
	must(evhttp_bind_listener(metrics->http, metrics->listener) != NULL);
	evconnlistener_set_error_cb(metrics->listener, on_trouble);
	LIST_INSERT_HEAD(&all, metrics, entry);
	return metrics;
}

void
metrics_free(struct metrics **metrics_ref)
{
	struct metrics *metrics = *metrics_ref;

	if (metrics == NULL)
		return;
	*metrics_ref = NULL;
	for (size_t i = 0; i < METRICS_CLIENTS_MOST; i++) {
		place_leave(&metrics->places[i]);
		timer_free(&metrics->places[i].deadline);
	}
	evhttp_free(metrics->http); /* its connections tell us so */
	timer_free(&metrics->rest);
	LIST_REMOVE(metrics, entry);
	loop_bury(metrics->loop, metrics, free);
}
