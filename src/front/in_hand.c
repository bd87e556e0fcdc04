/*
 * in_hand.c - the login in hand of a front machine                   (machine)
 */
#include "front/in_hand.h"

#include "front/sasl_inside.h"

void
in_hand_forget(struct front *front, struct sasl *sasl)
{
	front->credentials = (struct credentials){.mechanism = MECHANISM_PLAIN};
	front->response = STR("");
	*sasl = (struct sasl){.mechanism = MECHANISM_PLAIN};
	arena_wipe(front->arena);
}

bool
in_hand_offers(const struct front_terms *terms, enum mechanism mechanism)
{
	return terms->may_login && (terms->mechanisms & MECHANISM_BIT(mechanism)) != 0;
}

enum front_step
in_hand_say(struct buf *out, struct str line)
{
	buf_add_str(out, line);
	buf_add_text(out, "\r\n");
	return FRONT_SAID;
}

enum front_step
in_hand_mistake(struct front *front, struct buf *out, struct str line)
{
	front->mistakes++;
	return in_hand_say(out, line);
}
