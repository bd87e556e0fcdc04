/*
 * link_reach.c - which members have what we wrote                     (driver)
 *
 * FENCING counts members, and WAIT whoever replicates. With a stranger at its side
 * a master that was cut off would go on renewing leases, while the others, who
 * declared it dead, confirm changes; and an entry of the roster that a stranger has
 * in the place of a member is gone when that one is promoted. So where the map
 * names its members, INFO says which of them have come so far: one before WAIT for
 * the offset, which is past what was written, and one behind it for theirs. WAIT
 * is asked for so many more as were seen to be strangers, or their answer would end
 * it before that of a member.
 *
 * Where the map knows only how many they are there are no strangers to tell from
 * them: whoever has replicas beside them names the members. And that the master is a
 * member itself is not looked at, because it may be known by another name: a
 * stranger is not to be promoted in any case.
 */
#include "map/link_inside.h"

#include "map/reached.h"

#include <inttypes.h>
#include <stdio.h>

static void
on_offset(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;
	struct server_replication replication;
	struct fault fault;

	if (reply == NULL)
		return;
	if (server_replication_read(reply, &replication, &fault) == -1)
		link_lost(link, &fault);
	else
		link->reach_offset = replication.offset;
}

static void
on_waited(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;

	if (reply != NULL && resp_type(reply) != RESP_INTEGER)
		link_refuse(h->link, reply, "WAIT");
}

void
reach_ask(struct link *link, unsigned count, uint64_t most_ms, redis_reply_fn *fn)
{
	struct wire *h = &link->wires[WIRE_H];
	bool by_name = link->head.named.count > 0;
	char wanted[16], most[24];

	snprintf(wanted, sizeof(wanted), "%u", count + link->reach_others);
	snprintf(most, sizeof(most), "%" PRIu64, most_ms);
	if (by_name)
		redis_words(h->redis, on_offset, h, "INFO", "replication", NULL);
	redis_words(h->redis, by_name ? on_waited : fn, h, "WAIT", wanted, most, NULL);
	if (by_name)
		redis_words(h->redis, fn, h, "INFO", "replication", NULL);
}

/* The answer to WAIT alone; of a map that has named its members meanwhile it says nothing. */
static void
count_any(const struct link *link, int64_t replicas, struct link_reached *reached_r)
{
	if (link->head.named.count > 0)
		replicas = 0;
	*reached_r = (struct link_reached){.most = (unsigned)replicas,
	    .all = (unsigned)replicas,
	    .all_wanted = head_replicas_all(&link->head)};
}

/* Those that answer WAIT and count for nothing: strangers, and for an entry the dead too. */
static unsigned
count_others(const struct link *link, const struct server_replication *replication)
{
	const struct map_head *head = &link->head;
	unsigned count = 0;

	for (size_t i = 0; i < replication->replica_count; i++) {
		struct str address = str_of(replication->replicas[i].address);

		count +=
		    replication->replicas[i].is_online &&
		    (!head_servers_has(&head->named, address) ||
			(link->phase == LINK_ENTERING && head_servers_has(&head->dead, address)));
	}
	return count;
}

int
reach_read(struct link *link, const struct resp *reply, struct link_reached *reached_r)
{
	struct server_replication replication;
	struct reached all;
	struct fault fault;

	if (resp_type(reply) == RESP_INTEGER) {
		count_any(link, resp_int(reply), reached_r);
		return 0;
	}
	if (resp_type(reply) != RESP_STRING) {
		link_refuse(link, reply, "WAIT");
		return -1;
	}
	if (server_replication_read(reply, &replication, &fault) == -1) {
		link_lost(link, &fault);
		return -1;
	}
	link->reach_others = count_others(link, &replication);
	reached_count(&all, &link->head, &replication, redis_target_address(link->target),
	    link->reach_offset);
	*reached_r = (struct link_reached){
	    .most = reached_most(&link->head, &replication, link->reach_offset),
	    .all = all.count,
	    .all_wanted = all.wanted};
	return 0;
}
