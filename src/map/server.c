/*
 * server.c - what a Redis says of itself                                (pure)
 */
#include "map/server.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

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

/* The next "name=value" of a replica's line. */
static struct str
pair_next(struct str *rest, struct str *value_r)
{
	struct str pair = str_make(rest->ptr, str_find(*rest, ','));
	struct str name = str_make(pair.ptr, str_find(pair, '='));

	*rest = str_from(*rest, pair.len < rest->len ? pair.len + 1 : pair.len);
	*value_r = str_from(pair, name.len < pair.len ? name.len + 1 : name.len);
	return name;
}

/* ip=10.0.0.2,port=6379,state=online,offset=4711,lag=0 */
static bool
replica_read(struct str line, struct server_replica *replica_r)
{
	struct str value, ip = STR("");
	uint64_t port = 0, lag;
	bool has_offset = false;
	int len;

	*replica_r = (struct server_replica){.heard_s = -1};
	while (line.len > 0) {
		struct str name = pair_next(&line, &value);

		if (str_is(name, "ip"))
			ip = value;
		else if (str_is(name, "port") && !str_number(value, UINT16_MAX, &port))
			return false;
		else if (str_is(name, "state"))
			replica_r->is_online = str_is(value, "online");
		else if (str_is(name, "offset"))
			has_offset = str_number(value, INT64_MAX, &replica_r->offset);
		else if (str_is(name, "lag") && str_number(value, INT32_MAX, &lag))
			replica_r->heard_s = (int64_t)lag;
	}
	if (ip.len == 0 || port == 0 || !has_offset)
		return false;
	len = snprintf(replica_r->address, HEAD_ADDRESS_BYTES,
	    str_find(ip, ':') < ip.len ? "[%.*s]:%u" : "%.*s:%u", STR_FMT(ip), (unsigned)port);
	return len > 0 && len < HEAD_ADDRESS_BYTES;
}

int
server_replication_read(const struct resp *reply, struct server_replication *replication_r,
    struct fault *fault_r)
{
	struct str info = resp_str(reply), value;
	uint64_t count = 0;

	*replication_r = (struct server_replication){0};
	if (resp_type(reply) != RESP_STRING)
		return server_error(reply, "INFO", fault_r);
	if (!info_value(info, "role", &value) || !str_is(value, "master"))
		return fault_set(fault_r, VERDICT_TEMP,
		    "Redis does not say that it is a master any more");
	if (!info_value(info, "master_repl_offset", &value) ||
	    !str_number(value, INT64_MAX, &replication_r->offset))
		return fault_set(fault_r, VERDICT_TEMP,
		    "Redis answered INFO replication without an offset");
	if (info_value(info, "connected_slaves", &value))
		str_number(value, INT32_MAX, &count);
	for (uint64_t i = 0; i < count && replication_r->replica_count < SERVER_REPLICAS_MOST;
	     i++) {
		char name[32];

		snprintf(name, sizeof(name), "slave%u", (unsigned)i);
		if (info_value(info, name, &value) &&
		    replica_read(value, &replication_r->replicas[replication_r->replica_count]))
			replication_r->replica_count++;
		if (i >= SERVER_REPLICAS_MOST * 4)
			break; /* a count that no lines stand behind */
	}
	return 0;
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
