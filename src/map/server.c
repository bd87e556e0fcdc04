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
    {"READONLY", "redis.url must lead to the master"},
    {"MASTERDOWN", "redis.url must lead to the master, and that is down"},
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

int
server_run_id(
    const struct resp *reply, char run_id_r[static SERVER_RUN_ID_BYTES], struct fault *fault_r)
{
	struct str rest = resp_str(reply);
	size_t end;

	if (resp_type(reply) != RESP_STRING)
		return server_error(reply, "INFO", fault_r);
	for (; rest.len > 0; rest = str_from(rest, end < rest.len ? end + 1 : end)) {
		end = str_find(rest, '\n');
		struct str line = str_make(rest.ptr, end);

		if (!str_starts(line, "run_id:"))
			continue;
		line = str_from(line, strlen("run_id:"));
		line.len = str_find(line, '\r');
		if (line.len == 0 || line.len >= SERVER_RUN_ID_BYTES)
			break;
		memset(run_id_r, 0, SERVER_RUN_ID_BYTES);
		memcpy(run_id_r, line.ptr, line.len);
		return 0;
	}
	return fault_set(fault_r, VERDICT_TEMP, "Redis answered INFO without a run_id");
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
	return fault_set(fault_r, VERDICT_TEMP, "Redis is a %s: redis.url must lead to the master",
	    log_quote(role));
}
