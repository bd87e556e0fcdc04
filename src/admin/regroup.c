/*
 * regroup.c - other Redis servers hold the map                        (driver)
 */
#include "admin/regroup.h"

#include "admin/edit.h"
#include "admin/members.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

struct regrouping {
	struct admin *admin;
	const char *members; /* as it is stored */
	unsigned count;
	struct head_servers named;
};

/* Those that are dead and still members; all, where members have no names. */
static void
keep_dead(struct edit *edit, const struct head_servers *named)
{
	const struct head_servers *dead = &edit->head.dead;
	struct buf text = BUF_INIT;

	for (unsigned i = 0; i < dead->count; i++) {
		if (named->count == 0 || head_servers_has(named, str_of(dead->address[i])))
			buf_addf(&text, "%s%s", buf_len(&text) > 0 ? " " : "", dead->address[i]);
	}
	edit_put(edit, "dead", "%s", buf_cstr(&text));
	buf_fini(&text);
}

static int
edit_members(void *ctx, struct edit *edit)
{
	struct regrouping *regrouping = ctx;

	edit_put(edit, "members", "%s", regrouping->members);
	keep_dead(edit, &regrouping->named);
	edit_put(edit, "lease_epoch", "%" PRIu64, edit->head.epoch + 1);
	return 0;
}

/* The head as it will be. */
static void
head_with_members(const struct regrouping *regrouping, struct map_head *head_r)
{
	const struct map_head *head = &client_map(regrouping->admin->client)->head;
	const struct head_servers *named = &regrouping->named;

	*head_r = *head;
	head_r->members = regrouping->count;
	head_r->named = *named;
	head_r->dead.count = 0;
	for (unsigned i = 0; i < head->dead.count; i++) {
		if (named->count == 0 || head_servers_has(named, str_of(head->dead.address[i])))
			memcpy(head_r->dead.address[head_r->dead.count++], head->dead.address[i],
			    HEAD_ADDRESS_BYTES);
	}
}

/* Who is neither the master nor follows it, and was not declared dead. */
static void
describe_missing(const struct members *members, const struct map_head *head, struct buf *out)
{
	for (unsigned i = 0; i < head->named.count; i++) {
		const struct member *member = members_find(members, head->named.address[i]);

		if (member->state == MEMBER_SYNCS ||
		    (member->state == MEMBER_MISSING && !member->is_declared_dead))
			buf_addf(out, "%s%s %s", buf_len(out) > 0 ? ", " : "",
			    head->named.address[i],
			    member->state == MEMBER_SYNCS ? "is still being filled"
							  : "does not follow the master");
	}
	if (buf_len(out) == 0 && head->named.count > 0 && members->list[0].address[0] == '\0')
		buf_addf(out, "the master is none of them");
	if (buf_len(out) == 0 && members->online < members->wanted)
		buf_addf(out, "%u replicas follow the master, of %u", members->online,
		    members->wanted);
}

/*
 * The lease is renewed, and changes are confirmed, by the former members until
 * this moment and by the new ones after it: these must be there, or nothing is
 * confirmed any more; and whoever of the former is away and not told must not be
 * promoted, which only a person can see to.
 */
static int
check_members(const struct regrouping *regrouping)
{
	struct admin *admin = regrouping->admin;
	struct buf missing = BUF_INIT;
	struct members before, after;
	struct map_head head;
	struct fault fault;
	int code = 0;

	head_with_members(regrouping, &head);
	if (members_read(&before, admin->client, &fault) == -1 ||
	    members_read_as(&after, &head, admin->client, &fault) == -1)
		return admin_fault(admin, &fault);
	describe_missing(&after, &head, &missing);
	if (buf_len(&missing) > 0)
		code = admin_fail(admin, EX_NOPERM,
		    "these cannot be the members: %s; see to that first, nothing was changed",
		    buf_cstr(&missing));
	else if (head.members - head.dead.count <= head_replicas_most(&head))
		code = admin_fail(admin, EX_NOPERM,
		    "%u of these %u members are declared dead: the others are no majority",
		    head.dead.count, head.members);
	else if (before.online + before.online_dead < before.majority)
		admin_note(admin,
		    "most of the former members do not follow this master: see that none of them is "
		    "promoted, or is one already; changes would be undone and nodes there would go on");
	buf_fini(&missing);
	return code;
}

int
regroup(struct admin *admin, const char *text)
{
	struct regrouping regrouping = {.admin = admin, .members = text};
	struct seal seal;
	int code;

	must(head_members_read(str_of(text), &regrouping.count, &regrouping.named));
	if ((code = check_members(&regrouping)) != 0 ||
	    (code = edit_head(admin, "init", edit_members, &regrouping, &seal)) != 0)
		return code;
	return edit_reach(admin, &seal, "the members are changed here",
	    "after a failover the former ones may count; see splitmx member list, and run it again");
}
