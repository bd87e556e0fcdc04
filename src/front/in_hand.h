/*
 * in_hand.h - the login in hand of a front machine                   (machine)
 *
 * What all dialects do alike with a client that is not logged in yet, apart from
 * their words.
 */
#ifndef FRONT_IN_HAND_H
#define FRONT_IN_HAND_H

#include "front/dialect.h"
#include "front/sasl.h"

/* Forget it and every byte of it. */
void in_hand_forget(struct front *front, struct sasl *sasl);

/* May it be begun in this way, here and now? */
bool in_hand_offers(const struct front_terms *terms, enum mechanism mechanism);

/* A line, its end added; the second one counts as a mistake of the client's. FRONT_SAID. */
enum front_step in_hand_say(struct buf *out, struct str line);
enum front_step in_hand_mistake(struct front *front, struct buf *out, struct str line);

#endif
