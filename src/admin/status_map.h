/*
 * status_map.h - the map as Redis tells it                            (driver)
 */
#ifndef ADMIN_STATUS_MAP_H
#define ADMIN_STATUS_MAP_H

#include "admin/admin.h"
#include "admin/members.h"

/*
 * "open": the lease is shorter than that of a new map, "closed": longer, "half
 * open": neither; "opening": it was made shorter, and nobody has seen yet that no
 * longer one runs.                                                     (pure)
 */
const char *window_word(const struct map_head *head);

/* Print the head of the map. Returns whether an operator must look at something. */
bool status_head(const struct admin *admin);

/* The same for the Redis servers. */
bool status_members(const struct admin *admin, const struct members *members);

/* What is wrong with the lease, and what helps: an array of sentences, the caller's. */
json_t *head_troubles(const struct map_head *head);

/* The same for the members: an array of sentences, the caller's. */
json_t *members_troubles(const struct map_head *head, const struct members *members);

#endif
