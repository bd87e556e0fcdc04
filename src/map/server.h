/*
 * server.h - what a Redis says of itself                                (pure)
 */
#ifndef MAP_SERVER_H
#define MAP_SERVER_H

#include "base/fault.h"
#include "map/head.h"
#include "map/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERVER_RUN_ID_BYTES = 64, SERVER_REPLICAS_MOST = 32 };

/* The run_id in the answer to INFO server: which process this is. -1 and a sentence: none in it. */
int server_run_id(const struct resp *reply, char run_id_r[static SERVER_RUN_ID_BYTES],
    struct fault *fault_r);

/*
 * Does the answer to INFO memory say that no key is ever evicted? An owner that
 * was evicted would be the domain's, which is somebody else. -1 and a sentence.
 */
int server_keeps_all(const struct resp *reply, struct fault *fault_r);

struct server_replica {
	char
	    address[HEAD_ADDRESS_BYTES]; /* "host:port", IPv6 in brackets, as it announces itself */
	bool is_online;
	uint64_t offset; /* how far it has said that it has come */
	int64_t heard_s; /* and how long ago; -1: it did not yet */
};

struct server_replication {
	uint64_t offset; /* of the server itself */
	size_t replica_count;
	struct server_replica replicas[SERVER_REPLICAS_MOST]; /* what is beyond is left out */
};

/*
 * The answer of a master to INFO replication. -1 and a sentence: not a master's,
 * or without an offset. A replica's line that cannot be read is none.
 */
int server_replication_read(const struct resp *reply, struct server_replication *replication_r,
    struct fault *fault_r);

/* Does the answer to ROLE say master? -1 and a sentence when not. */
int server_is_master(const struct resp *reply, struct fault *fault_r);

/*
 * An answer that is an error, in a sentence for the operator, who is told what
 * to do about those that are known: VERDICT_TEMP.
 */
int server_error(const struct resp *reply, const char *doing, struct fault *fault_r);

#endif
