/*
 * found.h - the owners that a barrier finds                           (driver)
 *
 * A barrier confirms what is in the map now, whoever wrote it. So that nobody takes
 * an edit by hand for a lost change afterwards, its entry in the audit stream says
 * what that was.
 */
#ifndef ADMIN_FOUND_H
#define ADMIN_FOUND_H

#include "base/buf.h"
#include "map/client.h"

/*
 * WATCH the owner keys of these names and append a line "name owner" for each, as
 * entry.h reads it. 0, or -1 and *fault_r.
 */
int found_owners(struct client *client, const struct str *names, size_t count, struct buf *out,
    struct fault *fault_r);

#endif
