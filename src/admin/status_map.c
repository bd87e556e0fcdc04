/*
 * status_map.c - the map as Redis tells it                            (driver)
 */
#include "admin/status_map.h"

#include "admin/trouble.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- the head */

const char *
window_word(const struct map_head *head)
{
	if (head->lease_most_ms > head->lease_ms)
		return "opening";
	if (head->lease_ms == LEASE_DEFAULT_MS)
		return "half open";
	return head->lease_ms < LEASE_DEFAULT_MS ? "open" : "closed";
}

json_t *
head_troubles(const struct map_head *head)
{
	json_t *troubles = json_array();

	if (head->lease_most_ms > head->lease_ms)
		trouble_add(troubles,
		    "the window is not open yet: leases of up to %" PRIu32
		    " ms may still run; run splitmx window open again",
		    head->lease_most_ms);
	return troubles;
}

static void
print_head_json(const struct admin *admin, json_t *troubles)
{
	const struct map_head *head = &client_map(admin->client)->head;

	admin_print_json(json_pack(
	    "{s:{s:s, s:I, s:[i,i], s:I, s:I, s:s, s:i, s:i, s:i, s:o, s:o}}", "map", "id",
	    head->id, "epoch", (json_int_t)head->epoch, "schema", (int)head->schema_least_reader,
	    (int)head->schema_least_writer, "lease_ms", (json_int_t)head->lease_ms, "lease_most_ms",
	    (json_int_t)head->lease_most_ms, "window", window_word(head), "members",
	    (int)head->members, "replicas_wanted", (int)head_replicas_all(head),
	    "replicas_majority", (int)head_replicas_most(head), "redis",
	    admin_json_text(str_of(client_target(admin->client))), "troubles", troubles));
}

static void
print_head(const struct admin *admin)
{
	const struct map_head *head = &client_map(admin->client)->head;

	printf("map        %s, epoch %" PRIu64 ", schema %u, at %s\n", head->id, head->epoch,
	    head->schema_least_reader, client_target(admin->client));
	printf("lease      %" PRIu32 " ms, window %s\n", head->lease_ms, window_word(head));
}

bool
status_head(const struct admin *admin)
{
	json_t *troubles = head_troubles(&client_map(admin->client)->head);
	bool any = json_array_size(troubles) > 0;

	if (admin->json) {
		print_head_json(admin, troubles);
		return any;
	}
	print_head(admin);
	troubles_print(troubles);
	json_decref(troubles);
	return any;
}

/* ---- the members */

/* One of them that is neither here nor dead, to be named in advice. */
static const char *
first_missing(const struct members *members)
{
	for (unsigned i = 0; i < members->count; i++) {
		if (members->list[i].state == MEMBER_MISSING)
			return members->list[i].address;
	}
	return "ADDRESS";
}

static void
count_troubles(const struct members *members, json_t *troubles)
{
	if (members->online < members->wanted)
		trouble_add(troubles,
		    "%u of %u replicas are here: changes are written, but not confirmed; start the "
		    "others, or where one will never be promoted again: splitmx member dead %s",
		    members->online, members->wanted, first_missing(members));
	if (members->online + members->online_dead < members->majority)
		trouble_add(troubles,
		    "with the master they are no majority of the members: no lease is renewed, and "
		    "when it has run out mail waits; start the other Redis servers");
}

static void
member_troubles(const struct member *member, json_t *troubles)
{
	if (member->is_declared_dead && member->state != MEMBER_DEAD)
		trouble_add(troubles,
		    "%s is declared dead, and is here: when it has caught up, run splitmx member "
		    "alive %s",
		    log_quote_text(member->address), log_quote_text(member->address));
	if (member->is_stranger)
		trouble_add(troubles,
		    "%s follows the master and is no member: nobody waits for it, so it must never "
		    "be promoted; name all members with splitmx init --force --members, or stop it",
		    log_quote_text(member->address));
}

json_t *
members_troubles(const struct map_head *head, const struct members *members)
{
	json_t *troubles = json_array();

	count_troubles(members, troubles);
	if (head->named.count == 0 && members->online + members->online_dead > head->members - 1)
		trouble_add(troubles,
		    "%u replicas follow the master, and the map has %u members: one of them may be "
		    "promoted without what was confirmed; splitmx init --force --members",
		    members->online + members->online_dead, head->members);
	for (unsigned i = 0; i < members->count; i++)
		member_troubles(&members->list[i], troubles);
	return troubles;
}

static void
print_member_json(const struct member *member)
{
	json_t *object = json_pack("{s:o, s:s, s:s, s:b, s:b}", "address",
	    member->address[0] != '\0' ? admin_json_text(str_of(member->address)) : json_null(),
	    "role", member->state == MEMBER_MASTER ? "master" : "replica", "state",
	    member_state_name(member->state), "declared_dead", member->is_declared_dead, "stranger",
	    member->is_stranger);

	if (member->state == MEMBER_ONLINE || member->state == MEMBER_SYNCS) {
		json_object_set_new(object, "behind_bytes",
		    json_integer((json_int_t)member->behind_bytes));
		json_object_set_new(object, "heard_s", json_integer(member->heard_s));
	}
	admin_print_json(json_pack("{s:o}", "member", object));
}

static void
print_member(const struct admin *admin, const struct member *member)
{
	const char *address = member->address;

	if (address[0] == '\0')
		address = client_target(admin->client);
	printf("%-32s %-8s %-8s ", log_quote_text(address),
	    member->state == MEMBER_MASTER ? "master" : "replica",
	    member->state == MEMBER_MASTER ? "online" : member_state_name(member->state));
	if (member->state == MEMBER_ONLINE || member->state == MEMBER_SYNCS)
		printf("%12" PRIu64 " %8" PRId64 "\n", member->behind_bytes, member->heard_s);
	else
		printf("%12s %8s\n", "-", "-");
}

bool
status_members(const struct admin *admin, const struct members *members)
{
	json_t *troubles = members_troubles(&client_map(admin->client)->head, members);
	bool any = json_array_size(troubles) > 0;

	if (!admin->json)
		printf("%-32s %-8s %-8s %12s %8s\n", "MEMBER", "ROLE", "STATE", "BEHIND_BYTES",
		    "HEARD_S");
	for (unsigned i = 0; i < members->count; i++) {
		if (admin->json)
			print_member_json(&members->list[i]);
		else
			print_member(admin, &members->list[i]);
	}
	if (admin->json && any)
		admin_print_json(json_pack("{s:{s:O}}", "members", "troubles", troubles));
	else if (any)
		troubles_print(troubles);
	json_decref(troubles);
	return any;
}
