/*
 * sentinel_words.c - what a sentinel says of a master                   (pure)
 */
#include "map/sentinel_words.h"

#include "base/log.h"

int
sentinel_read_answer(const struct resp *reply, struct endpoint *address_r, struct fault *fault_r)
{
	struct fault why;

	switch (resp_type(reply)) {
	case RESP_ARRAY:
		break;
	case RESP_NIL:
		return fault_set(fault_r, VERDICT_TEMP, "does not know it");
	case RESP_ERROR:
		return fault_set(fault_r, VERDICT_TEMP, "refused: %s", log_quote(resp_str(reply)));
	case RESP_STRING:
	case RESP_STATUS:
	case RESP_INTEGER:
		return fault_set(fault_r, VERDICT_TEMP, "answered with no address");
	}
	if (resp_count(reply) != 2 || resp_type(resp_at(reply, 0)) != RESP_STRING ||
	    resp_type(resp_at(reply, 1)) != RESP_STRING)
		return fault_set(fault_r, VERDICT_TEMP, "answered with no address");
	if (endpoint_from(resp_str(resp_at(reply, 0)), resp_str(resp_at(reply, 1)), address_r,
		&why) == -1)
		return fault_set(fault_r, VERDICT_TEMP, "names %s and %s: %s",
		    log_quote(resp_str(resp_at(reply, 0))), log_quote(resp_str(resp_at(reply, 1))),
		    why.text);
	return 0;
}

bool
sentinel_read_switch(struct str message, const char *master, struct endpoint *address_r)
{
	enum { NAME, OLD_HOST, OLD_PORT, NEW_HOST, NEW_PORT, WORDS };
	struct str words[WORDS];
	struct fault unimportant;

	for (int i = 0; i < WORDS; i++) {
		words[i] = str_make(message.ptr, str_find(message, ' '));
		if (i < WORDS - 1 && words[i].len == message.len)
			return false; /* too few */
		message = str_from(message, words[i].len + (i < WORDS - 1));
	}
	return message.len == 0 && str_is(words[NAME], master) &&
	       endpoint_from(words[NEW_HOST], words[NEW_PORT], address_r, &unimportant) == 0;
}
