/*
 * resp.h - Redis's replies, RESP2                                       (pure)
 *
 * The only file that knows hiredis: its reader parses, its formatter writes,
 * and neither ever sees a socket. The reader is bounded (depth, elements, bulk
 * length), because what answers on that port need not be a Redis.
 */
#ifndef MAP_RESP_H
#define MAP_RESP_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct resp;	    /* one reply, or an element of one */
struct resp_reader; /* bytes in, replies out */

enum resp_type { RESP_STRING, RESP_STATUS, RESP_ERROR, RESP_INTEGER, RESP_ARRAY, RESP_NIL };

enum resp_type resp_type(const struct resp *resp);
struct str resp_str(const struct resp *resp);	       /* string, status, error; else empty */
int64_t resp_int(const struct resp *resp);	       /* integer, else 0 */
size_t resp_count(const struct resp *resp);	       /* elements of an array, else 0 */
const struct resp *resp_at(const struct resp *resp, size_t i);
bool resp_is_error(const struct resp *resp, const char *word); /* "WRONGTYPE", "READONLY" ... */
void resp_free(struct resp **resp);

struct resp_reader *resp_reader_new(void);
void resp_reader_free(struct resp_reader **reader);

/* Feeds bytes; then take replies until 0. 1 a reply, the caller's; 0 more bytes needed; -1 not RESP2. */
void resp_feed(struct resp_reader *reader, struct str bytes);
int resp_next(struct resp_reader *reader, struct resp **resp_r, struct fault *fault_r);

/* Appends one command as an array of bulk strings. */
void resp_command(struct buf *out, const struct str *argv, size_t argc);

#endif
