/*
 * sieve_follow_inside.h - what both directions of a session share   (machine)
 *
 * sieve_follow_client.c takes what the client says, sieve_follow_backend.c what the
 * backend says, sieve_follow.c ends the session between them.
 */
#ifndef FRONT_SIEVE_FOLLOW_INSIDE_H
#define FRONT_SIEVE_FOLLOW_INSIDE_H

#include "front/dialect.h"
#include "front/running.h"
#include "front/sieve_lex.h"

/* How a command is answered. */
enum kind {
	KIND_COMMAND, /* by the backend: data, and a line with OK, NO or BYE */
	KIND_CAPABILITY, /* likewise; not all of it passes */
	KIND_LOGOUT, /* likewise; it is the last */
	KIND_OWN, /* by us, from here on */
	KIND_ODD = KIND_OWN,
	KIND_REFUSED,
	KIND_COUNT
};

enum client_place {
	CLIENT_START, /* between commands */
	CLIENT_REST, /* behind a literal, in a command that passes */
	CLIENT_DROP, /* in one that does not; it has its answer, or will have */
};

enum backend_place {
	BACKEND_START, /* between lines: something of ours may be said to the client */
	BACKEND_DATA, /* inside a line */
	BACKEND_ANSWER, /* inside one that ends an answer: OK, or BYE */
	BACKEND_REFUSAL, /* likewise: NO */
};

struct sieve_follow {
	struct follow follow; /* first: the driver's view */
	uint64_t dropped; /* CLIENT_DROP: so much of a literal is still to be dropped */
	uint32_t searched; /* of the client's line that is held: no LF in there */
	uint8_t client; /* enum client_place */
	uint8_t backend; /* enum backend_place */
	uint8_t why; /* enum bye */
	bool has_logout; /* LOGOUT was passed on: nothing can follow it */
	bool was_left; /* and has been answered, or the backend has said BYE */
	struct running running;
};

/* Each changes its own place; both return whether something was taken. */
bool sieve_follow_client(struct sieve_follow *follow, struct buf *in, struct buf *to_backend,
    struct buf *to_client);
bool sieve_follow_backend(struct sieve_follow *follow, struct buf *in, struct buf *to_client);

/*
 * Commands that never pass, and capabilities that promise them: what would end the
 * authenticated state, or hide where commands end, or belongs before it.
 */
bool sieve_follow_is_refused(struct str word);

/* Nothing that we would say to the client falls into something else. */
bool sieve_follow_may_speak(const struct sieve_follow *follow);

/* Our answers, as far as all commands before them have been answered. */
void sieve_follow_say_own(struct sieve_follow *follow, struct buf *to_client);

/* Cannot be followed any more. Says so to the client where that can be said. */
void sieve_follow_lose(struct sieve_follow *follow, struct buf *to_client);

/* The first n bytes of "in" go to "other". */
void sieve_follow_hand(struct buf *in, size_t n, struct buf *other);

/* Literals, where nobody else has moved them; true if there was something. */
bool sieve_follow_move(struct sieve_follow *follow, enum side from, struct buf *in,
    struct buf *other);

/* A line without its LF and one CR before it. */
struct str sieve_follow_without_end(struct str line);

#endif
