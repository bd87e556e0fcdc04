/*
 * live.h - splitmx check --live: is what the settings describe there? (driver)
 */
#ifndef ADMIN_LIVE_H
#define ADMIN_LIVE_H

#include "admin/admin.h"

struct live {
	struct admin *admin;
	const char *postfix_config; /* NULL: the default one */
	size_t good, bad;
};

void live_redis(struct live *live);
void live_listeners(struct live *live);
void live_postfix(struct live *live);

/* One finding; fix may be NULL. Counts it, and says it. */
void live_say(struct live *live, bool good, const char *what, const char *fix, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
