/*
 * login_lead.c - a login's way to the backend, and what came of it    (driver)
 */
#include "front/login_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "front/bridge.h"
#include "net/peer.h"

#include <inttypes.h>
#include <sodium.h>

enum {
	TTL_FIRST = 5, /* fronts behind each other; Dovecot's number */
	LEAD_MS =
	    30000, /* for a backend to judge a login: Dovecot takes up to 17 s for a wrong one */
};

/* Somebody is there. */
static void
worked(struct login *login)
{
	breaker_worked(&login->service->breaker);
	login->is_trial = false;
}

static void
accepted(struct login *login)
{
	worked(login);
	server_learn(login->server, login->service, leg_back(login->leg)->offer);
	login->service->logins++;
	login_check(login);
}

static void
refused(struct login *login)
{
	const struct back *back = leg_back(login->leg);

	worked(login);
	server_learn(login->server, login->service, back->offer);
	login->service->refused++;
	login_refuse(login, back->refusal, back->text);
}

static void
failed(struct login *login)
{
	struct service *service = login->service;

	service->failed++;
	if (leg_blames_backend(login->leg)) {
		breaker_failed(&service->breaker, login->is_trial, clock_ms(),
		    randombytes_random());
		login->is_trial = false;
	}
	if (service->breaker.pause_ms != 0)
		log_warning("backend_avoided",
		    "proto=%s destination=%s ms=%" PRIu64 " failures=%u reason=%s",
		    login->dialect->name, service->destination, service->breaker.pause_ms,
		    service->breaker.failures, log_quote_text(leg_fault(login->leg)->text));
	login_refuse(login, REFUSAL_LATER, STR(""));
}

static void
on_leg(void *ctx, enum leg_event event)
{
	struct login *login = ctx;

	switch (event) {
	case LEG_CHALLENGE:
		worked(login); /* the client may take its time, and others are not to wait for it */
		login_enter(login, LOGIN_ANSWERING);
		login->is_challenged = true;
		login->dialect->front.challenge(login->front, leg_back(login->leg)->text,
		    conn_out(login->conn));
		login_enter(login, LOGIN_TALKING); /* the answer comes as FRONT_RESPONSE */
		conn_flush(login->conn);
		login_go_on(login);
		break;
	case LEG_ACCEPTED:
		accepted(login);
		break;
	case LEG_REFUSED:
		refused(login);
		break;
	case LEG_FAILED:
		failed(login);
		break;
	case LEG_GONE:
		if (login->conn == NULL) {
			leg_free(&login->leg);
			login_end(login, login->end);
		} else if (login->front->credentials.secret.ptr == NULL) {
			login_forget_try(login);
			login_enter(login, LOGIN_TALKING); /* the client has given this try up */
			login_restart(login, 0);
			login_go_on(login);
		} else {
			login_turn(login);
		}
		break;
	}
}

/* How many more fronts may stand between us and the backend; 0: we are in a circle. */
static unsigned
hops_left(const struct login *login)
{
	return login->front->ttl != 0 ? login->front->ttl - 1 : TTL_FIRST;
}

/* The name that this destination knows the account by. */
static bool
write_name(struct login *login)
{
	buf_clear(&login->rewritten);
	return route_rewrite(&login->server->route_rules, login->service->login,
	    credentials_login(&login->front->credentials), str_of(login->account),
	    &login->rewritten);
}

/* The leg has its own time, and must be the first to lose patience: then the client is told. */
static uint64_t
lead_ms(const struct login *login)
{
	uint64_t login_ms = (uint64_t)login->server->settings->frontd.login_timeout_ms;

	return login_ms < LEAD_MS ? login_ms : LEAD_MS;
}

void
login_lead(struct login *login)
{
	const struct front *front = login->front;
	struct server *server = login->server;
	char from[PEER_NAME_BYTES];

	if (!write_name(login) ||
	    !breaker_allows(&login->service->breaker, clock_ms(), &login->is_trial)) {
		login_refuse(login, REFUSAL_LATER, STR(""));
		return;
	}
	if ((login->caller.ttl = hops_left(login)) == 0) {
		log_warning("login_in_circle", "proto=%s session=%s from=%s account=%s",
		    login->dialect->name, login->session, peer_name(&login->caller.client, from),
		    log_quote_text(login->account));
		login_refuse(login, REFUSAL_LATER, STR(""));
		return;
	}
	login->task = (struct back_task){.credentials = &front->credentials,
	    .login = buf_str(&login->rewritten),
	    .caller = &login->caller,
	    .way = login->service->caller,
	    .id = login->dialect->front.id ? login->dialect->front.id(front) : NULL,
	    .hello = front->hello,
	    .host = server->host,
	    .start_tls = login->service->tls_mode == TLS_MODE_STARTTLS,
	    .is_safe = login->service->is_safe};
	login_enter(login, LOGIN_LEADING);
	login_restart(login, lead_ms(login));
	login->leg = leg_new(server->loop, login->dialect, login->service, &login->task,
	    lead_ms(login), on_leg, login);
}

void
login_leave(struct login *login)
{
	map_forget(&login->question);
	login_end_trial(login); /* the end may take long */
	login_enter(login, LOGIN_LEAVING);
	login_await_end(login);
	leg_quit(login->leg);
}

void
login_hand_over(struct login *login)
{
	const struct back *back = leg_back(login->leg);
	struct conn *client = login->conn;

	login->dialect->front.accept(login->front, back->untagged, back->text, conn_out(client));
	crowd_succeeded(login->server->crowd, &login->caller.client, str_of(login->account));
	tally_accepted(&login->server->tally, login->port->kind, clock_ms() - login->asked_ms);
	login->conn = NULL;
	bridge_new(login->server, &(struct bridge_order){.dialect = login->dialect,
				      .kind = login->port->kind,
				      .client = client,
				      .backend = leg_take(login->leg),
				      .backend_name = leg_peer(login->leg),
				      .offer = back->offer,
				      .claim = &login->claim,
				      .account = login->account,
				      .owner = login->owner,
				      .session = login->session,
				      .address = &login->caller.client,
				      .client_ip = login->client_ip});
	login_end(login, LOGIN_END_HANDED);
}
