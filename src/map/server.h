/*
 * server.h - what a Redis says of itself                                (pure)
 */
#ifndef MAP_SERVER_H
#define MAP_SERVER_H

#include "base/fault.h"
#include "map/resp.h"

enum { SERVER_RUN_ID_BYTES = 64 };

/* The run_id in the answer to INFO server: which process this is. -1 and a sentence: none in it. */
int server_run_id(const struct resp *reply, char run_id_r[static SERVER_RUN_ID_BYTES],
    struct fault *fault_r);

/*
 * Does the answer to INFO memory say that no key is ever evicted? An owner that
 * was evicted would be the domain's, which is somebody else. -1 and a sentence.
 */
int server_keeps_all(const struct resp *reply, struct fault *fault_r);

/* Does the answer to ROLE say master? -1 and a sentence when not. */
int server_is_master(const struct resp *reply, struct fault *fault_r);

/*
 * An answer that is an error, in a sentence for the operator, who is told what
 * to do about those that are known: VERDICT_TEMP.
 */
int server_error(const struct resp *reply, const char *doing, struct fault *fault_r);

#endif
