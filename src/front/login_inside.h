/*
 * login_inside.h - what the parts of a login share                    (driver)
 *
 * login.c lets it in, login_talk.c speaks with its client, login_route.c knows whom
 * it belongs to, login_queue.c its turn, login_lead.c its way to the backend,
 * login_end.c how it ends.
 */
#ifndef FRONT_LOGIN_INSIDE_H
#define FRONT_LOGIN_INSIDE_H

#include "front/leg.h"
#include "front/login.h"
#include "front/server_inside.h"

enum login_phase {
	LOGIN_PROXY, /* the header of a trusted balancer is to come first */
	LOGIN_SHAKING, /* TLS with the client */
	LOGIN_TALKING, /* the front machine reads */
	LOGIN_ASKING, /* the map */
	LOGIN_PARKED, /* the account is held */
	LOGIN_QUEUED, /* somebody guesses at it: one after the other */
	LOGIN_LEADING, /* to the backend */
	LOGIN_ANSWERING, /* the client has a challenge of the backend */
	LOGIN_CHECKING, /* accepted; the map is asked once more */
	LOGIN_LEAVING, /* the end of the backend is awaited, then it is asked again */
	LOGIN_DELAYED, /* a refusal that is not to come too early */
	LOGIN_ENDED,
};

enum login_end {
	LOGIN_END_CLIENT, /* has closed */
	LOGIN_END_BROKEN, /* its connection failed */
	LOGIN_END_DIALECT, /* the protocol's own end: LOGOUT, too many mistakes */
	LOGIN_END_SLOW,
	LOGIN_END_WAITED, /* parked for too long */
	LOGIN_END_PROXY, /* no PROXY header where there must be one */
	LOGIN_END_CROWDED,
	LOGIN_END_DRAINED,
	LOGIN_END_STOPPED,
	LOGIN_END_HANDED, /* a session has begun */
};

struct login {
	TAILQ_ENTRY(login) entry;
	struct server *server;
	struct front_port *port;
	const struct dialect *dialect;
	struct conn *conn;
	struct front *front;
	struct arena *arena;
	enum login_phase phase;
	struct timer *deadline; /* of the whole login, or of what is waited for */
	struct timer *pause; /* DELAYED: until it may be said; PARKED: until the next word */
	struct caller caller;
	char client_ip[64], local_ip[64], session[17];
	bool is_greeted;
	bool has_seat; /* the worker's; not any more when its client has gone and it is stuck */
	bool is_counted; /* in the crowd */
	bool is_parked; /* and there too */
	bool is_trial; /* the service's breaker waits to hear of us */
	bool has_turn; /* these credentials have had theirs */
	bool is_moved; /* the claim is to end: only the backend's end frees it */
	bool is_stuck; /* and the backend does not end in time */
	bool
	    is_challenged; /* the client has seen a challenge of this backend: no other can go on */
	unsigned turns; /* how often these credentials had to turn round on their way */
	enum login_end end; /* once conn is NULL: why, while the backend's end is awaited */
	uint64_t since_ms, asked_ms, parked_ms;

	/* ---- from the credentials on, for one try */
	struct map_question *question;
	struct claim *claim;
	struct crowd_turn turn; /* QUEUED */
	struct service *service;
	struct leg *leg;
	struct back_task task;
	char *account, *owner; /* of the claim */
	struct buf rewritten; /* the name for the backend, where it is another one */
	enum refusal refusal; /* DELAYED */
	struct buf refusal_text;
};

/* login.c */
void login_enter(struct login *login, enum login_phase phase);
const char *login_phase_name(const struct login *login);

/* login_talk.c */
void login_begin_tls(struct login *login); /* before the first word */
void login_shaken(struct login *login); /* TLS stands */
void login_greet(struct login *login);
void login_go_on(struct login *login); /* the front machine reads what is there */
void login_on_pause(void *ctx); /* its timer has ended: it is time to say something */

/* login_end.c: the client goes; the login does when nothing of it is left at a backend. */
void login_end(struct login *login, enum login_end why);
void login_await_end(struct login *login); /* of the backend that was left; not for ever */
void login_on_deadline(void *ctx); /* its timer has ended */

/* login_route.c */
void login_route(struct login *login); /* the credentials are there */
void login_ask(struct login *login);
void login_turn(struct login *login); /* the backend was left: ask again, where that makes sense */
void login_restart(struct login *login, uint64_t more_ms); /* the client's time, anew */
void login_check(struct login *login); /* accepted: does it still stand? */
void login_unpark(struct login *login);
void login_end_trial(struct login *login); /* nothing was found out of its service */
void login_forget_try(struct login *login); /* question, claim, leg: all of one try */

/* Refuse this try; our own words unless text, the backend's, is not empty. */
void login_refuse(struct login *login, enum refusal refusal, struct str text);

/*
 * login_queue.c: false: it is not the turn of this login, which guesses at this account,
 * or name. For as long as a login may take it stands in line, and then asks again.
 */
bool login_take_turn(struct login *login, struct str guessed);

/* login_lead.c */
void login_lead(struct login *login); /* to its service */
void login_leave(struct login *login); /* the backend; then ask again */
void login_hand_over(struct login *login);

#endif
