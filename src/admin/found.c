/*
 * found.c - the owners that a barrier finds                           (driver)
 */
#include "admin/found.h"

#include "admin/entry.h"
#include "map/server.h"

struct look {
	struct str name;
	struct buf *out;
	bool failed;
	struct fault fault;
};

static void
on_owner(void *ctx, const struct resp *reply)
{
	struct look *look = ctx;
	bool there = resp_type(reply) == RESP_STRING;

	if (!there && resp_type(reply) != RESP_NIL) {
		look->failed = true;
		server_error(reply, "to show an owner", &look->fault);
		return;
	}
	buf_add_str(look->out, look->name);
	buf_add_byte(look->out, ' ');
	buf_add_str(look->out, entry_value(there, resp_str(reply)));
	buf_add_byte(look->out, '\n');
}

int
found_owners(struct client *client, const struct str *names, size_t count, struct buf *out,
    struct fault *fault_r)
{
	struct buf key = BUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		struct look look = {.name = names[i], .out = out};
		struct str watch[2] = {STR("WATCH")}, get[2] = {STR("GET")};

		if (str_find(names[i], '@') == names[i].len)
			continue; /* a login has no owner of its own */
		buf_clear(&key);
		buf_addf(&key, "%s:owner:", client_prefix(client));
		buf_add_str(&key, names[i]);
		watch[1] = get[1] = buf_str(&key);
		client_command(client, NULL, NULL, watch, 2);
		client_command(client, on_owner, &look, get, 2);
		rc = client_wait(client, 0, fault_r);
		if (rc == 0 && look.failed) {
			*fault_r = look.fault;
			rc = -1;
		}
	}
	buf_fini(&key);
	return rc;
}
