/*
 * members.c - the Redis servers that hold the map                     (driver)
 */
#include "admin/members.h"

#include "base/clock.h"
#include "base/mem.h"
#include "map/reached.h"

#include <stdio.h>
#include <unistd.h>

/* A WAIT is shorter than the time after which a silent Redis is given up. */
enum { WAIT_STEP_MS = 1000, LOOK_PAUSE_MS = 100 };

static const char *const state_names[] = {
    [MEMBER_MASTER] = "master",
    [MEMBER_ONLINE] = "online",
    [MEMBER_SYNCS] = "syncs",
    [MEMBER_MISSING] = "missing",
    [MEMBER_DEAD] = "dead",
};
_Static_assert(ARRAY_LEN(state_names) == MEMBER_STATES, "a state lacks its name");

const char *
member_state_name(enum member_state state)
{
	return state_names[state];
}

/* ---- judging */

static const struct server_replica *
find_replica(const struct server_replication *replication, const char *address)
{
	for (size_t i = 0; i < replication->replica_count; i++) {
		if (strcmp(replication->replicas[i].address, address) == 0)
			return &replication->replicas[i];
	}
	return NULL;
}

/*
 * A master does not tell its own address. It is the member that we reached, even
 * one that was declared dead, or the only one that is neither its replica nor
 * dead; else nobody knows.
 */
static const char *
find_master(const struct map_head *head, const struct server_replication *replication,
    const char *reached)
{
	const char *found = NULL;
	unsigned count = 0;

	if (head_servers_has(&head->named, str_of(reached)) ||
	    head_servers_has(&head->dead, str_of(reached)))
		return reached;
	for (unsigned i = 0; i < head->named.count; i++) {
		const char *address = head->named.address[i];

		if (find_replica(replication, address) != NULL ||
		    head_servers_has(&head->dead, str_of(address)))
			continue;
		found = address;
		count++;
	}
	return count == 1 ? found : NULL;
}

static struct member *
add(struct members *members, const char *address, enum member_state state)
{
	struct member *member = &members->list[members->count++];

	must(members->count <= MEMBERS_ROWS_MOST);
	*member = (struct member){.state = state, .heard_s = -1};
	snprintf(member->address, sizeof(member->address), "%s", address);
	return member;
}

static void
add_replica(struct members *members, const struct map_head *head,
    const struct server_replica *replica, uint64_t offset)
{
	struct str address = str_of(replica->address);
	struct member *member =
	    add(members, replica->address, replica->is_online ? MEMBER_ONLINE : MEMBER_SYNCS);

	member->is_stranger = head->named.count > 0 && !head_servers_has(&head->named, address);
	member->is_declared_dead = head_servers_has(&head->dead, address);
	member->offset = replica->offset;
	member->behind_bytes = offset > replica->offset ? offset - replica->offset : 0;
	member->heard_s = replica->heard_s;
	if (!replica->is_online || member->is_stranger)
		return;
	if (member->is_declared_dead)
		members->online_dead++;
	else
		members->online++;
}

static void
add_absent(struct members *members, const struct map_head *head, const char *address)
{
	bool is_dead = head_servers_has(&head->dead, str_of(address));

	if (members_find(members, address) != NULL)
		return;
	add(members, address, is_dead ? MEMBER_DEAD : MEMBER_MISSING)->is_declared_dead = is_dead;
}

void
members_judge(struct members *members_r, const struct map_head *head,
    const struct server_replication *replication, const char *reached)
{
	const char *master = find_master(head, replication, reached);
	struct member *first;

	*members_r = (struct members){.offset = replication->offset,
	    .wanted = head_replicas_all(head),
	    .majority = head_replicas_most(head)};
	first = add(members_r, master != NULL ? master : "", MEMBER_MASTER);
	first->is_declared_dead = head_servers_has(&head->dead, str_of(first->address));
	for (size_t i = 0; i < replication->replica_count; i++)
		add_replica(members_r, head, &replication->replicas[i], replication->offset);
	for (unsigned i = 0; i < head->named.count; i++)
		add_absent(members_r, head, head->named.address[i]);
	for (unsigned i = 0; i < head->dead.count; i++) /* of a map that knows their number only */
		add_absent(members_r, head, head->dead.address[i]);
}

const struct member *
members_find(const struct members *members, const char *address)
{
	for (unsigned i = 0; i < members->count; i++) {
		if (strcmp(members->list[i].address, address) == 0)
			return &members->list[i];
	}
	return NULL;
}

/* ---- asking */

struct question {
	struct server_replication replication;
	bool failed;
	struct fault fault;
};

static int
question_end(struct question *question, struct client *client, struct fault *fault_r)
{
	if (client_wait(client, 0, fault_r) == -1)
		return -1;
	if (question->failed)
		*fault_r = question->fault;
	return question->failed ? -1 : 0;
}

static void
on_info(void *ctx, const struct resp *reply)
{
	struct question *question = ctx;

	question->failed = question->failed || server_replication_read(reply,
						   &question->replication, &question->fault) == -1;
}

int
members_read_as(struct members *members_r, const struct map_head *head, struct client *client,
    struct fault *fault_r)
{
	struct question question = {0};

	client_words(client, on_info, &question, "INFO", "replication", NULL);
	if (question_end(&question, client, fault_r) == -1)
		return -1;
	members_judge(members_r, head, &question.replication, client_address(client));
	return 0;
}

int
members_read(struct members *members_r, struct client *client, struct fault *fault_r)
{
	return members_read_as(members_r, &client_map(client)->head, client, fault_r);
}

static void
on_wait(void *ctx, const struct resp *reply)
{
	struct question *question = ctx;

	if (resp_type(reply) == RESP_INTEGER)
		return; /* it counts strangers too: the replicas themselves are looked at */
	question->failed = true;
	server_error(reply, "WAIT", &question->fault);
}

/* One WAIT, which also makes replicas say how far they are, and a look at who they are. */
static int
wait_and_look(struct question *question, struct client *client, unsigned wanted,
    struct fault *fault_r)
{
	char count[16], step[16];

	snprintf(count, sizeof(count), "%u", wanted);
	snprintf(step, sizeof(step), "%d", WAIT_STEP_MS);
	client_words(client, on_wait, question, "WAIT", count, step, NULL);
	client_words(client, on_info, question, "INFO", "replication", NULL);
	if (question_end(question, client, fault_r) == -1 || client_read_map(client, fault_r) == -1)
		return -1;
	if (!client_map(client)->initialised)
		return fault_set(fault_r, VERDICT_TEMP, "the map is gone");
	return 0;
}

int
members_wait(struct client *client, uint64_t most_ms, struct fault *fault_r)
{
	uint64_t start = clock_ms(), offset = 0;
	struct question question = {0};
	struct reached reached;
	unsigned wanted = 0;

	for (bool first = true;; first = false) {
		if (wait_and_look(&question, client, wanted, fault_r) == -1)
			return -1;
		if (first)
			offset = question.replication.offset; /* past what was written */
		reached_count(&reached, &client_map(client)->head, &question.replication,
		    client_address(client), offset);
		wanted = reached.wanted;
		if (reached.count >= wanted)
			return 0;
		if (clock_ms() - start >= most_ms)
			break;
		if (!first) /* strangers may have answered the WAIT at once */
			usleep(LOOK_PAUSE_MS * 1000);
	}
	return fault_set(fault_r, VERDICT_TEMP, "only %u of %u replicas have it", reached.count,
	    wanted);
}
