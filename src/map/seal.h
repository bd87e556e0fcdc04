/*
 * seal.h - what every fenced change ends with                         (driver)
 *
 * A change of the map that nodes must hear of is one MULTI: what it writes, and
 * behind it a new epoch, a nonce in splitmx.map and an entry in the audit stream.
 * By the nonce it can be found again by whoever lost the connection before the
 * answer to EXEC came, and by confirm_run().
 */
#ifndef MAP_SEAL_H
#define MAP_SEAL_H

#include "map/client.h"

enum { SEAL_COMMANDS = 3, SEAL_FIELDS_MOST = 8 };

/* For the audit stream: who did what and why. "why" may be "". */
struct change_note {
	const char *who, *what, *why;
	const char *again, *sha256; /* for the journal only, see journal_line.h; NULL: none */
};

struct seal_field {
	const char *name;
	struct str value;
};

struct seal {
	char map[HEAD_ID_BYTES], nonce[HEAD_NONCE_BYTES];
	uint64_t epoch; /* 0: not written, or not yet */
	uint64_t before; /* the map's epoch when it was last read */
};

/* Draw a nonce and look at what the client knows of the map. Before MULTI. */
void seal_begin(struct client *client, struct seal *seal);

/*
 * FENCING, W1 and W6, before MULTI and once for each try: put a line about what is
 * to be written into this host's journal. The line's texts are the caller's, all
 * else is set here. -1 and *fault_r: the map went back, or the journal cannot be
 * written; then nothing may be.
 */
int seal_journal(struct client *client, const struct seal *seal, const struct change_note *note,
    struct journal_line *line, struct fault *fault_r);

/*
 * What became of a seal that was written. -1 and *fault_r: the journal cannot be
 * written any more, which undoes nothing.
 */
int seal_journal_end(struct client *client, const struct seal *seal, enum journal_what what,
    struct fault *fault_r);

/*
 * Queue the last SEAL_COMMANDS of a MULTI; EXEC is the caller's. The entry has
 * who, what, why, op (the nonce), and these fields.
 */
void seal_queue(struct client *client, const struct seal *seal, const struct change_note *note,
    const struct seal_field *fields, size_t count);

/* The answer to EXEC, an array: notes the epoch, here and in the journal. False: it has no seal. */
bool seal_take(struct client *client, struct seal *seal, const struct resp *reply);

enum seal_found { SEAL_IS_THERE, SEAL_IS_NOT, SEAL_UNKNOWN };

/*
 * The connection was lost after EXEC was sent: connect anew, for at most patience_ms,
 * and look. SEAL_IS_THERE sets seal->epoch to the change's, or to a later one.
 * SEAL_UNKNOWN: *fault_r says why nobody can say.
 */
enum seal_found seal_find(struct client *client, struct seal *seal, uint64_t patience_ms,
    struct fault *fault_r);

#endif
