/*
 * fuzz_milter_session.c - any steps of a connection, in any order
 *
 * A line is a step: M, R and an argument, a digit (policyd's answer), H and the
 * value of a header with the name of ours, E (and the header it got is used by
 * the next T), T (that header again), A, and + for 40 s later.
 */
#include "milter/session.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char nonce[TRACE_NONCE_BYTES] = "always the same";

struct play {
	struct session *session;
	struct session_terms terms;
	struct buf last; /* header */
	uint64_t now_s;
};

static void
check(const struct session_reply *reply)
{
	must(reply->why != NULL);
	must((reply->verdict == SESSION_GO_ON) == (reply->code == NULL));
	if (reply->code != NULL)
		must(reply->code[0] == (reply->verdict == SESSION_NEVER ? '5' : '4') &&
		     reply->text.len > 0 && reply->text.len <= 400 &&
		     str_find(reply->text, '\n') == reply->text.len);
}

static void
answer(struct play *play, char digit)
{
	struct inquiry said = {.verdict = (enum verdict)(digit & 3)};
	struct session_reply reply;

	if (said.verdict == VERDICT_FOUND)
		said = (struct inquiry){.account = STR("a@x"),
		    .owner = STR("new"),
		    .hold = (digit & 4) != 0 ? HOLD_ALL : HOLD_NONE,
		    .is_unknown = digit == '8'};
	reply = session_answer(play->session, &said);
	check(&reply);
}

static void
end(struct play *play)
{
	struct str header;
	struct session_reply reply = session_end(play->session, play->now_s, nonce, &header);

	check(&reply);
	must(reply.verdict == SESSION_GO_ON ||
	     (header.len == 0 && session_arrivals(play->session) == 0));
	must((header.len > 0) == (session_arrivals(play->session) > 0));
	for (size_t i = 0; i < session_arrivals(play->session); i++)
		must(str_is(session_arrival(play->session, i).account, "a@x"));
	buf_clear(&play->last);
	buf_add_str(&play->last, header);
}

static void
step(struct play *play, struct str line)
{
	struct session_reply reply = {.why = "none"};
	struct str address;

	if (line.len == 0)
		return;
	switch (line.ptr[0]) {
	case 'M':
		reply = session_mail(play->session, &play->terms);
		break;
	case 'R':
		if (session_rcpt(play->session, str_from(line, 1), &address, &reply) == SESSION_ASK)
			reply = (struct session_reply){.why = "asked"};
		break;
	case 'H':
		session_header(play->session, STR(TRACE_HEADER), str_from(line, 1));
		break;
	case 'T':
		session_header(play->session, STR(TRACE_HEADER), buf_str(&play->last));
		break;
	case 'E':
		end(play);
		break;
	case 'A':
		session_abort(play->session);
		break;
	case '+':
		play->now_s += 40;
		break;
	default:
		answer(play, line.ptr[0]);
	}
	check(&reply);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str file =
	    STR("2026b 3f1c09d2a7b48e5566778899aabbccddeeff00112233445566778899aabbccdd\n");
	struct str text = str_make((const char *)data, size);
	struct play play = {.session = session_new(), .now_s = 1763730000};
	struct trace_keys *keys;
	struct fault fault;

	must(trace_keys_read(&keys, file, "keys", &fault) == 0);
	play.terms = (struct session_terms){.instance = STR("mx1"),
	    .rules = {true, "+"},
	    .keys = keys,
	    .loops = {LOOP_YOUNG_S, 2},
	    .defers_held = size % 2 == 1,
	    .strips_outgoing = true,
	    .side = STR("old")};
	while (text.len > 0) {
		size_t line = str_find(text, '\n');

		step(&play, str_make(text.ptr, line));
		text = str_from(text, line < text.len ? line + 1 : line);
	}
	session_free(&play.session);
	buf_fini(&play.last);
	trace_keys_free(&keys);
	return 0;
}
