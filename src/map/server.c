/*
 * server.c - what a Redis says of itself                                (pure)
 */
#include "map/server.h"

#include "base/log.h"
#include "base/mem.h"

static const struct {
	const char *word, *advice;
} errors[] = {
    {"LOADING", "it is loading its data, wait"},
    {"NOAUTH", "set redis.password_file"},
    {"WRONGPASS", "correct redis.user or redis.password_file"},
    {"NOPERM", "give the user the rights in splitmx-map(7)"},
    {"READONLY", "redis.url or redis.sentinels must lead to the master"},
    {"MASTERDOWN", "redis.url or redis.sentinels must lead to the master, and that is down"},
    {"MOVED", "Redis Cluster cannot hold the map"},
    {"ASK", "Redis Cluster cannot hold the map"},
    {"CLUSTERDOWN", "Redis Cluster cannot hold the map"},
    {"OOM", "it is out of memory: raise maxmemory"},
    {"MISCONF", "it cannot write to its disk"},
    {"BUSY", "it is busy with a script"},
};

int
server_error(const struct resp *reply, const char *doing, struct fault *fault_r)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		if (resp_is_error(reply, errors[i].word))
			return fault_set(fault_r, VERDICT_TEMP, "Redis refused %s, %s: %s", doing,
			    errors[i].advice, log_quote(resp_str(reply)));
	}
	if (resp_type(reply) == RESP_ERROR)
		return fault_set(fault_r, VERDICT_TEMP, "Redis refused %s: %s", doing,
		    log_quote(resp_str(reply)));
	return fault_set(fault_r, VERDICT_TEMP, "Redis answered %s with something else", doing);
}

/* The value of "name:value" in an answer to INFO; false where it is not there. */
static bool
info_value(struct str info, const char *name, struct str *value_r)
{
	size_t end, len = strlen(name);

	for (; info.len > 0; info = str_from(info, end < info.len ? end + 1 : end)) {
		end = str_find(info, '\n');
		if (!str_starts(str_make(info.ptr, end), name) || end == len ||
		    info.ptr[len] != ':')
			continue;
		*value_r = str_make(info.ptr + len + 1, end - len - 1);
		value_r->len = str_find(*value_r, '\r');
		return true;
	}
	return false;
}

int
server_run_id(const struct resp *reply, char run_id_r[static SERVER_RUN_ID_BYTES],
    struct fault *fault_r)
{
	struct str value;

	if (resp_type(reply) != RESP_STRING)
		return server_error(reply, "INFO", fault_r);
	if (!info_value(resp_str(reply), "run_id", &value) || value.len == 0 ||
	    value.len >= SERVER_RUN_ID_BYTES)
		return fault_set(fault_r, VERDICT_TEMP, "Redis answered INFO without a run_id");
	memset(run_id_r, 0, SERVER_RUN_ID_BYTES);
	memcpy(run_id_r, value.ptr, value.len);
	return 0;
}

int
server_keeps_all(const struct resp *reply, struct fault *fault_r)
{
	struct str most, policy;

	if (resp_type(reply) != RESP_STRING)
		return server_error(reply, "INFO", fault_r);
	if (!info_value(resp_str(reply), "maxmemory", &most) ||
	    !info_value(resp_str(reply), "maxmemory_policy", &policy))
		return fault_set(fault_r, VERDICT_TEMP,
		    "Redis does not say whether it evicts keys");
	if (str_is(most, "0") || str_is(policy, "noeviction"))
		return 0;
	return fault_set(fault_r, VERDICT_TEMP,
	    "Redis may drop owners and holds when it is full: set maxmemory-policy to noeviction, not %s",
	    log_quote(policy));
}

int
server_is_master(const struct resp *reply, struct fault *fault_r)
{
	struct str role;

	if (resp_type(reply) != RESP_ARRAY || resp_count(reply) == 0)
		return server_error(reply, "ROLE", fault_r);
	role = resp_str(resp_at(reply, 0));
	if (str_is(role, "master"))
		return 0;
	return fault_set(fault_r, VERDICT_TEMP,
	    "Redis is a %s: redis.url or redis.sentinels must lead to the master", log_quote(role));
}
