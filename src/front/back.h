/*
 * back.h - what all back machines do alike                           (machine)
 *
 * Apart from their words: how they give a backend up, whose password they say, and
 * what they believe of what it announced.
 */
#ifndef FRONT_BACK_H
#define FRONT_BACK_H

#include "front/dialect.h"

/*
 * Always BACK_BROKEN; an empty line is not quoted. What a backend says after a password
 * was sent is in no fault: it could repeat it.
 */
enum back_step back_broken(struct fault *fault_r, enum verdict verdict, const char *why,
    struct str line);

/* The same, for good, with nothing of what it says. */
enum back_step back_unable(struct fault *fault_r, const char *why);

/* The name that this backend knows the user by. */
struct str back_name(const struct back_task *task);

/* What it announced was said in clear, or is said anew: none of it counts any more. */
void back_forget_offer(struct back *back);

/* Bytes, as a line of SASL. */
void back_say_base64(struct str bytes, struct buf *out);

#endif
