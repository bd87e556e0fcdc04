/*
 * leg.c - a login's way to the backend, until it is let in            (driver)
 */
#include "front/leg.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/proxy.h"

#include <stdlib.h>

enum {
	IN_MAX_BYTES = 64 * 1024, /* of what a backend says before a login stands */
};

enum leg_phase {
	LEG_DIALLING,
	LEG_SHAKING, /* TLS before the first word */
	LEG_TALKING,
	LEG_ASKED, /* a challenge is with the client */
	LEG_STANDS, /* accepted, not taken yet */
	LEG_LEAVING, /* the end of the backend is waited for */
	LEG_DONE, /* nothing follows */
};

struct leg {
	struct loop *loop;
	const struct dialect *dialect;
	struct service *service;
	const struct back_task *task;
	leg_fn *fn;
	void *ctx;
	struct conn *conn;
	struct back *back;
	struct timer *deadline; /* for the whole of it */
	struct timer *later; /* an event that was found inside a call */
	enum leg_phase phase;
	enum leg_event event; /* for later */
	size_t endpoint; /* the one in hand */
	bool has_begun; /* something was said of the login */
	bool is_slow; /* the backend was, and nobody else */
	bool is_heard; /* the one in hand has said something */
	uint64_t lap_us; /* when what is measured now began */
	uint64_t login_us; /* of the login, before that */
	struct fault fault;
};

static void dial(struct leg *leg);

/* ---- how long it takes */

static uint64_t
lap(struct leg *leg)
{
	uint64_t now_us = clock_us(), took_us = now_us - leg->lap_us;

	leg->lap_us = now_us;
	return took_us;
}

static void
step_done(struct leg *leg, enum latency_step step)
{
	latency_add(&leg->service->latency, step, lap(leg));
}

static void
heard(struct leg *leg)
{
	if (leg->is_heard)
		return;
	leg->is_heard = true;
	step_done(leg, LATENCY_GREETING);
}

/* Visits without credentials take this way, too, and are no logins. */
static void
login_done(struct leg *leg)
{
	if (leg->task->credentials != NULL)
		latency_add(&leg->service->latency, LATENCY_LOGIN, leg->login_us + lap(leg));
}

/* ---- telling */

static void
tell(struct leg *leg, enum leg_event event)
{
	leg->phase = event == LEG_CHALLENGE  ? LEG_ASKED
		     : event == LEG_ACCEPTED ? LEG_STANDS
					     : LEG_DONE;
	if (leg->phase == LEG_DONE)
		timer_stop(leg->deadline);
	leg->fn(leg->ctx, event);
}

static void
tell_later(struct leg *leg, enum leg_event event)
{
	leg->event = event;
	timer_start(leg->later, 0);
}

static void
on_later(void *ctx)
{
	struct leg *leg = ctx;

	tell(leg, leg->event);
}

/*
 * This address is of no use. The next one, where nothing of the login can have
 * arrived here; else the login has failed.
 */
static void
give_up(struct leg *leg, const struct fault *why)
{
	leg->fault = *why;
	if (leg->phase != LEG_LEAVING)
		log_info("backend_failed", "proto=%s destination=%s to=%s reason=%s",
		    leg->dialect->name, leg->service->destination, log_quote_text(leg_peer(leg)),
		    log_quote_text(why->text));
	conn_close(&leg->conn);
	if (leg->back != NULL)
		leg->dialect->back.free(leg->back);
	leg->back = NULL;
	if (leg->phase == LEG_LEAVING) {
		tell(leg, LEG_GONE);
		return;
	}
	if (!leg->has_begun && ++leg->endpoint < leg->service->endpoint_count) {
		dial(leg);
		return;
	}
	tell(leg, LEG_FAILED);
}

/* ---- talking */

static const char *
server_name(const struct leg *leg)
{
	return leg->service->server_name != NULL ? leg->service->server_name
						 : leg->service->endpoints[leg->endpoint].host;
}

static void
start_tls(struct leg *leg)
{
	leg->phase = LEG_SHAKING;
	leg->login_us += lap(leg);
	conn_start_tls(leg->conn, leg->service->tls, server_name(leg), leg->service->connect_ms);
}

static void
go_on(struct leg *leg)
{
	struct buf *out = conn_out(leg->conn);
	enum back_step step;
	struct fault fault;

	if (leg->phase != LEG_TALKING)
		return;
	step = leg->dialect->back.next(leg->back, conn_in(leg->conn), out, &fault);
	leg->has_begun |= leg->back->says_login;
	switch (step) {
	case BACK_WAIT:
		conn_flush(leg->conn);
		break;
	case BACK_TLS:
		start_tls(leg);
		break;
	case BACK_CHALLENGE:
		leg->login_us += lap(leg);
		tell(leg, LEG_CHALLENGE);
		break;
	case BACK_ACCEPTED:
		login_done(leg);
		tell(leg, LEG_ACCEPTED);
		break;
	case BACK_REFUSED:
		login_done(leg);
		tell(leg, LEG_REFUSED);
		break;
	case BACK_BROKEN:
		give_up(leg, &fault);
		break;
	}
}

static void
begin(struct leg *leg)
{
	leg->phase = LEG_TALKING;
	leg->back = leg->dialect->back.new(leg->task);
	go_on(leg);
}

static void
say_who(struct leg *leg)
{
	const struct caller *caller = leg->task->caller;

	if (leg->service->caller != CALLER_PROXY)
		return;
	proxy_add_v2(conn_out(leg->conn), &caller->client, &caller->local,
	    caller->is_tls ? &(struct proxy_tls){caller->tls_version, caller->tls_cipher} : NULL);
	conn_flush(leg->conn);
}

static void
opened(struct leg *leg)
{
	step_done(leg, leg->phase == LEG_DIALLING ? LATENCY_CONNECT : LATENCY_TLS);
	if (leg->phase == LEG_DIALLING) {
		say_who(leg);
		if (leg->service->tls_mode == TLS_MODE_IMPLICIT)
			start_tls(leg);
		else
			begin(leg);
		return;
	}
	if (leg->back == NULL) {
		begin(leg);
		return;
	}
	leg->phase = LEG_TALKING;
	leg->dialect->back.tls(leg->back, conn_out(leg->conn));
	go_on(leg);
}

/* ---- what the connection tells */

static void
on_event(struct conn *conn, enum conn_event event, void *ctx)
{
	static const struct fault ended = {
	    .verdict = VERDICT_TEMP, .text = "the backend closed the connection during the login"};
	struct leg *leg = ctx;

	switch (event) {
	case CONN_OPEN:
		opened(leg);
		break;
	case CONN_DATA:
		heard(leg);
		if (leg->phase == LEG_LEAVING)
			buf_clear(conn_in(conn));
		else
			go_on(leg);
		break;
	case CONN_EOF: /* comes once: a login that stood, and is not taken yet, has ended too */
		if (leg->phase != LEG_DONE)
			give_up(leg, &ended);
		break;
	case CONN_FAILED:
		if (leg->phase != LEG_DONE)
			give_up(leg, conn_fault(conn));
		break;
	case CONN_DRAINED:
	case CONN_IDLE:
	case CONN_RELAYED:
		break;
	}
}

static void
on_deadline(void *ctx)
{
	static const struct fault slow = {
	    .verdict = VERDICT_TEMP, .text = "the backend did not finish the login in time"};
	struct leg *leg = ctx;

	leg->endpoint = leg->service->endpoint_count; /* no time for another */
	leg->is_slow = leg->phase != LEG_ASKED; /* there the client is waited for */
	give_up(leg, &slow);
}

/* ---- life */

static void
dial(struct leg *leg)
{
	leg->phase = LEG_DIALLING;
	leg->is_heard = false;
	leg->login_us = 0;
	leg->lap_us = clock_us();
	leg->conn = conn_dial(leg->loop, &leg->service->endpoints[leg->endpoint], NULL, NULL,
	    leg->service->connect_ms, on_event, leg);
	conn_set_in_max(leg->conn, IN_MAX_BYTES);
	conn_keep_secrets(leg->conn, true);
}

struct leg *
leg_new(struct loop *loop, const struct dialect *dialect, struct service *service,
    const struct back_task *task, uint64_t login_ms, leg_fn *fn, void *ctx)
{
	struct leg *leg = xnew(struct leg);

	leg->loop = loop;
	leg->dialect = dialect;
	leg->service = service_use(service);
	leg->task = task;
	leg->fn = fn;
	leg->ctx = ctx;
	leg->deadline = timer_new(loop, on_deadline, leg);
	leg->later = timer_new(loop, on_later, leg);
	timer_start(leg->deadline, login_ms);
	dial(leg);
	return leg;
}

void
leg_free(struct leg **leg_ref)
{
	struct leg *leg = *leg_ref;

	if (leg == NULL)
		return;
	*leg_ref = NULL;
	leg->phase = LEG_DONE;
	conn_close(&leg->conn);
	if (leg->back != NULL)
		leg->dialect->back.free(leg->back);
	timer_free(&leg->deadline);
	timer_free(&leg->later);
	service_leave(&leg->service);
	loop_bury(leg->loop, leg, free);
}

const struct back *
leg_back(const struct leg *leg)
{
	return leg->back;
}

const struct fault *
leg_fault(const struct leg *leg)
{
	return &leg->fault;
}

bool
leg_blames_backend(const struct leg *leg)
{
	return !leg->fault.is_ours && (!leg->has_begun || leg->is_slow);
}

const char *
leg_peer(const struct leg *leg)
{
	size_t last = leg->service->endpoint_count - 1;

	return endpoint_name(&leg->service->endpoints[leg->endpoint < last ? leg->endpoint : last]);
}

bool
leg_has_begun(const struct leg *leg)
{
	return leg->has_begun;
}

void
leg_respond(struct leg *leg, struct str base64)
{
	must(leg->phase == LEG_ASKED);
	leg->phase = LEG_TALKING;
	leg->lap_us = clock_us();
	leg->dialect->back.respond(leg->back, base64, conn_out(leg->conn));
	conn_flush(leg->conn);
}

void
leg_quit(struct leg *leg)
{
	if (leg->phase == LEG_LEAVING)
		return;
	timer_stop(leg->deadline);
	if (!leg->has_begun && leg->phase != LEG_STANDS) {
		/* No login was sent: there is nothing that could stay behind. */
		conn_close(&leg->conn);
		leg->phase = LEG_LEAVING;
		tell_later(leg, LEG_GONE);
		return;
	}
	leg->phase = LEG_LEAVING;
	leg->dialect->back.quit(leg->back, conn_out(leg->conn));
	conn_end_out(leg->conn); /* it may wait for the rest of what it was promised */
}

struct conn *
leg_take(struct leg *leg)
{
	struct conn *conn = leg->conn;

	must(leg->phase == LEG_STANDS);
	leg->conn = NULL;
	return conn;
}
