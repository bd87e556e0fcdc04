/*
 * suspects.c - owners that are not as they were noted last            (driver)
 */
#include "admin/suspects.h"

#include "admin/shell.h"
#include "base/mem.h"
#include "map/server.h"

#include <stdlib.h>

enum { LOOK_MOST = 100 }; /* in one transaction */

void
suspects_init(struct suspects *suspects, struct doctor *doctor, struct noted *noted,
    struct history_place *place)
{
	*suspects =
	    (struct suspects){.doctor = doctor, .noted = noted, .place = place, .names = BUF_INIT};
}

void
suspects_fini(struct suspects *suspects)
{
	buf_fini(&suspects->names);
	free(suspects->lens);
}

/* ---- who */

/* An owner key as it was found; not there, or no string: "value" is empty. */
struct found_key {
	bool there, is_string;
	struct str value; /* as entries write it */
};

static struct found_key
found_string(struct str value)
{
	return (struct found_key){true, true, entry_value(true, value)};
}

/*
 * What there is to be said; FINDING_KINDS: nothing. Of a key that is no string
 * doctor_keys() has said more.
 */
static enum finding_kind
judge(const struct suspects *suspects, struct str name, const struct found_key *key,
    struct noted_owner *owner_r)
{
	bool is_noted = noted_find(suspects->noted, name, owner_r);

	if (key->there && !key->is_string)
		return FINDING_KINDS;
	if (!is_noted)
		return key->there && noted_is_whole(suspects->noted) ? FINDING_UNNOTED
								     : FINDING_KINDS;
	if (!key->there && !str_is(owner_r->after, "-"))
		return FINDING_GONE;
	if (key->there && !str_eq(key->value, owner_r->after))
		return FINDING_EDITED;
	return owner_r->confirmed ? FINDING_KINDS : FINDING_UNCONFIRMED;
}

static void
suspect(struct suspects *suspects, struct str name, const struct found_key *key)
{
	struct noted_owner unimportant;

	if (judge(suspects, name, key, &unimportant) == FINDING_KINDS)
		return;
	buf_add_str(&suspects->names, name);
	suspects->lens =
	    xrealloc(suspects->lens, (suspects->count + 1) * sizeof(suspects->lens[0]));
	suspects->lens[suspects->count++] = name.len;
}

void
suspects_row(struct suspects *suspects, const struct scan_row *row)
{
	struct found_key key = {.there = true};

	if (row->is_string)
		key = found_string(row->owner);
	suspect(suspects, row->name, &key);
}

void
suspects_without(struct suspects *suspects, struct str name)
{
	suspect(suspects, name, &(struct found_key){0});
}

/* ---- what is said of them */

static void
say(const struct suspects *suspects, struct str name, const struct found_key *key)
{
	struct noted_owner owner;
	enum finding_kind kind = judge(suspects, name, key, &owner);
	const char *word = shell_name(name);

	if (kind == FINDING_UNNOTED)
		doctor_say(suspects->doctor, kind, name,
		    "%.*s, and no command ever noted that: edited by hand; splitmx barrier%s "
		    "confirms it",
		    STR_FMT(key->value), word);
	else if (kind == FINDING_EDITED)
		doctor_say(suspects->doctor, kind, name,
		    "%.*s, and the last noted change wrote %.*s: edited by hand, or lost in a "
		    "failover; splitmx barrier%s confirms what is there, splitmx set changes it "
		    "back",
		    STR_FMT(key->value), STR_FMT(owner.after), word);
	else if (kind == FINDING_GONE)
		doctor_say(suspects->doctor, kind, name,
		    "has no owner key, and the last noted change wrote %.*s: removed by hand, or "
		    "lost in a failover; splitmx barrier%s confirms that, splitmx set changes it "
		    "back",
		    STR_FMT(owner.after), word);
	else if (kind == FINDING_UNCONFIRMED && key->there)
		doctor_say(suspects->doctor, kind, name,
		    "%.*s was written and never confirmed, a failover may undo it: splitmx "
		    "barrier%s",
		    STR_FMT(key->value), word);
	else if (kind == FINDING_UNCONFIRMED)
		doctor_say(suspects->doctor, kind, name,
		    "its key was removed, which was never confirmed: splitmx barrier%s", word);
}

/* ---- the second look */

struct look {
	struct suspects *suspects;
	const struct str *names;
	size_t count;
	bool more, failed; /* the stream has more than was asked for; Redis said no */
	struct fault fault;
};

static void
take_key(struct look *look, struct str name, const struct resp *reply)
{
	struct found_key key = {0};

	if (resp_type(reply) == RESP_STRING) {
		key = found_string(resp_str(reply));
	} else if (resp_is_error(reply, "WRONGTYPE")) {
		key.there = true;
	} else if (resp_type(reply) != RESP_NIL) {
		look->failed = true;
		server_error(reply, "to show an owner", &look->fault);
		return;
	}
	say(look->suspects, name, &key);
}

/* The rest of the stream, then the owners: as they are at its end, or they are asked for again. */
static void
on_exec(void *ctx, const struct resp *reply)
{
	struct look *look = ctx;
	struct suspects *suspects = look->suspects;

	if (resp_count(reply) != look->count + 1) {
		look->failed = true;
		server_error(reply, "to show owners", &look->fault);
		return;
	}
	if (history_take_next(suspects->place, resp_at(reply, 0), noted_take, suspects->noted,
		&look->more, &look->fault) == -1) {
		look->failed = true;
		return;
	}
	for (size_t i = 0; !look->more && !look->failed && i < look->count; i++)
		take_key(look, look->names[i], resp_at(reply, i + 1));
}

static void
ask_owner(struct client *client, struct str name)
{
	struct buf key = BUF_INIT;
	struct str argv[2] = {STR("GET")};

	buf_addf(&key, "%s:owner:", client_prefix(client));
	buf_add_str(&key, name);
	argv[1] = buf_str(&key);
	client_command(client, NULL, NULL, argv, 2);
	buf_fini(&key);
}

static int
look_at(struct suspects *suspects, const struct str *names, size_t count, struct fault *fault_r)
{
	struct client *client = suspects->doctor->admin->client;
	struct look look = {.suspects = suspects, .names = names, .count = count};

	do {
		client_words(client, NULL, NULL, "MULTI", NULL);
		history_ask_next(client, suspects->place);
		for (size_t i = 0; i < count; i++)
			ask_owner(client, names[i]);
		client_words(client, on_exec, &look, "EXEC", NULL);
		if (client_wait(client, 0, fault_r) == -1)
			return -1;
	} while (look.more && !look.failed);
	if (look.failed)
		*fault_r = look.fault;
	return look.failed ? -1 : 0;
}

int
suspects_look(struct suspects *suspects, struct fault *fault_r)
{
	struct str names[LOOK_MOST], rest = buf_str(&suspects->names);
	size_t done = 0;

	while (done < suspects->count) {
		size_t count = 0;

		for (; count < LOOK_MOST && done < suspects->count; count++, done++) {
			names[count] = str_make(rest.ptr, suspects->lens[done]);
			rest = str_from(rest, suspects->lens[done]);
		}
		if (look_at(suspects, names, count, fault_r) == -1)
			return -1;
	}
	return 0;
}
