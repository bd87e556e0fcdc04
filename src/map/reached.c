/*
 * reached.c - which Redis servers have a change                         (pure)
 */
#include "map/reached.h"

#include <string.h>

static const struct server_replica *
find(const struct server_replication *replication, const char *address)
{
	for (size_t i = 0; i < replication->replica_count; i++) {
		if (strcmp(replication->replicas[i].address, address) == 0)
			return &replication->replicas[i];
	}
	return NULL;
}

/*
 * A replica that was only now filled says 0 until it has read what it was sent, and
 * the offset of a master that had no replica before is 0 as well.
 */
static bool
has(const struct server_replica *replica, uint64_t offset)
{
	return replica->is_online && replica->offset > 0 && replica->offset >= offset;
}

/* Each member that lives and is not the master itself. */
static void
count_named(struct reached *reached, const struct map_head *head,
    const struct server_replication *replication, const char *master, uint64_t offset)
{
	bool master_is_named = head_servers_has(&head->named, str_of(master));
	struct head_servers *missing = &reached->missing;
	unsigned away = 0, last_away = 0;

	for (unsigned i = 0; i < head->named.count; i++) {
		const char *address = head->named.address[i];
		const struct server_replica *replica = find(replication, address);

		if (head_servers_has(&head->dead, str_of(address)) || strcmp(address, master) == 0)
			continue;
		reached->wanted++;
		if (replica != NULL && has(replica, offset)) {
			reached->count++;
			continue;
		}
		if (replica == NULL) {
			last_away = missing->count;
			away++;
		}
		memcpy(missing->address[missing->count++], address, HEAD_ADDRESS_BYTES);
	}
	if (master_is_named || away == 0)
		return;
	/* Known by another name, one of those that follow nobody is the master. */
	reached->wanted--;
	if (away == 1) {
		missing->count--;
		memmove(missing->address[last_away], missing->address[last_away + 1],
		    (missing->count - last_away) * sizeof(missing->address[0]));
	}
}

/* So many, and each that follows: Sentinel promotes whichever it likes. */
static void
count_all(struct reached *reached, const struct map_head *head,
    const struct server_replication *replication, const char *master, uint64_t offset)
{
	unsigned online = 0;

	reached->wanted = head_replicas_all(head);
	if (head_servers_has(&head->dead, str_of(master)))
		reached->wanted++; /* promoted all the same: one more of the others lives */
	for (size_t i = 0; i < replication->replica_count; i++) {
		const struct server_replica *replica = &replication->replicas[i];

		if (!replica->is_online || head_servers_has(&head->dead, str_of(replica->address)))
			continue;
		online++;
		reached->count += has(replica, offset);
	}
	if (head->members > 1 && online > reached->wanted)
		reached->wanted = online;
}

void
reached_count(struct reached *reached_r, const struct map_head *head,
    const struct server_replication *replication, const char *master, uint64_t offset)
{
	*reached_r = (struct reached){0};
	if (head->named.count > 0)
		count_named(reached_r, head, replication, master, offset);
	else
		count_all(reached_r, head, replication, master, offset);
}

/* One that was cut off and is back may stand there twice for a while. */
unsigned
reached_most(const struct map_head *head, const struct server_replication *replication,
    uint64_t offset)
{
	struct head_servers counted = {0};
	unsigned count = 0;

	for (size_t i = 0; i < replication->replica_count; i++) {
		const struct server_replica *replica = &replication->replicas[i];
		struct str address = str_of(replica->address);

		if (!has(replica, offset))
			continue;
		if (head->named.count == 0) {
			count++;
		} else if (head_servers_has(&head->named, address) &&
			   !head_servers_has(&counted, address)) {
			memcpy(counted.address[counted.count++], replica->address,
			    HEAD_ADDRESS_BYTES);
			count++;
		}
	}
	return count;
}
