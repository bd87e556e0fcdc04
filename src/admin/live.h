/*
 * live.h - splitmx check --live: is what the settings describe there? (driver)
 */
#ifndef ADMIN_LIVE_H
#define ADMIN_LIVE_H

#include "admin/admin.h"

#include "base/buf.h"
#include "net/loop.h"

struct live {
	struct admin *admin;
	const char *postfix_config; /* NULL: the default one */
	const char *login; /* whose login is tried; NULL: nobody's */
	struct buf password; /* and with which; a secret */
	const char *from; /* the address to come from to the front; NULL: whichever leads there */
	const char *ca_file, *front_name; /* to believe the front; NULL: the system's, host_name */
	struct loop *loop; /* for those that talk */
	size_t good, bad;
};

enum live_state { LIVE_BAD, LIVE_GOOD, LIVE_OPEN /* nobody can tell */ };

/* One finding; fix may be NULL. Counts it, and says it. */
void live_say(struct live *live, enum live_state state, const char *what, const char *fix,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

void live_redis(struct live *live);
void live_listeners(struct live *live);
void live_milter(struct live *live); /* live_milter.c */
void live_postfix(struct live *live);
void live_servers(struct live *live); /* live_front.c */
void live_front(struct live *live);
void live_login(struct live *live); /* live_login.c */

#endif
