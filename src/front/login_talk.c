/*
 * login_talk.c - what a login and its client say to each other        (driver)
 *
 * The front machine of its dialect knows the words. Here it is given what has come, and
 * each of its steps is carried out, as long as the client reads what it is told.
 */
#include "front/login_inside.h"

#include "base/mem.h"
#include "net/tls.h"

enum {
	SHAKE_MS = 10000,
	OUT_HIGH_BYTES = 32 * 1024, /* so much unsent: the client is not listened to */
};

static struct front_terms
terms_of(const struct login *login)
{
	struct front_terms terms;

	server_terms(login->server, login->port, conn_is_tls(login->conn), &terms);
	return terms;
}

/* ---- TLS */

static void
start_tls(struct login *login)
{
	login_enter(login, LOGIN_SHAKING);
	conn_start_tls(login->conn, login->server->tls[login->port->kind], NULL, SHAKE_MS);
}

/* From the first byte on; some of the handshake may have come behind a PROXY header. */
void
login_begin_tls(struct login *login)
{
	login_enter(login, LOGIN_SHAKING);
	conn_start_tls_behind(login->conn, login->server->tls[login->port->kind], SHAKE_MS);
}

/* ---- the client speaks */

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

void
login_greet(struct login *login)
{
	struct front_terms terms = terms_of(login);

	login_enter(login, LOGIN_TALKING);
	login->is_greeted = true;
	timer_start(login->deadline, (uint64_t)login->server->settings->frontd.login_timeout_ms);
	login->dialect->front.greet(login->front, &terms, conn_out(login->conn));
	conn_flush(login->conn);
	login_go_on(login);
}

/* Now from the first word on, or in the middle of the talk (STARTTLS). */
void
login_shaken(struct login *login)
{
	struct front_terms terms;

	login->caller.is_tls = true;
	login->caller.tls_version = tls_version_name(conn_tls(login->conn));
	login->caller.tls_cipher = tls_cipher_name(conn_tls(login->conn));
	if (!login->is_greeted) {
		login_greet(login);
		return;
	}
	terms = terms_of(login);
	login_enter(login, LOGIN_TALKING);
	login->dialect->front.tls(login->front, &terms, conn_out(login->conn));
	login_go_on(login);
}

/* ---- we speak first */

void
login_on_pause(void *ctx)
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
