/*
 * trace_keys.h - the keys of the trace header                           (pure)
 *
 * A file of its own, the same on every server that shares a map, one key a line:
 *
 *	# splitmx trace keys
 *	2026b 3f1c...64 hexadecimal digits (openssl rand -hex 32)
 *	2026a 88d0...
 *
 * The first key signs, each is believed. So a new key goes to the end of the
 * file everywhere, then to the top everywhere, and the former one goes when no
 * message that it signed is young any more, after a minute. Spaces or tabs part
 * the words, lines that are empty or begin with # say nothing.
 */
#ifndef MILTER_TRACE_KEYS_H
#define MILTER_TRACE_KEYS_H

#include "base/fault.h"
#include "base/str.h"

#include <stddef.h>

enum {
	TRACE_KEYS_MOST = 8,
	TRACE_KEY_ID_MOST = 16, /* lower-case letters, digits and '-' */
	TRACE_SECRET_BYTES = 32,
	TRACE_FILE_MOST = 16384 /* for whoever reads the file */
};

/* What is used of a secret: one for the header, one for the filter in it. */
struct trace_key {
	char id[TRACE_KEY_ID_MOST + 1];
	unsigned char sign[TRACE_SECRET_BYTES], hide[TRACE_SECRET_BYTES];
};

struct trace_keys;

/*
 * The content of a key file; text is the caller's to wipe. -1 and *fault_r
 * (VERDICT_PERM), which names the path and the line and no byte of a secret:
 * no key at all, more than TRACE_KEYS_MOST, an id twice, a secret of another
 * length or of one byte repeated.
 */
int trace_keys_read(struct trace_keys **keys_r, struct str text, const char *path,
    struct fault *fault_r);
void trace_keys_free(struct trace_keys **keys); /* wipes them */

/* Lent as long as the keys. The first; and the one of this id, or NULL. */
const struct trace_key *trace_keys_first(const struct trace_keys *keys);
const struct trace_key *trace_keys_find(const struct trace_keys *keys, struct str id);

#endif
