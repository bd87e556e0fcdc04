/*
 * login.c - a client, from accept to hand-over                        (driver)
 */
#include "front/login_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "front/bridge.h"
#include "net/proxy.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>

enum {
	LINGER_MS = 2000, /* for the client to take our last words */
	SHAKE_MS = 10000,
	PROXY_MS = 5000,
	OUT_HIGH_BYTES = 32 * 1024, /* so much unsent: the client is not listened to */
};

static const char *const phase_names[] = {
    [LOGIN_PROXY] = "proxy",
    [LOGIN_SHAKING] = "shaking",
    [LOGIN_TALKING] = "talking",
    [LOGIN_ASKING] = "asking",
    [LOGIN_PARKED] = "parked",
    [LOGIN_LEADING] = "leading",
    [LOGIN_ANSWERING] = "answering",
    [LOGIN_CHECKING] = "checking",
    [LOGIN_LEAVING] = "leaving",
    [LOGIN_DELAYED] = "delayed",
    [LOGIN_ENDED] = "ended",
};
_Static_assert(ARRAY_LEN(phase_names) == LOGIN_ENDED + 1, "a phase lacks its name");

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

void
login_enter(struct login *login, enum login_phase phase)
{
	log_debug("login", "session=%s was=%s is=%s", login->session, phase_names[login->phase],
	    phase_names[phase]);
	login->phase = phase;
}

/* ---- the end */

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

/* A login that stands at the backend, or might: ended only when the backend has closed. */
static bool
leaves_something(const struct login *login, enum login_end why)
{
	return login->leg != NULL && leg_has_begun(login->leg) && why != LOGIN_END_HANDED &&
	       why != LOGIN_END_STOPPED;
}

static void
log_end(const struct login *login, enum login_end why)
{
	log_info("login_ended", "proto=%s session=%s from=%s phase=%s secs=%" PRIu64 " why=%s",
	    login->dialect->name, login->session, login->client_ip, phase_names[login->phase],
	    (clock_ms() - login->since_ms) / 1000, ends[why].why);
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

/* ---- the client's words */

static struct front_terms
terms_of(const struct login *login)
{
	struct front_terms terms;

	server_terms(login->server, login->port, conn_is_tls(login->conn), &terms);
	return terms;
}

static void
start_tls(struct login *login)
{
	login_enter(login, LOGIN_SHAKING);
	conn_start_tls(login->conn, login->server->tls[login->port->kind], NULL, SHAKE_MS);
}

/* From the first byte on; some of the handshake may have come behind a PROXY header. */
static void
begin_tls(struct login *login)
{
	login_enter(login, LOGIN_SHAKING);
	conn_start_tls_behind(login->conn, login->server->tls[login->port->kind], SHAKE_MS);
}

/* Whoever asks and never reads: the answers are not to fill our memory. */
static bool
is_deaf(struct login *login)
{
	if (buf_len(conn_out(login->conn)) < OUT_HIGH_BYTES)
		return false;
	conn_flush(login->conn);
	return buf_len(conn_out(login->conn)) >= OUT_HIGH_BYTES; /* CONN_DRAINED goes on */
}

void
login_go_on(struct login *login)
{
	struct front_terms terms;

	while (login->phase == LOGIN_TALKING && !is_deaf(login)) {
		if (login->server->draining) {
			login_end(login, LOGIN_END_DRAINED);
			return;
		}
		terms = terms_of(login);
		switch (login->dialect->front.next(login->front, &terms, conn_in(login->conn),
		    conn_out(login->conn))) {
		case FRONT_WAIT:
			return;
		case FRONT_SAID:
			break;
		case FRONT_TLS:
			conn_flush(login->conn);
			start_tls(login);
			return;
		case FRONT_LOGIN:
			login_route(login);
			break;
		case FRONT_RESPONSE:
			login_enter(login, LOGIN_LEADING);
			leg_respond(login->leg, login->front->response);
			break;
		case FRONT_END:
			login_end(login, LOGIN_END_DIALECT);
			return;
		}
		/* A challenge that the client has given up: its credentials are gone. */
		if (login->phase == LOGIN_TALKING && login->leg != NULL)
			login_leave(login);
	}
}

static void
greet(struct login *login)
{
	struct front_terms terms = terms_of(login);

	login_enter(login, LOGIN_TALKING);
	login->is_greeted = true;
	timer_start(login->deadline, (uint64_t)login->server->settings->frontd.login_timeout_ms);
	login->dialect->front.greet(login->front, &terms, conn_out(login->conn));
	conn_flush(login->conn);
	login_go_on(login);
}

/* ---- who it is */

static void
name_address(const struct sockaddr_storage *address, char text_r[static 64], uint16_t *port_r)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	*port_r = 0;
	memcpy(text_r, "unknown", 8);
	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, text_r, 64);
		*port_r = ntohs(v4->sin_port);
	} else if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, text_r, 64);
		*port_r = ntohs(v6->sin6_port);
	}
}

static void
name_caller(struct login *login)
{
	struct caller *caller = &login->caller;

	name_address(&caller->client, login->client_ip, &caller->client_port);
	name_address(&caller->local, login->local_ip, &caller->local_port);
	caller->client_ip = login->client_ip;
	caller->local_ip = login->local_ip;
	caller->session = login->session;
}

static void
turn_away(struct login *login)
{
	login_enter(login,
	    login->port->tls_mode == TLS_MODE_IMPLICIT ? LOGIN_SHAKING : LOGIN_TALKING);
	login_end(login, LOGIN_END_CROWDED);
}

/* The address is known now: may this one come in? */
static void
admit(struct login *login)
{
	const struct frontd_settings *frontd = &login->server->settings->frontd;

	name_caller(login);
	timer_stop(login->deadline); /* of the PROXY header */
	login->is_counted = crowd_enter(login->server->crowd, &login->caller.client,
	    (size_t)frontd->max_per_address);
	if (!login->is_counted) {
		turn_away(login);
		return;
	}
	if (login->port->tls_mode == TLS_MODE_IMPLICIT)
		begin_tls(login);
	else
		greet(login);
}

static void
read_proxy(struct login *login)
{
	struct proxy proxy;
	struct fault fault;

	switch (proxy_next(conn_in(login->conn), &proxy, &fault)) {
	case 0:
		return;
	case 1:
		if (!proxy.is_own) {
			login->caller.client = proxy.client;
			login->caller.local = proxy.local;
		}
		admit(login);
		return;
	}
	log_warning("proxy_refused", "proto=%s listener=%s peer=%s reason=%s", login->dialect->name,
	    login->port->address, log_quote_text(conn_peer(login->conn)),
	    log_quote_text(fault.text));
	login_end(login, LOGIN_END_PROXY);
}

/* ---- what the connection tells */

static void
on_event(struct conn *conn, enum conn_event event, void *ctx)
{
	struct login *login = ctx;
	struct front_terms terms;

	switch (event) {
	case CONN_OPEN:
		login->caller.is_tls = true;
		login->caller.tls_version = tls_version_name(conn_tls(conn));
		login->caller.tls_cipher = tls_cipher_name(conn_tls(conn));
		if (login->is_greeted) {
			terms = terms_of(login);
			login_enter(login, LOGIN_TALKING);
			login->dialect->front.tls(login->front, &terms, conn_out(conn));
			login_go_on(login);
		} else {
			greet(login);
		}
		break;
	case CONN_DATA:
		if (login->phase == LOGIN_PROXY)
			read_proxy(login);
		else
			login_go_on(login);
		break;
	case CONN_EOF:
		login_end(login, login->phase == LOGIN_PROXY ? LOGIN_END_PROXY : LOGIN_END_CLIENT);
		break;
	case CONN_FAILED:
		log_info("client_failed", "proto=%s session=%s from=%s reason=%s",
		    login->dialect->name, login->session, login->client_ip,
		    log_quote_text(conn_fault(conn)->text));
		login_end(login, LOGIN_END_BROKEN);
		break;
	case CONN_DRAINED:
		login_go_on(login);
		break;
	case CONN_IDLE:
	case CONN_RELAYED:
		break;
	}
}

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

static void
on_deadline(void *ctx)
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
	default:
		login_end(login, LOGIN_END_SLOW);
		break;
	}
}

static void
on_pause(void *ctx)
{
	struct login *login = ctx;
	struct front_terms terms;

	if (login->phase == LOGIN_PARKED) {
		login->dialect->front.wait(login->front, conn_out(login->conn));
		conn_flush(login->conn);
		timer_start(login->pause,
		    login->dialect->park_word_ms); /* not 0, or we were not here */
		return;
	}
	must(login->phase == LOGIN_DELAYED);
	terms = terms_of(login);
	login_enter(login, LOGIN_TALKING);
	login->dialect->front.refuse(login->front, &terms, login->refusal,
	    buf_str(&login->refusal_text), conn_out(login->conn));
	arena_wipe(login->arena);
	login_go_on(login);
	if (login->conn != NULL)
		conn_flush(login->conn);
}

/* ---- life */

static void
draw_session(char session_r[static 17])
{
	unsigned char random[8];

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(session_r, 17, random, sizeof(random));
}

void
login_new(struct front_port *port, int fd, const struct sockaddr_storage *peer)
{
	struct server *server = port->server;
	struct login *login = xnew(struct login);

	login->server = server;
	login->port = port;
	login->dialect = port->dialect;
	login->has_seat = true;
	login->since_ms = clock_ms();
	draw_session(login->session);
	login->arena = arena_borrow(server->arenas);
	login->conn = conn_take(server->loop, fd, on_event, login);
	login->caller.client = *peer;
	conn_own_address(login->conn, &login->caller.local);
	conn_set_in_max(login->conn, login->dialect->in_max_bytes);
	conn_keep_secrets(login->conn, true);
	login->front = login->dialect->front.new(login->arena);
	login->deadline = timer_new(server->loop, on_deadline, login);
	login->pause = timer_new(server->loop, on_pause, login);
	TAILQ_INSERT_TAIL(&server->logins, login, entry);
	port->logins++;
	if (login->arena == NULL) {
		name_caller(login);
		server_crowded(server, port);
		turn_away(login);
	} else if (cidr_any_has(port->proxy_from, port->proxy_from_count, peer)) {
		name_caller(login); /* the balancer's, until it has said whose */
		login_enter(login, LOGIN_PROXY);
		timer_start(login->deadline, PROXY_MS);
	} else {
		admit(login);
	}
}

void
login_drain(struct login *login)
{
	if (login->phase == LOGIN_PROXY || login->phase == LOGIN_SHAKING ||
	    login->phase == LOGIN_TALKING || login->phase == LOGIN_PARKED)
		login_end(login, LOGIN_END_DRAINED);
}

void
login_stop(struct login *login)
{
	login_end(login, LOGIN_END_STOPPED);
}

struct login *
login_after(const struct login *login)
{
	return TAILQ_NEXT(login, entry);
}

bool
login_is_of(const struct login *login, const char *account)
{
	return login->account != NULL && strcmp(login->account, account) == 0;
}

json_t *
login_status(const struct login *login)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s?, s:s?}", "session", login->session,
	    "phase", login->is_stuck ? "stuck" : phase_names[login->phase], "protocol",
	    login->dialect->name, "from", login->client_ip, "ms",
	    (json_int_t)(clock_ms() - login->since_ms), "account", login->account, "owner",
	    login->owner);
}
