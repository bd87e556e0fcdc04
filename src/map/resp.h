/*
 * resp.h - Redis's replies, RESP2                                       (pure)
 *
 * The only file that knows hiredis, whose reader parses and never sees a
 * socket. It is bounded here, because what answers on that port need not be a
 * Redis. The bounds are far above what we ask for: SCAN answers about a
 * thousand names, an invalidation names what changed in one turn of Redis's
 * loop. A transaction that changes more names at once than fit in one message
 * ends the session of every reader, and that is right: a session that ends
 * forgets everything, which is what so large a change amounts to.
 */
#ifndef MAP_RESP_H
#define MAP_RESP_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RESP_DEPTH_MOST = 4, /* arrays in arrays; ROLE needs 3 */
	RESP_ELEMENTS_MOST = 65536, /* of one reply, at all depths together */
	RESP_STRING_MAX_BYTES = 1024 * 1024, /* one string */
	RESP_REPLY_MAX_BYTES = 16 * 1024 * 1024
};

struct resp; /* one reply, or an element of one */
struct resp_reader; /* bytes in, replies out */

enum resp_type { RESP_STRING, RESP_STATUS, RESP_ERROR, RESP_INTEGER, RESP_ARRAY, RESP_NIL };

enum resp_type resp_type(const struct resp *resp);
struct str resp_str(const struct resp *resp); /* string, status, error; else empty */
int64_t resp_int(const struct resp *resp); /* integer, else 0 */
size_t resp_count(const struct resp *resp); /* elements of an array, else 0 */
const struct resp *resp_at(const struct resp *resp, size_t i);
bool resp_is_error(const struct resp *resp, const char *word); /* "WRONGTYPE", "READONLY" ... */
void resp_free(struct resp **resp);

struct resp_reader *resp_reader_new(void);
void resp_reader_free(struct resp_reader **reader);

/*
 * Feed bytes; then take replies until 0. 1 a reply, the caller's; 0 more bytes
 * needed; -1 not RESP2, or beyond a bound: the reader stays so for ever.
 */
void resp_feed(struct resp_reader *reader, struct str bytes);
int resp_next(struct resp_reader *reader, struct resp **resp_r, struct fault *fault_r);

/* Appends one command as an array of bulk strings. */
void resp_command(struct buf *out, const struct str *argv, size_t argc);

#endif
