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

#endif
