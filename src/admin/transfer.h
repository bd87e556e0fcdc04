/*
 * transfer.h - the lines of import and export                           (pure)
 *
 * Two forms. NDJSON: {"address":"alice@example.org","owner":"new"}; text:
 * "alice@example.org new", split at the last white space, with blank lines and
 * "#" comments. The first line may be a header that names the form, the schema
 * and the digest (SHA-256) of every byte after it. A file written by hand has
 * none, and then nobody can say whether it is whole.
 */
#ifndef ADMIN_TRANSFER_H
#define ADMIN_TRANSFER_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum transfer_form { TRANSFER_NDJSON, TRANSFER_TEXT };
enum { TRANSFER_LINE_MOST = 32768, TRANSFER_DIGEST_BYTES = 64 };

struct transfer_header {
	uint64_t schema, accounts;
	char digest[TRANSFER_DIGEST_BYTES + 1]; /* hexadecimal; "" = none */
	char map[64]; /* the id of the map it came from; "" = none */
};

/* Nothing but white space: no row, and not the line that decides the form. */
bool transfer_is_empty(struct str line);

/* Without the white space around it, a carriage return too. */
struct str transfer_trimmed(struct str line);

/* The form of a file, by its first line. */
enum transfer_form transfer_form_of(struct str first_line);

/*
 * Read a first line, without its line feed: 1 it is a header, 0 it is an
 * ordinary line, -1 a header that we cannot read, and *fault_r says why.
 */
int transfer_header_read(struct str line, struct transfer_header *header_r, struct fault *fault_r);
void transfer_header_write(struct buf *out, enum transfer_form form,
    const struct transfer_header *header);

/*
 * Read a line: 1 address_r and owner_r are set, 0 a blank or a comment, -1 bad.
 * The strs are lent until store or line changes; neither is checked further.
 */
int transfer_row_read(struct str line, enum transfer_form form, struct buf *store,
    struct str *address_r, struct str *owner_r, struct fault *fault_r);

/* False, and nothing written, where the form cannot hold it (no UTF-8, a line feed). */
bool transfer_row_write(struct buf *out, enum transfer_form form, struct str address,
    struct str owner);

#endif
