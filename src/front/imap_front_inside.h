/*
 * imap_front_inside.h - what the parts of the client's machine share (machine)
 *
 * imap_front.c reads commands, imap_front_login.c has those that carry credentials.
 */
#ifndef FRONT_IMAP_FRONT_INSIDE_H
#define FRONT_IMAP_FRONT_INSIDE_H

#include "base/line.h"
#include "front/dialect.h"
#include "front/imap_lex.h"
#include "front/sasl.h"

enum imap_front_phase {
	IMAP_FRONT_COMMANDS,
	IMAP_FRONT_SASL, /* the next line belongs to a SASL exchange */
	IMAP_FRONT_ASKED, /* the driver has the credentials, or a response */
	IMAP_FRONT_ENDED,
};

struct imap_front {
	struct front front; /* first: the driver's view */
	enum imap_front_phase phase;
	struct imap_scan scan;
	struct line_reader lines; /* of a SASL exchange */
	struct sasl sasl;
	struct client_id *id;
	char tag[IMAP_TAG_MOST]; /* of the login in hand */
	size_t tag_len;
};

/* One command; everything in it is lent while it runs. */
struct imap_call {
	const struct front_terms *terms;
	struct str tag, args; /* args begin with a space, or are empty */
	bool is_last; /* nothing has arrived behind it */
	struct buf *out;
};

typedef enum front_step imap_run_fn(struct imap_front *front, const struct imap_call *call);

/* "tag text"; the second form counts it as a mistake. */
enum front_step imap_front_say(const struct imap_call *call, struct str text);
enum front_step imap_front_mistake(struct imap_front *front, const struct imap_call *call,
    struct str text);

imap_run_fn imap_front_login, imap_front_authenticate, imap_front_identify;

/* Whether LOGIN can succeed here, whatever its arguments. */
bool imap_front_may_login(const struct front_terms *terms);

/* The next line of a SASL exchange, without its end. */
enum front_step imap_front_sasl_line(struct imap_front *front, struct str line, struct buf *out);

/* Forget the login in hand and every byte of it. */
void imap_front_forget(struct imap_front *front);

#endif
