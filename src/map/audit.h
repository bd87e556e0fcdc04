/*
 * audit.h - looking for a change in the audit stream                  (driver)
 *
 * Every fenced change draws a nonce, which stands in its entry of the stream as
 * "op". So a writer that lost its connection before it heard what became of its
 * change can ask the map itself.
 */
#ifndef MAP_AUDIT_H
#define MAP_AUDIT_H

#include "map/client.h"

enum { AUDIT_PAGE = 100, AUDIT_LOOKS_MOST = 2000 };

enum audit_found {
	AUDIT_IS_THERE,
	AUDIT_IS_NOT, /* the stream was seen to its beginning */
	AUDIT_UNKNOWN /* the stream is empty, or has more entries since than we look at */
};

/* Was the change with this nonce written? -1 and *fault_r: Redis did not answer. */
int audit_find(struct client *client, const char *nonce, enum audit_found *found_r,
    struct fault *fault_r);

#endif
