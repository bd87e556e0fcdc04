/*
 * without_lease.c - a node that believes its memory for ever
 *
 * Linked into policyd with --wrap: what the fencer must catch.
 */
#include "map/lease.h"

bool __wrap_lease_runs(const struct lease *lease, uint64_t now_ms);

bool
__wrap_lease_runs(const struct lease *lease, uint64_t now_ms)
{
	return true;
}
