/*
 * leg.h - a login's way to the backend, until it is let in            (driver)
 *
 * Dials the addresses of a service one after the other, says who is calling,
 * starts TLS, and lets the dialect's back machine lead the login. An address that
 * fails before a byte of the login was sent there gives way to the next.
 */
#ifndef FRONT_LEG_H
#define FRONT_LEG_H

#include "front/dialect.h"
#include "front/service.h"
#include "net/conn.h"
#include "net/loop.h"

struct leg;

enum leg_event {
	LEG_CHALLENGE, /* leg_back()->text is asked of the client; answer with leg_respond() */
	LEG_ACCEPTED, /* the login stands: leg_take() */
	LEG_REFUSED, /* by the backend: leg_back()->refusal and text */
	LEG_FAILED, /* nobody there, or nobody who can be trusted: leg_fault() */
	LEG_GONE, /* after leg_quit(): the backend has closed, nothing is left there */
};

/* Never from inside a call to the leg. leg_free() is allowed in it. */
typedef void leg_fn(void *ctx, enum leg_event event);

/* The task is lent until leg_free(). */
struct leg *leg_new(struct loop *loop, const struct dialect *dialect, struct service *service,
    const struct back_task *task, uint64_t login_ms, leg_fn *fn, void *ctx);
void leg_free(struct leg **leg); /* closes; NULL is allowed */

const struct back *leg_back(const struct leg *leg);
const struct fault *leg_fault(const struct leg *leg);

/*
 * After LEG_FAILED: was it the backend itself, and not perhaps what a client gave us
 * to say? Who sends a login that makes a backend hang up shuts no door for others.
 * Nor does this host, where it has no descriptor left to dial with.
 */
bool leg_blames_backend(const struct leg *leg);
const char *leg_peer(const struct leg *leg); /* for the log: the address in hand */
bool leg_has_begun(const struct leg *leg); /* there may be a session at the backend */

void leg_respond(struct leg *leg, struct str base64);

/*
 * Leave: whatever stands at the backend is to end, and LEG_GONE says that it has.
 * That may take as long as the backend likes: whoever has no time frees the leg.
 */
void leg_quit(struct leg *leg);

/* The connection is the caller's, with conn_keep_secrets() still on; the leg is to be freed. */
struct conn *leg_take(struct leg *leg);

#endif
