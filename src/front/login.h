/*
 * login.h - a client, from accept to hand-over                        (driver)
 *
 * The only thing here that ever holds a password: in its arena, and in the
 * buffers of its two connections until it hands them over to a bridge, which has
 * no place for one.
 *
 *	PROXY -> SHAKING -> TALKING -> ASKING -> LEADING -> (bridge)
 *	                     ^  ^        |  ^       |
 *	                     |  |   PARKED, QUEUED  |
 *	                     |  +---- DELAYED <-----+   refused: the next try is routed anew
 *
 * A login takes its claim with the answer that it acts on, and asks once more
 * when the backend has accepted. If the account moves meanwhile, the backend is
 * left, its end awaited (LEAVING), and the login begins again with the question.
 */
#ifndef FRONT_LOGIN_H
#define FRONT_LOGIN_H

#include "front/port.h"

#include <jansson.h>

struct login;

/* The descriptor is the login's, and the seat that it has; peer is who came. */
void login_new(struct front_port *port, int fd, const struct sockaddr_storage *peer);

void login_drain(struct login *login); /* ends it, politely, if nobody has logged in yet */
void login_stop(struct login *login); /* at once */

void login_next_turns(void *server); /* a timer's: of those who stand in line */

struct login *login_after(const struct login *login); /* in the server's list */
bool login_is_of(const struct login *login, const char *account); /* that it has a claim on */
json_t *login_status(const struct login *login); /* for "sessions"; the caller's */

#endif
