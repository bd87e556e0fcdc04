/*
 * fuzz_smtp_follow.c - both sides of a submission
 *
 * 0x01 gives the turn to the client, 0x02 to the backend, 0x03 asks for the end. Turns are
 * fed line by line, and in a second session byte by byte: what both sides hear must be
 * the same. With a first byte that is odd the backend has CHUNKING.
 */
#include "front/smtp_follow.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURN_CLIENT = 1, TURN_BACKEND = 2, TURN_END = 3 };

struct session {
	struct follow *follow;
	struct buf in[SIDE_COUNT], out[SIDE_COUNT];
};

static void
pump(struct session *session)
{
	bool passed;

	do {
		passed = false;
		for (int from = 0; from < SIDE_COUNT; from++)
			passed |= smtp_follow_pass(session->follow, (enum side)from,
			    &session->in[from], &session->out[!from], &session->out[from]);
	} while (passed);
	/* What waits for more of the same side is little; the client may wait for the other. */
	must(session->follow->phase == FOLLOW_OVER ||
	     buf_len(&session->in[SIDE_BACKEND]) <= FOLLOW_HELD_MOST + 1);
	must(session->follow->phase != FOLLOW_RUNNING ||
	     session->follow->unseen[SIDE_BACKEND] == 0);
}

static void
take(struct session *session, enum side side, struct str bytes, bool singly)
{
	size_t n;

	for (; bytes.len > 0; bytes = str_from(bytes, n)) {
		n = singly ? 1 : str_find(bytes, '\n') + 1;
		if (n > bytes.len)
			n = bytes.len;
		buf_add(&session->in[side], bytes.ptr, n);
		pump(session);
	}
}

static void
hold(struct session *session, const uint8_t *data, size_t size, bool singly)
{
	struct offer *offer = offer_new();
	enum side side = SIDE_CLIENT;
	size_t at = 0, n;

	session->follow = smtp_follow_new();
	if (size > 0 && data[0] % 2 == 1)
		must(offer_add(offer, STR("CHUNKING"), STR("")));
	smtp_follow_learn(session->follow, offer);
	offer_free(&offer);
	for (; at < size; at += n) {
		for (n = 0; at + n < size && (data[at + n] < 1 || data[at + n] > 3); n++)
			;
		take(session, side, str_make((const char *)data + at, n), singly);
		if (at + n == size)
			break;
		if (data[at + n] == TURN_END) {
			smtp_follow_end(session->follow, BYE_MOVED, &session->out[SIDE_CLIENT],
			    &session->out[SIDE_BACKEND]);
			pump(session);
		} else {
			side = data[at + n] == TURN_CLIENT ? SIDE_CLIENT : SIDE_BACKEND;
		}
		n++;
	}
	smtp_follow_break_off(session->follow, BYE_LOST, &session->out[SIDE_CLIENT]);
}

static void
session_fini(struct session *session)
{
	smtp_follow_free(session->follow);
	for (int i = 0; i < SIDE_COUNT; i++) {
		buf_fini(&session->in[i]);
		buf_fini(&session->out[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session whole = {.follow = NULL}, single = {.follow = NULL};

	hold(&whole, data, size, false);
	hold(&single, data, size, true);
	must(whole.follow->phase == single.follow->phase);
	for (int i = 0; i < SIDE_COUNT; i++)
		must(str_eq(buf_str(&whole.out[i]), buf_str(&single.out[i])));
	session_fini(&whole);
	session_fini(&single);
	return 0;
}
