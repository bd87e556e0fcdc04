/*
 * edit.c - a guarded change of the head of the map                    (driver)
 */
#include "admin/edit.h"

#include "admin/members.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

/* Every change of an account disturbs, because it raises the epoch. */
enum { EDIT_TRIES_MOST = 200 };

struct work {
	struct admin *admin;
	struct edit edit;
	struct seal *seal;
	char *map_key;
	bool disturbed, failed;
	struct fault fault;
};

void
edit_put(struct edit *edit, const char *name, const char *format, ...)
{
	size_t at = buf_len(&edit->values);
	va_list args;

	must(edit->count < EDIT_FIELDS_MOST);
	va_start(args, format);
	buf_vaddf(&edit->values, format, args);
	va_end(args);
	edit->fields[edit->count++] = (struct edit_field){name, at, buf_len(&edit->values) - at};
}

static struct str
value_of(const struct edit *edit, const struct edit_field *field)
{
	return str_make(buf_str(&edit->values).ptr + field->at, field->len);
}

static int
look(struct work *work, struct fault *fault_r)
{
	struct client *client = work->admin->client;

	work->edit.count = 0;
	buf_clear(&work->edit.values);
	client_words(client, NULL, NULL, "WATCH", work->map_key, NULL);
	if (client_read_map(client, fault_r) == -1)
		return -1;
	if (!client_map(client)->initialised)
		return fault_set(fault_r, VERDICT_PERM, "the map is gone: restore it");
	work->edit.head = client_map(client)->head;
	return head_writable(&work->edit.head, client_prefix(client), fault_r);
}

static void
on_exec(void *ctx, const struct resp *reply)
{
	struct work *work = ctx;

	work->disturbed = resp_type(reply) == RESP_NIL;
	if (work->disturbed || seal_take(work->admin->client, work->seal, reply))
		return;
	work->failed = true;
	fault_set(&work->fault, VERDICT_TEMP, "Redis at %s refused it: %.*s",
	    client_target(work->admin->client), STR_FMT(resp_str(reply)));
}

/* "lease_ms=2000 dead=": what is put. */
static void
describe(const struct edit *edit, struct buf *out)
{
	for (size_t i = 0; i < edit->count; i++) {
		buf_addf(out, "%s%s=", i > 0 ? " " : "", edit->fields[i].name);
		buf_add_str(out, value_of(edit, &edit->fields[i]));
	}
}

static void
queue(struct work *work, const struct change_note *note, struct str text)
{
	struct client *client = work->admin->client;
	struct edit *edit = &work->edit;
	struct seal_field field = {"head", text};

	client_words(client, NULL, NULL, "MULTI", NULL);
	for (size_t i = 0; i < edit->count; i++) {
		struct str value = value_of(edit, &edit->fields[i]);
		struct str argv[] = {value.len > 0 ? STR("HSET") : STR("HDEL"),
		    str_of(work->map_key), str_of(edit->fields[i].name), value};

		client_command(client, NULL, NULL, argv, value.len > 0 ? 4 : 3);
	}
	seal_queue(client, work->seal, note, &field, 1);
	client_words(client, on_exec, work, "EXEC", NULL);
}

static int
journal_and_queue(struct work *work, const char *what, struct fault *fault_r)
{
	struct admin *admin = work->admin;
	struct change_note note = {.who = admin_who(admin), .what = what, .why = admin_why(admin)};
	struct journal_line line = {0};
	struct buf text = BUF_INIT;
	int rc;

	describe(&work->edit, &text);
	line.after = buf_cstr(&text);
	rc = seal_journal(admin->client, work->seal, &note, &line, fault_r);
	if (rc == 0)
		queue(work, &note, buf_str(&text));
	buf_fini(&text);
	return rc;
}

static int
write_head(struct work *work, const char *what, struct fault *fault_r)
{
	struct admin *admin = work->admin;
	struct fault why;
	int rc;

	seal_begin(admin->client, work->seal);
	if (journal_and_queue(work, what, fault_r) == -1)
		return -1;
	rc = client_wait(admin->client, 0, fault_r);
	if (rc == -1 && client_is_lost(admin->client)) {
		switch (seal_find(admin->client, work->seal, CLIENT_TIMEOUT_MS, &why)) {
		case SEAL_IS_THERE:
			return 0;
		case SEAL_IS_NOT:
			break;
		case SEAL_UNKNOWN:
			*fault_r = why;
			break;
		}
	}
	if (work->failed)
		*fault_r = work->fault;
	return rc == -1 || work->failed ? -1 : 0;
}

static int
try_edit(struct work *work, const char *what, edit_fn *fn, void *ctx)
{
	struct admin *admin = work->admin;
	struct fault fault;
	int code;

	work->disturbed = false;
	if (look(work, &fault) == -1)
		return admin_fault(admin, &fault);
	if ((code = fn(ctx, &work->edit)) != 0) {
		client_words(admin->client, NULL, NULL, "UNWATCH", NULL);
		return code;
	}
	return write_head(work, what, &fault) == -1 ? admin_fault(admin, &fault) : 0;
}

int
edit_head(struct admin *admin, const char *what, edit_fn *fn, void *ctx, struct seal *seal_r)
{
	struct work work = {.admin = admin, .seal = seal_r};
	int code = 0;

	*seal_r = (struct seal){.epoch = 0};
	work.map_key = xasprintf("%s.map", client_prefix(admin->client));
	for (int tries = 0; tries < EDIT_TRIES_MOST; tries++) {
		code = try_edit(&work, what, fn, ctx);
		if (code != 0 || !work.disturbed)
			break;
	}
	if (code == 0 && work.disturbed)
		code = admin_fail(admin, EX_TEMPFAIL,
		    "others change the map all the time: nothing was changed, try again");
	free(work.map_key);
	buf_fini(&work.edit.values);
	return code == EDIT_NOTHING ? 0 : code;
}

int
edit_reach(struct admin *admin, const struct seal *seal, const char *what, const char *risk)
{
	struct fault fault;

	if (members_wait(admin->client, MEMBERS_WAIT_MS, &fault) == -1)
		return admin_fail(admin, EX_TEMPFAIL, "%s, but %s: %s", what, fault.text, risk);
	if (seal->epoch == 0)
		return 0;
	client_knows_epoch(admin->client, seal->epoch);
	if (seal_journal_end(admin->client, seal, JOURNAL_CONFIRMED, &fault) == -1)
		admin_note(admin, "%s", fault.text);
	return 0;
}
