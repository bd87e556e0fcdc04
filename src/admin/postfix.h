/*
 * postfix.h - which lookups of a Postfix come to us, and from where     (pure)
 *
 * Reads what postconf(1) prints. Most daemons of Debian's Postfix are chrooted
 * into the queue directory, so one socketmap: means different files to
 * different daemons; this knows which daemons use which parameter, and so which
 * files must be there.
 */
#ifndef ADMIN_POSTFIX_H
#define ADMIN_POSTFIX_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct postfix;

/* A lookup as one kind of daemon does it. */
struct postfix_lookup {
	char *parameter; /* "transport_maps", "smtp/inet/relay_recipient_maps" */
	char *table; /* "socketmap:unix:run/splitmx/map.sock:transport" */
	char *map; /* what stands behind the last colon */
	char *endpoint; /* "unix:run/splitmx/map.sock", "inet:127.0.0.1:10028" */
	char *daemon; /* who asks: "trivial-rewrite", "proxymap" */
	bool chrooted;
	bool malformed; /* map and endpoint are not set */
};

struct postfix *postfix_new(void);
void postfix_free(struct postfix **postfix);

/* The output of postconf -M first, then of postconf -nx, then of postconf -P. */
void postfix_take_services(struct postfix *postfix, struct str text, bool chroot_by_default);
void postfix_take_parameters(struct postfix *postfix, struct str text);

/* Lent as long as the postfix; each (table, daemon's root) once. */
size_t postfix_count(const struct postfix *postfix);
const struct postfix_lookup *postfix_at(const struct postfix *postfix, size_t i);

#endif
