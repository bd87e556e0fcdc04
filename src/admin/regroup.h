/*
 * regroup.h - other Redis servers hold the map                        (driver)
 *
 * Who the members are stands in the head, which heartbeats and writers read anew
 * each time: so nobody needs to be told. But what was confirmed is on the former
 * members, and what is written from now on waits for the new ones. So each of them
 * must be there before, and have all of it afterwards; also the new list itself,
 * because a server that is promoted without it would wait for the former ones.
 *
 * A former member that was away meanwhile has no majority of the new ones behind
 * it only if it is not promoted: that nobody but the operator can see to.
 */
#ifndef ADMIN_REGROUP_H
#define ADMIN_REGROUP_H

#include "admin/admin.h"

/* "3" or "host:port ...", which head_members_read() has understood. 0 or a code, said. */
int regroup(struct admin *admin, const char *text);

#endif
