/*
 * domains.h - which domains the map speaks for                        (machine)
 *
 * Most of what Postfix asks is about the rest of the world and must be answered
 * without Redis, and never by mistake. A domain is managed when the settings
 * name it, when Redis has an owner key for it, or when it is an alias of one
 * that is. The list is read anew in each session and kept by invalidations; one
 * that was complete stays in use while Redis is away. Where we cannot be sure,
 * the answer is UNKNOWN, and the caller fetches.
 *
 * Does no I/O: whoever drives it reads the names (a survey) and looks at single
 * domains when they have changed.
 */
#ifndef MAP_DOMAINS_H
#define MAP_DOMAINS_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domains;

enum domain_state { DOMAIN_UNMANAGED, DOMAIN_MANAGED, DOMAIN_UNKNOWN };

struct domains *domains_new(const char *prefix);
void domains_free(struct domains **domains);

/* What the settings say: canonical names, copied; only = there are no others. */
void domains_set_floor(struct domains *domains, const struct str *names, size_t count, bool only);
bool domains_is_floor(const struct domains *domains, struct str domain);

enum domain_state domains_find(const struct domains *domains, struct str domain);

/* A session lives from here; the list must be read anew. And: it does not any more. */
void domains_session(struct domains *domains);
void domains_no_session(struct domains *domains);

/* Something changed: key is "prefix:owner:@d" or any other; and: everything may have. */
void domains_change(struct domains *domains, struct str key);
void domains_change_all(struct domains *domains);

/*
 * The survey. begin: true when one is due, and it is begun; then found() for
 * every key that SCAN of domains_pattern() named, and end() after the last, or
 * the session's end at any time.
 */
const char *domains_pattern(const struct domains *domains);
bool domains_survey_begin(struct domains *domains);
void domains_survey_found(struct domains *domains, struct str key);
void domains_survey_end(struct domains *domains);

/*
 * A domain of which to find out whether "prefix:owner:@d" or "prefix:login:@d"
 * exists: true and domain_r, lent until it is settled with what was found. One
 * that changed meanwhile comes again.
 */
bool domains_next(struct domains *domains, struct str *domain_r);
void domains_settle(struct domains *domains, struct str domain, bool exists);

/*
 * Go over the list, in pieces: after begin, each call passes over at most
 * names_most and is true while there may be more. Between calls anything may
 * happen to the list; what is in it all the time comes once. fn may not change it.
 */
typedef void domains_walk_fn(void *ctx, struct str domain, bool is_sure);
void domains_walk_begin(struct domains *domains);
bool domains_walk(struct domains *domains, size_t names_most, domains_walk_fn *fn, void *ctx);

/*
 * A list that an earlier process has saved, before the first session: its names,
 * and then, where it was complete and nothing was missed since, that it was.
 */
void domains_restore(struct domains *domains, struct str domain, bool is_sure);
void domains_restore_complete(struct domains *domains);

/* The list that is gone over is complete; where the settings say that there are no others: none. */
bool domains_list_is_complete(const struct domains *domains);

size_t domains_count(const struct domains *domains);
bool domains_are_complete(const struct domains *domains); /* UNMANAGED is an answer now */

#endif
