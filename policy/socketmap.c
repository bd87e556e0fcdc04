/*
 * socketmap.c - Postfix's socketmap protocol, the server's side      (machine)
 */
#include "policy/socketmap.h"

#include "base/mem.h"
#include "net/netstring.h"

static const struct str words[] = {
    [VERDICT_FOUND] = {"OK ", 3},
    [VERDICT_ABSENT] = {"NOTFOUND ", 9},
    [VERDICT_TEMP] = {"TEMP ", 5},
    [VERDICT_PERM] = {"PERM ", 5},
};
_Static_assert(ARRAY_LEN(words) == VERDICT_COUNT, "a verdict lacks its word");

static void
say_reason(enum verdict verdict, const char *reason, struct buf *out)
{
	buf_add_u64(out, words[verdict].len + reason_len(reason));
	buf_add_byte(out, ':');
	buf_add_str(out, words[verdict]);
	reason_add(out, reason);
	buf_add_byte(out, ',');
}

enum step
socketmap_next(struct buf *in, struct buf *out, struct query *query_r)
{
	struct str payload;
	struct fault fault;
	size_t at;

	switch (netstring_next(in, NETSTRING_CEILING_BYTES, &payload, &fault)) {
	case 0:
		return STEP_WAIT;
	case -1:
		say_reason(VERDICT_PERM, fault.text, out);
		return STEP_END;
	}
	at = str_find(payload, ' ');
	query_r->map = str_make(payload.ptr, at);
	query_r->key = at < payload.len ? str_from(payload, at + 1) : STR("");
	return STEP_ASK;
}

void
socketmap_say(const struct answer *answer, struct buf *out)
{
	struct str word = words[answer->verdict];

	if (answer->verdict == VERDICT_TEMP || answer->verdict == VERDICT_PERM) {
		say_reason(answer->verdict, answer->reason, out);
		return;
	}
	buf_add_u64(out, word.len + answer->text.len);
	buf_add_byte(out, ':');
	buf_add_str(out, word);
	buf_add_str(out, answer->text);
	buf_add_byte(out, ',');
}
