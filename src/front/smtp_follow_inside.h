/*
 * smtp_follow_inside.h - what both directions of a submission share  (machine)
 *
 * smtp_follow_client.c takes what the client says, smtp_follow_backend.c what the
 * backend says, smtp_follow.c ends the session between them.
 */
#ifndef FRONT_SMTP_FOLLOW_INSIDE_H
#define FRONT_SMTP_FOLLOW_INSIDE_H

#include "front/dialect.h"
#include "front/smtp_content.h"

enum client_place {
	CLIENT_COMMANDS, /* between commands */
	CLIENT_WAITS, /* nothing more before the reply to the last one */
	CLIENT_CONTENT, /* behind DATA */
	CLIENT_REFUSED, /* a chunk that does not pass; it has been answered */
};

/* What a reply will be the answer to. */
enum asked {
	ASKED_OTHER,
	ASKED_MAIL,
	ASKED_RESET,
	ASKED_HELLO, /* EHLO or HELO: the reply is changed */
	ASKED_DATA,
	ASKED_CONTENT, /* the end of what came behind DATA */
	ASKED_CHUNK,
	ASKED_LAST_CHUNK,
	ASKED_QUIT,
};

enum { ASKED_MOST = 64 }; /* commands without a reply; more of them wait */

struct smtp_follow {
	struct follow follow; /* first: the driver's view */
	uint64_t refused; /* CLIENT_REFUSED: so much of the chunk is still to come */
	uint8_t asked[ASKED_MOST]; /* enum asked, a ring, the oldest at "first" */
	uint8_t first, count;
	uint8_t client; /* enum client_place */
	uint8_t before; /* CLIENT_CONTENT: enum smtp_before */
	uint8_t why; /* enum bye */
	bool has_chunking; /* the backend has */
	bool is_open; /* a transaction: MAIL was taken */
	bool has_content; /* of which something has passed */
	bool is_doubtful; /* whether the content has ended; its reply is owed */
	bool is_inside; /* a reply of the backend of which a line is still to come */
	bool has_bye; /* the last reply was one that announces the backend's end */
	bool is_hurried; /* the time for the end is over */
};

/* Each changes its own place; both return whether something was taken. */
bool smtp_follow_client(struct smtp_follow *follow, struct buf *in, struct buf *to_backend,
    struct buf *to_client);
bool smtp_follow_backend(struct smtp_follow *follow, struct buf *in, struct buf *to_client);

/* The oldest that is asked, while count > 0. */
enum asked smtp_follow_oldest(const struct smtp_follow *follow);

/* No reply is owed or half said: something of ours may be said to the client. */
bool smtp_follow_may_speak(const struct smtp_follow *follow);

/* Cannot be followed any more. Says so to the client where that can be said. */
void smtp_follow_lose(struct smtp_follow *follow, struct buf *to_client);

/* If the end was asked for and this is a boundary, say the last words. */
void smtp_follow_leave(struct smtp_follow *follow, struct buf *to_client, struct buf *to_backend);

/* The first n bytes of "in" go to "other". */
void smtp_follow_hand(struct buf *in, size_t n, struct buf *other);

#endif
