/*
 * login.c - a client, from accept to hand-over                        (driver)
 *
 * Here it comes, is found out who it is, and let in or not. login_inside.h says where
 * it goes from there.
 */
#include "front/login_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/peer.h"
#include "net/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sodium.h>

enum { PROXY_MS = 5000 };

static const char *const phase_names[] = {
    [LOGIN_PROXY] = "proxy",
    [LOGIN_SHAKING] = "shaking",
    [LOGIN_TALKING] = "talking",
    [LOGIN_ASKING] = "asking",
    [LOGIN_PARKED] = "parked",
    [LOGIN_QUEUED] = "queued",
    [LOGIN_LEADING] = "leading",
    [LOGIN_ANSWERING] = "answering",
    [LOGIN_CHECKING] = "checking",
    [LOGIN_LEAVING] = "leaving",
    [LOGIN_DELAYED] = "delayed",
    [LOGIN_ENDED] = "ended",
};
_Static_assert(ARRAY_LEN(phase_names) == LOGIN_ENDED + 1, "a phase lacks its name");

const char *
login_phase_name(const struct login *login)
{
	return phase_names[login->phase];
}

/* Nothing is read, and it may take long: a client that gives up is to free its seat. */
static bool
is_patient(enum login_phase phase)
{
	return phase == LOGIN_PARKED || phase == LOGIN_QUEUED || phase == LOGIN_DELAYED;
}

void
login_enter(struct login *login, enum login_phase phase)
{
	log_debug("login", "session=%s was=%s is=%s", login->session, phase_names[login->phase],
	    phase_names[phase]);
	login->phase = phase;
	if (login->conn != NULL)
		conn_watch_end(login->conn, is_patient(phase));
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

/* Told so where it hears us: before the handshake nothing can be said, and it is closed. */
static void
turn_away(struct login *login, enum turned_away limit)
{
	tally_turned_away(&login->server->tally, login->port->kind, limit);
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
		turn_away(login, TURNED_MAX_PER_ADDRESS);
		return;
	}
	if (login->port->tls_mode == TLS_MODE_IMPLICIT)
		login_begin_tls(login);
	else
		login_greet(login);
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
	char from[PEER_NAME_BYTES];

	switch (event) {
	case CONN_OPEN:
		login_shaken(login);
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
		    login->dialect->name, login->session, peer_name(&login->caller.client, from),
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
	login->deadline = timer_new(server->loop, login_on_deadline, login);
	login->pause = timer_new(server->loop, login_on_pause, login);
	TAILQ_INSERT_TAIL(&server->logins, login, entry);
	port->logins++;
	if (login->arena == NULL) {
		name_caller(login);
		server_crowded(server, port);
		turn_away(login, TURNED_MAX_LOGINS);
	} else if (cidr_any_has(port->proxy_from, port->proxy_from_count, peer)) {
		name_caller(login); /* the balancer's, until it has said whose */
		login_enter(login, LOGIN_PROXY);
		timer_start(login->deadline, PROXY_MS);
	} else {
		admit(login);
	}
}

/* ---- for the server */

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
	    "phase", login->is_stuck ? "stuck" : login_phase_name(login), "protocol",
	    login->dialect->name, "from", login->client_ip, "ms",
	    (json_int_t)(clock_ms() - login->since_ms), "account", login->account, "owner",
	    login->owner);
}
