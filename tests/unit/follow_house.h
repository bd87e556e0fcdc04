/*
 * follow_house.h - a session between two sides
 *
 * A row is what both sides say, in turns, and what each of them hears in the end. Each
 * turn is fed whole, byte by byte, and cut at every place, alone and with all others; what
 * is to pass unseen is moved by the machine, or by a driver beside it.
 */
#ifndef TESTS_FOLLOW_HOUSE_H
#define TESTS_FOLLOW_HOUSE_H

#include "base/mem.h"
#include "cuts.h"
#include "front/dialect.h"
#include "unit.h"

enum { TURNS_MOST = 16, WHOLE = 1, SINGLY = 2 };

/* clang-format off */
#define C(bytes) {'C', STR(bytes)} /* the client says */
#define B(bytes) {'B', STR(bytes)} /* the backend says */
#define END {'E', {"", 0}} /* the session is to end */
/* clang-format on */

struct follow_row_case {
	const char *name;
	struct turn {
		char who; /* NUL: no more */
		struct str bytes;
	} turns[TURNS_MOST];
	struct str to_backend, to_client;
	enum follow_phase phase;
	bool is_busy; /* not idle, at the end */
};

struct session {
	const struct follow_row *row;
	struct follow *follow;
	struct buf in[SIDE_COUNT], out[SIDE_COUNT];
	bool is_driven; /* the driver moves what passes unseen */
};

/* A backend that has announced this word before the login; NULL: none. */
static inline void
session_init_with(struct session *session, const struct dialect *dialect, const char *word)
{
	struct offer *offer = offer_new();

	*session = (struct session){.row = &dialect->follow};
	session->follow = session->row->new ();
	if (word != NULL)
		assert_true(offer_add(offer, str_of(word), STR("")));
	if (session->row->learn != NULL)
		session->row->learn(session->follow, offer);
	offer_free(&offer);
}

static inline void
session_init(struct session *session, const struct dialect *dialect)
{
	session_init_with(session, dialect, NULL);
}

static inline void
session_fini(struct session *session)
{
	session->row->free(session->follow);
	for (int i = 0; i < SIDE_COUNT; i++) {
		buf_fini(&session->in[i]);
		buf_fini(&session->out[i]);
	}
}

static inline bool
session_move_unseen(struct session *session, enum side from)
{
	uint64_t *unseen = &session->follow->unseen[from];
	size_t len = buf_len(&session->in[from]);

	if (len > *unseen)
		len = (size_t)*unseen;
	buf_add(&session->out[!from], buf_str(&session->in[from]).ptr, len);
	buf_consume(&session->in[from], len);
	*unseen -= len;
	return len > 0;
}

static inline bool
session_pass(struct session *session, enum side from)
{
	if (session->is_driven && session->follow->unseen[from] > 0)
		return session_move_unseen(session, from);
	return session->row->pass(session->follow, from, &session->in[from], &session->out[!from],
	    &session->out[from]);
}

static inline void
session_pump(struct session *session)
{
	bool passed;

	do {
		passed = session_pass(session, SIDE_CLIENT);
		passed |= session_pass(session, SIDE_BACKEND);
	} while (passed);
}

static inline void
session_say(struct session *session, enum side side, struct str bytes)
{
	buf_add_str(&session->in[side], bytes);
	session_pump(session);
}

static inline void
session_say_many(struct session *session, enum side side, char byte, size_t n)
{
	while (n-- > 0)
		buf_add_byte(&session->in[side], byte);
	session_pump(session);
}

static inline void
session_end(struct session *session)
{
	session->row->end(session->follow, BYE_MOVED, &session->out[SIDE_CLIENT],
	    &session->out[SIDE_BACKEND]);
	session_pump(session);
}

static inline void
session_turn(struct session *session, const struct turn *turn, size_t way)
{
	struct cuts cuts = {.len = turn->bytes.len, .way = way};
	enum side side = turn->who == 'C' ? SIDE_CLIENT : SIDE_BACKEND;

	if (turn->who == 'E')
		session_end(session);
	for (size_t at = 0, n; at < turn->bytes.len; at += n) {
		n = cuts_piece(&cuts, at);
		if (n > turn->bytes.len - at)
			n = turn->bytes.len - at;
		session_say(session, side, str_make(turn->bytes.ptr + at, n));
	}
}

static inline void
session_check(struct session *session, const struct follow_row_case *row, size_t way)
{
	bool is_idle = session->row->is_idle(session->follow);

	if (!str_eq(buf_str(&session->out[SIDE_BACKEND]), row->to_backend))
		fail_msg("%s, way %zu: backend hears: %s", row->name, way,
		    buf_cstr(&session->out[SIDE_BACKEND]));
	if (!str_eq(buf_str(&session->out[SIDE_CLIENT]), row->to_client))
		fail_msg("%s, way %zu: client hears: %s", row->name, way,
		    buf_cstr(&session->out[SIDE_CLIENT]));
	if (session->follow->phase != row->phase || is_idle == row->is_busy)
		fail_msg("%s, way %zu: phase %d, %s", row->name, way, (int)session->follow->phase,
		    is_idle ? "idle" : "busy");
}

/* All turns, the one given cut in this way; TURNS_MOST: each of them is. */
static inline void
session_hold(const struct dialect *dialect, const char *word, const struct follow_row_case *row,
    size_t cut_turn, size_t way)
{
	for (int driven = 0; driven <= 1; driven++) {
		struct session session;

		session_init_with(&session, dialect, word);
		session.is_driven = driven;
		for (size_t i = 0; i < TURNS_MOST && row->turns[i].who != '\0'; i++)
			session_turn(&session, &row->turns[i],
			    i == cut_turn || cut_turn == TURNS_MOST ? way : WHOLE);
		session_check(&session, row, way);
		session_fini(&session);
	}
}

static inline void
session_hold_row(const struct dialect *dialect, const char *word, const struct follow_row_case *row)
{
	session_hold(dialect, word, row, TURNS_MOST, WHOLE);
	session_hold(dialect, word, row, TURNS_MOST, SINGLY);
	for (size_t turn = 0; turn < TURNS_MOST; turn++) {
		for (struct cuts cuts = {.len = row->turns[turn].bytes.len}; cuts_next(&cuts);) {
			session_hold(dialect, word, row, turn, cuts.way);
			session_hold(dialect, word, row, TURNS_MOST, cuts.way);
		}
	}
}

static inline void
session_hold_all(const struct dialect *dialect, const char *word,
    const struct follow_row_case *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		session_hold_row(dialect, word, &rows[i]);
}

#endif
