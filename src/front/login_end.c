/*
 * login_end.c - how a login comes to its end                          (driver)
 *
 * Its client goes at once; the login stays until the backend that it has begun to speak
 * to has closed, because until then somebody may be in the account there. A backend that
 * does not close is given up where nothing depends on it, and waited for where the
 * account moves.
 */
#include "front/login_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/peer.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LINGER_MS = 2000 }; /* for the client to take our last words */

/* Why, and what the client is told; BYE_COUNT: nothing more. */
static const struct {
	const char *why;
	enum bye bye;
	bool says; /* what is unsent may still be sent */
} ends[] = {
    [LOGIN_END_CLIENT] = {"client_closed", BYE_COUNT, true},
    [LOGIN_END_BROKEN] = {"connection_failed", BYE_COUNT, false},
    [LOGIN_END_DIALECT] = {"protocol_end", BYE_COUNT, true},
    [LOGIN_END_SLOW] = {"too_slow", BYE_SLOW, true},
    [LOGIN_END_WAITED] = {"parked_too_long", BYE_WAITED, true},
    [LOGIN_END_PROXY] = {"no_proxy_header", BYE_COUNT, false},
    [LOGIN_END_CROWDED] = {"too_many", BYE_LIMIT, true},
    [LOGIN_END_DRAINED] = {"drained", BYE_SHUTDOWN, true},
    [LOGIN_END_STOPPED] = {"stopped", BYE_COUNT, false},
    [LOGIN_END_HANDED] = {"handed_over", BYE_COUNT, false},
};

/* ---- the client */

/* Is the client in a state to be spoken to in its protocol? */
static bool
may_speak(const struct login *login)
{
	return login->phase != LOGIN_PROXY && login->phase != LOGIN_SHAKING;
}

static void
close_client(struct login *login, enum login_end why)
{
	if (login->conn == NULL)
		return; /* a bridge has it */
	if (ends[why].says && may_speak(login)) {
		if (ends[why].bye != BYE_COUNT)
			login->dialect->front.bye(login->front, ends[why].bye,
			    conn_out(login->conn));
		conn_finish(&login->conn, LINGER_MS);
	} else {
		conn_close(&login->conn);
	}
}

static void
log_end(const struct login *login, enum login_end why)
{
	char from[PEER_NAME_BYTES];

	log_info("login_ended", "proto=%s session=%s from=%s phase=%s secs=%" PRIu64 " why=%s",
	    login->dialect->name, login->session, peer_name(&login->caller.client, from),
	    login_phase_name(login), (clock_ms() - login->since_ms) / 1000, ends[why].why);
}

/* A client is counted as long as it is here, or may be; a bridge goes on counting. */
static void
leave_seat(struct login *login)
{
	if (login->is_counted)
		crowd_leave(login->server->crowd, &login->caller.client);
	if (login->has_seat)
		seats_give_back(login->server->seats);
	login->is_counted = login->has_seat = false;
}

/* ---- the login */

static void
login_free(void *object)
{
	struct login *login = object;

	buf_wipe(&login->rewritten);
	buf_fini(&login->refusal_text);
	free(login->account);
	free(login->owner);
	free(login);
}

/* A login that stands at the backend, or might: ended only when the backend has closed. */
static bool
leaves_something(const struct login *login, enum login_end why)
{
	return login->leg != NULL && leg_has_begun(login->leg) && why != LOGIN_END_HANDED &&
	       why != LOGIN_END_STOPPED;
}

void
login_end(struct login *login, enum login_end why)
{
	struct front_port *port = login->port;
	struct server *server = login->server;

	if (login->phase == LOGIN_ENDED)
		return; /* ending twice is no error */
	if (login->conn != NULL && why != LOGIN_END_HANDED)
		log_end(login, why);
	close_client(login, why);
	crowd_leave_turn(server->crowd, &login->turn);
	if (leaves_something(login, why)) {
		login->end = why;
		arena_return(&login->arena); /* it may take long, and nobody logs in any more */
		timer_stop(login->pause);
		if (login->phase != LOGIN_LEAVING)
			login_leave(login);
		else if (!timer_is_running(login->deadline))
			login_await_end(login);
		return;
	}
	login_enter(login, LOGIN_ENDED);
	login_forget_try(login);
	if (why != LOGIN_END_HANDED)
		leave_seat(login);
	login->dialect->front.free(login->front);
	arena_return(&login->arena);
	timer_free(&login->deadline);
	timer_free(&login->pause);
	TAILQ_REMOVE(&server->logins, login, entry);
	port->logins--;
	if (port->fd == -1 && port->logins == 0)
		front_port_free(&port);
	loop_bury(server->loop, login, login_free);
	server_left(server);
}

void
login_drain(struct login *login)
{
	if (login->phase == LOGIN_PROXY || login->phase == LOGIN_SHAKING ||
	    login->phase == LOGIN_TALKING || login->phase == LOGIN_PARKED ||
	    login->phase == LOGIN_QUEUED)
		login_end(login, LOGIN_END_DRAINED);
}

void
login_stop(struct login *login)
{
	login_end(login, LOGIN_END_STOPPED);
}

/* ---- time is up */

static void
say_stuck(struct login *login)
{
	if (login->is_stuck)
		return;
	login->is_stuck = true;
	log_warning("login_stuck", "proto=%s session=%s account=%s destination=%s to=%s reason=%s",
	    login->dialect->name, login->session, log_quote_text(login->account), login->owner,
	    leg_peer(login->leg),
	    "\"the backend has not closed: end what it has of this account there\"");
}

/*
 * The backend was left and does not close. Where the account moves, the writer
 * has to know that somebody may still be there, for however long; the client need
 * not wait for it.
 */
static void
give_up_leg(struct login *login)
{
	if (!login->is_moved) {
		leg_free(&login->leg);
		if (login->conn == NULL)
			login_end(login, login->end);
		else
			login_refuse(login, REFUSAL_LATER, STR(""));
		return;
	}
	say_stuck(login);
	server_run_kick(login->server, str_of(login->account), str_of(login->owner));
	login_await_end(login);
	if (login->conn != NULL)
		login_end(login, LOGIN_END_SLOW); /* and go on waiting */
	leave_seat(login);
}

void
login_await_end(struct login *login)
{
	timer_start(login->deadline, (uint64_t)login->server->settings->frontd.end_timeout_ms);
}

void
login_on_deadline(void *ctx)
{
	struct login *login = ctx;

	switch (login->phase) {
	case LOGIN_LEAVING:
		give_up_leg(login);
		break;
	case LOGIN_PROXY:
		login_end(login, LOGIN_END_PROXY);
		break;
	case LOGIN_PARKED:
		if (login->server->settings->frontd.park_end == PARK_END_REFUSE)
			login_refuse(login, REFUSAL_LATER, STR(""));
		else
			login_end(login, LOGIN_END_WAITED);
		break;
	case LOGIN_QUEUED:
		login_refuse(login, REFUSAL_LATER, STR(""));
		break;
	default:
		login_end(login, LOGIN_END_SLOW);
		break;
	}
}
