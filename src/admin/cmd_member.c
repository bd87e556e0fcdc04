/*
 * cmd_member.c - splitmx member list, dead ADDRESS, alive ADDRESS     (driver)
 *
 * While a Redis server is away nothing is confirmed: it might be promoted without
 * the change. Only a person can say that it will not be. Who declares it dead
 * promises that, and changes are confirmed without it; whoever takes that back
 * must see that it has everything again.
 */
#include "admin/admin.h"

#include "admin/edit.h"
#include "admin/members.h"
#include "admin/progress.h"
#include "admin/status_map.h"
#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static const struct option_row options[] = {
    {"yes", NULL, "dead: the promise, without being asked for it"},
    {"force", NULL, "dead: also where the map does not know whether it is a member"},
    {"reason", "TEXT", "why; stands in the audit stream"},
    {"by", "WHO", "on whose behalf; stands in the audit stream beside your own name"},
    {0},
};

enum { CATCH_UP_MS = 10000, LOOK_EVERY_MS = 200 };

struct declaration {
	struct admin *admin;
	const char *address;
	bool dies;
};

static int
read_members(struct admin *admin, struct members *members_r)
{
	struct fault fault;

	if (members_read(members_r, admin->client, &fault) == -1)
		return admin_fault(admin, &fault);
	return 0;
}

/* ---- the list of the dead */

static void
put_dead(struct edit *edit, const struct declaration *declaration)
{
	struct buf text = BUF_INIT;

	for (unsigned i = 0; i < edit->head.dead.count; i++) {
		if (!declaration->dies &&
		    strcmp(edit->head.dead.address[i], declaration->address) == 0)
			continue;
		buf_addf(&text, "%s%s", buf_len(&text) > 0 ? " " : "", edit->head.dead.address[i]);
	}
	if (declaration->dies)
		buf_addf(&text, "%s%s", buf_len(&text) > 0 ? " " : "", declaration->address);
	edit_put(edit, "dead", "%s", buf_cstr(&text));
	buf_fini(&text);
}

/* What the head allows: a member, known by name where they have names, and enough others left. */
static int
check_dying(const struct declaration *declaration, const struct map_head *head)
{
	struct admin *admin = declaration->admin;
	const char *address = log_quote_text(declaration->address);

	if (head->named.count > 0 && !head_servers_has(&head->named, str_of(declaration->address)))
		return admin_fail(admin, EX_DATAERR,
		    "%s is no member of the map: see splitmx member list", address);
	if (head->members - head->dead.count - 1 <= head_replicas_most(head))
		return admin_fail(admin, EX_NOPERM,
		    "%u of %u members are dead already: without %s there is no majority, and no "
		    "lease would be renewed. Start one of them, or make a smaller group with "
		    "splitmx init --force --members",
		    head->dead.count, head->members, address);
	return 0;
}

static int
edit_dead(void *ctx, struct edit *edit)
{
	struct declaration *declaration = ctx;
	bool is_dead = head_servers_has(&edit->head.dead, str_of(declaration->address));
	int code;

	if (is_dead == declaration->dies)
		return EDIT_NOTHING;
	if (declaration->dies && (code = check_dying(declaration, &edit->head)) != 0)
		return code;
	put_dead(edit, declaration);
	return 0;
}

static int
say(const struct declaration *declaration, const struct seal *seal)
{
	struct admin *admin = declaration->admin;
	const char *word = declaration->dies ? "dead" : "alive";

	if (admin->json)
		admin_print_json(json_pack("{s:o, s:s, s:b, s:I}", "member",
		    admin_json_text(str_of(declaration->address)), "declared", word, "changed",
		    seal->epoch > 0, "epoch",
		    (json_int_t)(seal->epoch > 0 ? seal->epoch
						 : client_map(admin->client)->head.epoch)));
	else if (seal->epoch == 0)
		printf("%s: unchanged, %s\n", log_quote_text(declaration->address), word);
	else
		printf("%s: declared %s (epoch %" PRIu64 ")\n",
		    log_quote_text(declaration->address), word, seal->epoch);
	return 0;
}

/* ---- dead */

/* A failover that undoes it makes changes wait for the member again: no harm. */
static int
declare_dead(struct declaration *declaration)
{
	struct seal seal;
	int code = edit_head(declaration->admin, "member dead", edit_dead, declaration, &seal);

	return code != 0 ? code : say(declaration, &seal);
}

/*
 * A map that knows its members by number only cannot say whether this is one of
 * them, and a slip of the pen would free one that may be promoted.
 */
static int
check_unnamed(const struct declaration *declaration, const struct members *members)
{
	struct admin *admin = declaration->admin;
	const struct map_head *head = &client_map(admin->client)->head;
	const char *address = log_quote_text(declaration->address);

	if (head->named.count > 0 || members_find(members, declaration->address) != NULL)
		return 0;
	if (members->online >= members->wanted)
		return admin_fail(admin, EX_DATAERR,
		    "all %u members are there, so %s is none of them: see splitmx member list",
		    head->members - head->dead.count, address);
	if (args_has(&admin->args, "force"))
		return 0;
	return admin_fail(admin, EX_NOPERM,
	    "the map knows only that it has %u members, not which, so nobody can say whether %s is "
	    "one: if it is not, changes are confirmed with one replica too few, and a failover may "
	    "undo them. Name the members with splitmx init --force --members \"host:port ...\" as soon "
	    "as all are there, or take --force if you are sure",
	    head->members, address);
}

static int
check_absent(const struct declaration *declaration, const struct members *members)
{
	const struct member *member = members_find(members, declaration->address);
	const char *address = log_quote_text(declaration->address);

	if (member == NULL)
		return 0;
	switch (member->state) {
	case MEMBER_MASTER:
		return admin_fail(declaration->admin, EX_NOPERM, "%s is the master: it is not dead",
		    address);
	case MEMBER_ONLINE:
	case MEMBER_SYNCS:
		return admin_fail(declaration->admin, EX_NOPERM,
		    "%s follows the master: it is not dead; stop it first, and take it out of "
		    "Sentinel",
		    address);
	case MEMBER_MISSING:
	case MEMBER_DEAD:
	case MEMBER_STATES:
		break;
	}
	return 0;
}

static int
dead(struct declaration *declaration)
{
	struct admin *admin = declaration->admin;
	const struct map_head *head = &client_map(admin->client)->head;
	bool is_dead = head_servers_has(&head->dead, str_of(declaration->address));
	struct members members;
	int code;

	if (is_dead)
		return declare_dead(declaration);
	if ((code = check_dying(declaration, head)) != 0 ||
	    (code = read_members(admin, &members)) != 0 ||
	    (code = check_absent(declaration, &members)) != 0 ||
	    (code = check_unnamed(declaration, &members)) != 0)
		return code;
	code = admin_confirm(admin,
	    "From now on changes are confirmed without %s. If it is ever promoted, they are undone "
	    "and mail goes to former owners: see that it stays stopped, or comes back as a replica "
	    "only. Do you promise that?",
	    log_quote_text(declaration->address));
	return code != 0 ? code : declare_dead(declaration);
}

/* ---- alive */

/* Has it all that the master had when we began? "members" is the last look. */
static int
watch_it(const struct declaration *declaration, struct members *members, bool *here_r)
{
	struct admin *admin = declaration->admin;
	const struct member *member = members_find(members, declaration->address);
	uint64_t start = clock_ms(), wanted = members->offset;
	struct progress progress;
	int code = 0;

	progress_start(&progress, "catching up", "ms", 0, admin->json);
	*here_r = false;
	while (code == 0 && !*here_r && clock_ms() - start < CATCH_UP_MS) {
		usleep(LOOK_EVERY_MS * 1000);
		progress_step(&progress, clock_ms() - start);
		code = read_members(admin, members);
		member = members_find(members, declaration->address);
		*here_r = code == 0 && member != NULL &&
			  (member->state == MEMBER_MASTER ||
			      (member->state == MEMBER_ONLINE && member->offset >= wanted));
	}
	progress_end(&progress);
	return code;
}

/*
 * A server that is promoted without it would confirm changes without the member
 * that may be promoted next: so all must have it, also what was written before.
 */
static int
declare_alive(struct declaration *declaration)
{
	struct admin *admin = declaration->admin;
	struct seal seal;
	char what[HEAD_ADDRESS_BYTES + 64];
	int code = edit_head(admin, "member alive", edit_dead, declaration, &seal);

	snprintf(what, sizeof(what), "%s is declared alive here", declaration->address);
	if (code == 0)
		code = edit_reach(admin, &seal, what,
		    "after a failover changes may be confirmed without it, so it must not be "
		    "promoted yet; see splitmx member list, and run it again");
	return code != 0 ? code : say(declaration, &seal);
}

static int
alive(struct declaration *declaration)
{
	struct admin *admin = declaration->admin;
	const struct map_head *head = &client_map(admin->client)->head;
	struct members members;
	bool here;
	int code;

	if (!head_servers_has(&head->dead, str_of(declaration->address)))
		return declare_alive(declaration);
	if ((code = read_members(admin, &members)) != 0 ||
	    (code = watch_it(declaration, &members, &here)) != 0)
		return code;
	if (!here)
		return admin_fail(admin, EX_NOPERM,
		    "%s does not follow the master, or has not caught up within %d s: it stays "
		    "dead; see splitmx member list",
		    log_quote_text(declaration->address), CATCH_UP_MS / 1000);
	return declare_alive(declaration);
}

static int
list(struct admin *admin)
{
	struct members members;
	int code = read_members(admin, &members);

	if (code != 0)
		return code;
	return status_members(admin, &members) ? EX_UNAVAILABLE : 0;
}

static int
run(struct admin *admin)
{
	const char *word = admin->args.words[0];
	bool lists = strcmp(word, "list") == 0;
	struct declaration declaration = {.admin = admin, .dies = strcmp(word, "dead") == 0};
	struct head_servers one;
	int code;

	if (!lists && !declaration.dies && strcmp(word, "alive") != 0)
		return admin_usage(admin, "\"splitmx member\" takes list, dead or alive, not %s",
		    log_quote_text(word));
	if (admin->args.word_count != (lists ? 1 : 2))
		return admin_usage(admin,
		    lists ? "too many words" : "which one? host:port is missing");
	if (!lists) {
		declaration.address = admin->args.words[1];
		if (!head_servers_read(str_of(declaration.address), &one) || one.count != 1)
			return admin_usage(admin, "%s is no address: write host:port",
			    log_quote_text(declaration.address));
	}
	if ((code = admin_need_map(admin)) != 0)
		return code;
	if (lists)
		return list(admin);
	return declaration.dies ? dead(&declaration) : alive(&declaration);
}

const struct command cmd_member = {
    .name = "member",
    .usage = "list | dead ADDRESS [--yes] [--force] | alive ADDRESS",
    .sentence = "Lists the Redis servers that hold the map; says that one is dead, or no more.",
    .options = options,
    .words_least = 1,
    .words_most = 2,
    .run = run,
    .asks = ASKS_FIRST,
    .writes = WRITES_MAP,
};
