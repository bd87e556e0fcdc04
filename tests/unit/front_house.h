/*
 * front_house.h - the house around a front machine
 *
 * What the machine asks of its driver is played here, and stands in the transcript in
 * angle brackets. The password decides what becomes of a login: "good" and "later" are
 * what they say, any other is wrong; tokens likewise. SCRAM is asked twice.
 */
#ifndef TESTS_FRONT_HOUSE_H
#define TESTS_FRONT_HOUSE_H

#include "base/mem.h"
#include "cuts.h"
#include "front/dialect.h"
#include "front/sasl.h"
#include "unit.h"

enum {
	CLEAR = 1, /* no TLS yet, and no login without */
	NO_PASSWORDS = 2, /* only SCRAM */
	NO_GREETING = 4,
	NO_OFFER = 8, /* no backend was seen yet */
};

struct front_play {
	const struct dialect *dialect;
	struct str untagged, success, later; /* the backend's words */
	void (*offer_fn)(struct offer *offer); /* what all backends have */
};

struct front_row_case {
	const char *name;
	unsigned how;
	struct str says, sees;
};

struct house {
	const struct front_play *play;
	const struct front_row *row;
	struct front *front;
	struct arenas *arenas;
	struct arena *arena;
	struct offer *offer;
	struct front_terms terms;
	unsigned challenges;
	bool is_in;
	struct buf in, out;
};

static inline void
house_init(struct house *house, const struct front_play *play, unsigned how)
{
	static const enum token_place places[] = {TOKEN_FIELD, TOKEN_CLAIM};
	static const char *const claims[] = {"email"};
	static const struct sasl_rules sasl_rules = {places, 2, claims, 1};
	unsigned all = (1U << MECHANISM_COUNT) - 1;

	*house = (struct house){.play = play,
	    .row = &play->dialect->front,
	    .arenas = arenas_new(1),
	    .offer = offer_new()};
	house->arena = arena_borrow(house->arenas);
	house->front = house->row->new (house->arena);
	play->offer_fn(house->offer);
	house->terms = (struct front_terms){.host = "mx.test",
	    .offer = how & NO_OFFER ? NULL : house->offer,
	    .mechanisms = how & NO_PASSWORDS ? MECHANISM_BIT(MECHANISM_SCRAM_SHA_1) : all,
	    .is_tls = !(how & CLEAR),
	    .may_start_tls = how & CLEAR,
	    .may_login = !(how & CLEAR),
	    .sasl = &sasl_rules};
	if (!(how & NO_GREETING))
		house->row->greet(house->front, &house->terms, &house->out);
}

static inline void
house_fini(struct house *house)
{
	house->row->free(house->front);
	arena_return(&house->arena);
	arenas_free(&house->arenas);
	offer_free(&house->offer);
	buf_fini(&house->in);
	buf_fini(&house->out);
}

static inline void
house_accept(struct house *house)
{
	house->row->accept(house->front, house->play->untagged, house->play->success, &house->out);
	house->is_in = true;
}

static inline void
house_decide(struct house *house)
{
	const struct credentials *got = &house->front->credentials;

	buf_addf(&house->out, "<%s %.*s %.*s %.*s>", mechanism_names[got->mechanism],
	    STR_FMT(got->authzid), STR_FMT(got->authcid), STR_FMT(got->secret));
	if (str_is(got->secret, "good"))
		house_accept(house);
	else if (str_is(got->secret, "later"))
		house->row->refuse(house->front, &house->terms, REFUSAL_LATER, house->play->later,
		    &house->out);
	else if (mechanism_is_passed(got->mechanism))
		house->row->challenge(house->front, STR("c2VydmVy"), &house->out);
	else
		house->row->refuse(house->front, &house->terms, REFUSAL_WRONG, STR(""),
		    &house->out);
}

static inline void
house_respond(struct house *house)
{
	buf_addf(&house->out, "<response %.*s>", STR_FMT(house->front->response));
	if (++house->challenges == 2)
		house_accept(house);
	else
		house->row->challenge(house->front, STR("c2VydmVy"), &house->out);
}

static inline enum front_step
house_feed(struct house *house, struct str piece)
{
	enum front_step step;

	buf_add_str(&house->in, piece);
	while (!house->is_in) {
		step = house->row->next(house->front, &house->terms, &house->in, &house->out);
		switch (step) {
		case FRONT_WAIT:
			return step;
		case FRONT_SAID:
			break;
		case FRONT_TLS:
			buf_add_text(&house->out, "<tls>");
			house->terms.is_tls = house->terms.may_login = true;
			house->terms.may_start_tls = false;
			house->row->tls(house->front, &house->terms, &house->out);
			break;
		case FRONT_LOGIN:
			house_decide(house);
			break;
		case FRONT_RESPONSE:
			house_respond(house);
			break;
		case FRONT_END:
			buf_add_text(&house->out, "<end>");
			return step;
		}
	}
	return FRONT_WAIT;
}

/* What is known of the client, for the backend; and what stays for the session. */
static inline void
house_tell_rest(struct house *house)
{
	const struct front *front = house->front;

	if (house->row->id != NULL && house->row->id(front) != NULL) {
		buf_add_text(&house->out, "<id ");
		client_id_say(house->row->id(front), NULL, &house->out);
		buf_add_byte(&house->out, '>');
	}
	if (front->hello.len > 0)
		buf_addf(&house->out, "<hello %.*s>", STR_FMT(front->hello));
	if (front->ttl != 0)
		buf_addf(&house->out, "<ttl %u>", front->ttl);
	if (house->is_in && buf_len(&house->in) > 0)
		buf_addf(&house->out, "<left %.*s>", STR_FMT(buf_str(&house->in)));
}

static inline void
house_hold(const struct front_play *play, const struct front_row_case *row, struct cuts *cuts)
{
	enum front_step step = FRONT_WAIT;
	struct house house;

	house_init(&house, play, row->how);
	for (size_t at = 0, n; at < row->says.len && step != FRONT_END; at += n) {
		n = cuts_piece(cuts, at);
		step = house_feed(&house, str_make(row->says.ptr + at, n));
	}
	house_tell_rest(&house);
	if (!str_eq(buf_str(&house.out), row->sees))
		fail_msg("%s, way %zu: %s", row->name, cuts->way, buf_cstr(&house.out));
	house_fini(&house);
}

/* Every row, however it is cut. */
static inline void
house_hold_all(const struct front_play *play, const struct front_row_case *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (struct cuts cuts = {.len = rows[i].says.len}; cuts_next(&cuts);)
			house_hold(play, &rows[i], &cuts);
	}
}

/* A login that says "bad" is refused, and nothing of it stays in memory. */
static inline void
house_wipes(const struct front_play *play, const char *says)
{
	struct house house;
	struct str secret;
	enum front_step step;

	house_init(&house, play, NO_GREETING);
	buf_add_text(&house.in, says);
	while ((step = house.row->next(house.front, &house.terms, &house.in, &house.out)) ==
	       FRONT_SAID)
		;
	assert_int_equal(step, FRONT_LOGIN);
	assert_int_equal(house.row->next(house.front, &house.terms, &house.in, &house.out),
	    FRONT_WAIT); /* whatever has come behind it */
	secret = house.front->credentials.secret;
	assert_true(str_is(secret, "bad"));
	house.row->refuse(house.front, &house.terms, REFUSAL_WRONG, STR(""), &house.out);
	assert_memory_equal(secret.ptr, "\0\0", 3);
	assert_int_equal(house.front->credentials.secret.len, 0);
	house_fini(&house);
}

/* A flood comes to an end, with these words, before so many bytes are held; its length by then. */
static inline size_t
house_flood(const struct front_play *play, const char *begin, const char *more, size_t held_most,
    const char *last)
{
	enum front_step step = FRONT_WAIT;
	struct house house;
	size_t said = 0;

	house_init(&house, play, NO_GREETING);
	house_feed(&house, str_of(begin));
	for (; said < 1000000 && step == FRONT_WAIT; said += strlen(more)) {
		step = house_feed(&house, str_of(more));
		assert_true(step == FRONT_END || buf_len(&house.in) <= held_most);
	}
	if (step != FRONT_END || strstr(buf_cstr(&house.out), last) == NULL)
		fail_msg("no end of \"%s\" and \"%s\"", begin, more);
	house_fini(&house);
	return said;
}

#endif
