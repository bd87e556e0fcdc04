/*
 * live_reach.h - to a server or to the front, up to the login         (driver)
 *
 * Connects as the settings say, wraps, verifies, and hears what is announced. What
 * stands in the way is said in a fault, and what to do about it beside it.
 */
#ifndef ADMIN_LIVE_REACH_H
#define ADMIN_LIVE_REACH_H

#include "admin/live.h"
#include "admin/speech.h"

struct reach {
	struct talk *talk;
	struct speech speech;
	struct fault fault; /* after a -1 */
	struct buf fix; /* a line to add somewhere; empty: none is known */
};

/* Each 0, or -1; reach_close() after both. A zeroed reach to begin with. */
int reach_service(struct reach *reach, struct live *live, const struct service_settings *service,
    const char *address);
int reach_listener(struct reach *reach, struct live *live,
    const struct front_listen_settings *listen);
void reach_close(struct reach *reach);

/* "TLS 1.3", "no TLS". */
const char *reach_tls(const struct reach *reach);

/* The line by which such a server believes who is calling, of the front at this address. */
void reach_trust(struct buf *fix, const struct service_settings *service, const char *front);

#endif
