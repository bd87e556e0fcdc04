/*
 * imap_follow_inside.h - what both directions of a session share     (machine)
 *
 * imap_follow_client.c takes what the client says, imap_follow_backend.c what the
 * backend says, imap_follow.c ends the session between them.
 */
#ifndef FRONT_IMAP_FOLLOW_INSIDE_H
#define FRONT_IMAP_FOLLOW_INSIDE_H

#include "front/dialect.h"
#include "front/imap_lex.h"
#include "front/imap_tags.h"

enum client_place {
	CLIENT_START, /* between commands */
	CLIENT_LINE, /* inside a command that passes */
	CLIENT_ASKS, /* its literal waits for the backend's leave */
	CLIENT_IDLE_ASKS, /* so does IDLE */
	CLIENT_IDLE, /* only DONE can come */
	CLIENT_REFUSED, /* inside a command that does not pass; it has been answered */
};

enum backend_place {
	BACKEND_START, /* between lines: something of ours may be said to the client */
	BACKEND_DATA, /* inside a line that may promise a literal */
	BACKEND_TEXT, /* inside one that does not */
};

struct imap_follow {
	struct follow follow; /* first: the driver's view */
	uint64_t asked; /* CLIENT_ASKS: size of the literal */
	uint64_t refused; /* CLIENT_REFUSED: so much of a literal is still to be dropped */
	uint32_t searched; /* of the client's line that is held: no LF in there */
	uint8_t client; /* enum client_place */
	uint8_t backend; /* enum backend_place */
	uint8_t why; /* enum bye */
	bool has_logout; /* was passed on */
	bool has_bye; /* the backend has said it */
	struct imap_quotes quotes; /* of the client's line */
	struct imap_tags tags;
};

/* Each changes its own place; both return whether something was taken. */
bool imap_follow_client(struct imap_follow *follow, struct buf *in, struct buf *to_backend,
    struct buf *to_client);
bool imap_follow_backend(struct imap_follow *follow, struct buf *in, struct buf *to_client);

/* The backend asks for more, or has answered the last command. */
void imap_follow_may_go_on(struct imap_follow *follow);
void imap_follow_was_answered(struct imap_follow *follow);

/* Nothing that we would say to the client falls into something else. */
bool imap_follow_may_speak(const struct imap_follow *follow);

/* Cannot be followed any more. Says so to the client where that can be said. */
void imap_follow_lose(struct imap_follow *follow, struct buf *to_client);

/* If the end was asked for and this is a boundary, say the last words. */
void imap_follow_leave(struct imap_follow *follow, struct buf *to_client, struct buf *to_backend);

/* Move what may pass unseen; true if there was something. */
bool imap_follow_move(struct imap_follow *follow, enum side from, struct buf *in,
    struct buf *other);

/* A line without its LF and one CR before it. */
struct str imap_follow_without_end(struct str line);

/*
 * How much of a line there is that can be dealt with: all of it, with its end; or,
 * while that is to come, what surely is not the promise of a literal.
 */
size_t imap_follow_part(struct str all, bool *is_whole_r);

/* The first n bytes of "in" go to "other". */
void imap_follow_hand(struct buf *in, size_t n, struct buf *other);

#endif
