/*
 * reading.h - the record of one address, and every key it was read from (driver)
 *
 * Drives map/fetch.h, as the daemons do, through a command's connection, and
 * keeps what came back for explain to show, with the time that holds have left.
 */
#ifndef ADMIN_READING_H
#define ADMIN_READING_H

#include "admin/admin.h"
#include "admin/subject.h"
#include "map/fetch.h"

struct reading_key {
	struct str key, value;
	enum fetch_value_kind kind;
	bool is_hold;
	long long ttl_ms; /* -1: no end, or not there */
};

struct reading {
	struct fetch *fetch; /* an account's */
	struct finding finding;
	struct reading_key keys[FETCH_KEYS_MOST];
	size_t count;
	struct buf store;
	struct client *client;
	struct fault fault;
	bool failed;
};

/* Each 0, or -1 and *fault_r; a zeroed reading to begin with. The subject is lent meanwhile. */
int reading_account(struct reading *reading, const struct admin *admin,
    const struct subject *subject, struct fault *fault_r);
/* The keys of a domain stand in this order. */
enum { READING_OWNER, READING_HOLD, READING_LOGIN, READING_COMPLETE };
int reading_domain(struct reading *reading, const struct admin *admin,
    const struct subject *subject, struct fault *fault_r);
void reading_fini(struct reading *reading);

/* Of an account; lent as long as the reading. */
const struct finding *reading_finding(const struct reading *reading);

#endif
