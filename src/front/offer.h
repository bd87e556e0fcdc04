/*
 * offer.h - what a server announces, and what several announce together (pure)
 *
 * A set of capability words, each perhaps with a value: "IDLE", "SIZE 52428800",
 * "SIEVE" = "fileinto vacation". Before login a client is told what all
 * backends can do, because nobody knows yet to which of them it will come.
 */
#ifndef FRONT_OFFER_H
#define FRONT_OFFER_H

#include "base/str.h"
#include "front/credentials.h"

#include <stdbool.h>
#include <stddef.h>

struct offer;

enum { OFFER_WORDS_MOST = 200, OFFER_BYTES_MOST = 16 * 1024 };

struct offer *offer_new(void);
void offer_free(struct offer **offer); /* NULL is allowed */

/* Words are compared without case; the later value counts. False: too many, or too long. */
bool offer_add(struct offer *offer, struct str word, struct str value);
void offer_remove(struct offer *offer, const char *word);
bool offer_has(const struct offer *offer, const char *word);
bool offer_value(const struct offer *offer, const char *word, struct str *value_r);

/* IMAP's "AUTH=NAME"; a word of the value of SASL (POP3, ManageSieve) or AUTH (SMTP). */
bool offer_has_mechanism(const struct offer *offer, enum mechanism mechanism);

size_t offer_count(const struct offer *offer);
void offer_at(const struct offer *offer, size_t i, struct str *word_r, struct str *value_r);

/* The same words with the same values, in the same order. */
bool offer_is_same(const struct offer *a, const struct offer *b);

/*
 * What both say. Of two values that differ: SIZE takes the smaller number (0 is
 * "no limit"), lists of words (SIEVE, NOTIFY, SASL, AUTH) the words that both have; any
 * other word with different values is left out.
 */
struct offer *offer_common(const struct offer *a, const struct offer *b);

#endif
