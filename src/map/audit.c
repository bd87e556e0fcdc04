/*
 * audit.c - looking for a change in the audit stream                  (driver)
 */
#include "map/audit.h"

#include "base/mem.h"
#include "map/server.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRY_ID_BYTES = 64 };

struct search {
	const char *nonce;
	bool found, failed;
	size_t page; /* how many entries the last answer had */
	char last[ENTRY_ID_BYTES]; /* the id of its oldest */
	struct fault fault;
};

static bool
entry_is(const struct resp *fields, const char *nonce)
{
	for (size_t i = 0; i + 1 < resp_count(fields); i += 2) {
		if (str_is(resp_str(resp_at(fields, i)), "op"))
			return str_is(resp_str(resp_at(fields, i + 1)), nonce);
	}
	return false;
}

/* [[id, [field, value, ...]], ...], newest first */
static void
on_page(void *ctx, const struct resp *reply)
{
	struct search *search = ctx;

	search->page = resp_count(reply);
	if (resp_type(reply) != RESP_ARRAY) {
		search->failed = true;
		server_error(reply, "to show the audit stream", &search->fault);
		return;
	}
	for (size_t i = 0; i < resp_count(reply) && !search->found; i++) {
		const struct resp *entry = resp_at(reply, i);

		if (resp_count(entry) != 2)
			continue;
		search->found = entry_is(resp_at(entry, 1), search->nonce);
		snprintf(search->last, sizeof(search->last), "%.*s",
		    STR_FMT(resp_str(resp_at(entry, 0))));
	}
}

/* One page back from where the last one ended. */
static int
turn_page(struct client *client, struct search *search, struct fault *fault_r)
{
	char *key = xasprintf("%s.audit", client_prefix(client));
	char from[ENTRY_ID_BYTES + 1], count[16];
	int rc;

	snprintf(from, sizeof(from), "%s%s", search->last[0] != '\0' ? "(" : "+", search->last);
	snprintf(count, sizeof(count), "%d", AUDIT_PAGE);
	client_words(client, on_page, search, "XREVRANGE", key, from, "-", "COUNT", count, NULL);
	rc = client_wait(client, 0, fault_r);
	free(key);
	if (rc == 0 && search->failed)
		*fault_r = search->fault;
	return rc == -1 || search->failed ? -1 : 0;
}

int
audit_find(struct client *client, const char *nonce, enum audit_found *found_r,
    struct fault *fault_r)
{
	struct search search = {.nonce = nonce};
	size_t seen = 0;

	do {
		if (turn_page(client, &search, fault_r) == -1)
			return -1;
		seen += search.page;
	} while (!search.found && search.page == AUDIT_PAGE && seen < AUDIT_LOOKS_MOST);
	if (search.found)
		*found_r = AUDIT_IS_THERE;
	else
		*found_r = seen > 0 && search.page < AUDIT_PAGE ? AUDIT_IS_NOT : AUDIT_UNKNOWN;
	return 0;
}
