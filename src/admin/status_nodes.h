/*
 * status_nodes.h - the nodes of the map, as a table                   (driver)
 */
#ifndef ADMIN_STATUS_NODES_H
#define ADMIN_STATUS_NODES_H

#include "admin/admin.h"
#include "admin/nodes.h"

/*
 * Print the nodes, which were looked at twice, and under each what an operator
 * must look at and what helps. Returns how many have such lines.
 */
size_t status_nodes(const struct admin *admin, const struct nodes *nodes);

/* Of one of them the same, as an array of sentences; the caller's. */
json_t *node_troubles(const struct admin *admin, const struct nodes *nodes,
    const struct node *node);

#endif
