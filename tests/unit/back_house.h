/*
 * back_house.h - the house around a back machine
 *
 * A row is what a backend says and what it hears; what the machine tells its driver
 * stands in the transcript in angle brackets.
 */
#ifndef TESTS_BACK_HOUSE_H
#define TESTS_BACK_HOUSE_H

#include "base/mem.h"
#include "cuts.h"
#include "front/dialect.h"
#include "unit.h"

enum {
	START_TLS = 1,
	UNSAFE = 2, /* the leg is clear, and nobody said that this is well */
	XCLIENT = 4, /* caller = xclient */
	OTHER_NAME = 8, /* the login name is rewritten */
	TELL_ID = 16, /* caller = id */
	CLIENT_ID = 32, /* the client has said which program it is */
	SIX = 64, /* it comes by IPv6 */
	ODD_HELLO = 128, /* what it calls itself is no plain name */
	NOBODY = 256, /* it has no address, and said no EHLO */
};

/* clang-format off */
#define WITH(mechanism_, name_, secret_) \
	{.mechanism = mechanism_, .authcid = STR(name_), .secret = STR(secret_)}
#define PASSWORD WITH(MECHANISM_PLAIN, "ann", "secret")
#define WORDS(name_, secret_) WITH(MECHANISM_LOGIN, name_, secret_)
#define TOKEN WITH(MECHANISM_XOAUTH2, "ann", "token")
#define SCRAM WITH(MECHANISM_SCRAM_SHA_256, "ann", "n,,n=ann,r=xyz")
#define AS_BOB \
	{.mechanism = MECHANISM_PLAIN, .authzid = STR("bob"), .authcid = STR("ann"), \
	    .secret = STR("secret")}
/* clang-format on */

/* base64 of NUL ann NUL secret, with bob before it, another name in it; of SCRAM, of TOKEN. */
#define PLAIN_ANN "AGFubgBzZWNyZXQ="
#define PLAIN_BOB "Ym9iAGFubgBzZWNyZXQ="
#define PLAIN_OTHER "AGFubkBvbGQAc2VjcmV0"
#define SCRAM_ANN "biwsbj1hbm4scj14eXo="
#define TOKEN_ANN "dXNlcj1hbm4BYXV0aD1CZWFyZXIgdG9rZW4BAQ=="
#define CALLER "ADDR=192.0.2.7 PORT=51022 SESSION=0123456789abcdef TTL=4"

struct back_row_case {
	const char *name;
	unsigned how;
	struct credentials credentials;
	struct str says, hears;
};

struct house {
	const struct back_row *row;
	struct back_task task;
	struct caller caller;
	struct client_id *id;
	struct back *back;
	struct fault fault;
	struct buf in, out;
};

static inline void
house_call(struct house *house, unsigned how)
{
	house->caller = (struct caller){.client_ip = "192.0.2.7",
	    .client_port = 51022,
	    .local_ip = "198.51.100.1",
	    .local_port = 995,
	    .session = "0123456789abcdef",
	    .ttl = 4};
	house->task.hello = STR("pc.test");
	if (how & SIX) {
		house->caller.client_ip = "2001:db8::7";
		house->caller.local_ip = "::ffff:203.0.113.9";
	}
	if (how & NOBODY) {
		house->caller.client_ip = "unknown";
		house->caller.client_port = 0;
		house->task.hello = STR("");
	}
	if (how & ODD_HELLO)
		house->task.hello = STR("my=pc+");
	if (how & CLIENT_ID) {
		house->id = client_id_new();
		assert_true(client_id_add(house->id, STR("name"), STR("mutt"), false));
		house->task.id = house->id;
	}
}

static inline void
house_init(struct house *house, const struct dialect *dialect, unsigned how,
    const struct credentials *credentials)
{
	*house = (struct house){.row = &dialect->back};
	house->task = (struct back_task){.credentials = credentials,
	    .login = how & OTHER_NAME ? STR("ann@old") : STR(""),
	    .caller = &house->caller,
	    .way = how & XCLIENT   ? CALLER_XCLIENT
		   : how & TELL_ID ? CALLER_ID
				   : CALLER_NONE,
	    .host = "mx.test",
	    .start_tls = how & START_TLS,
	    .is_safe = !(how & UNSAFE)};
	house_call(house, how);
	house->back = house->row->new (&house->task);
}

static inline void
house_fini(struct house *house)
{
	house->row->free(house->back);
	client_id_free(&house->id);
	buf_fini(&house->in);
	buf_fini(&house->out);
}

static inline void
house_note(struct house *house, const char *what, struct str text)
{
	buf_addf(&house->out, "<%s", what);
	if (text.len > 0)
		buf_add_byte(&house->out, ' ');
	buf_add_str(&house->out, text);
	buf_add_byte(&house->out, '>');
}

/* What came before the answer, and is to be passed on, stands before a bar. */
static inline void
house_note_accepted(struct house *house)
{
	struct buf text = BUF_INIT;

	buf_add_str(&text, house->back->untagged);
	if (buf_len(&text) > 0)
		buf_add_byte(&text, '|');
	buf_add_str(&text, house->back->text);
	house_note(house, "accepted", buf_str(&text));
	buf_fini(&text);
}

static inline enum back_step
house_feed(struct house *house, struct str piece)
{
	enum back_step step;

	buf_add_str(&house->in, piece);
	for (;;) {
		step = house->row->next(house->back, &house->in, &house->out, &house->fault);
		switch (step) {
		case BACK_WAIT:
			return step;
		case BACK_TLS:
			buf_add_text(&house->out, "<tls>");
			house->row->tls(house->back, &house->out);
			break;
		case BACK_CHALLENGE:
			house_note(house, "challenge", house->back->text);
			house->row->respond(house->back, STR("Y2xpZW50"), &house->out);
			break;
		case BACK_ACCEPTED:
			house_note_accepted(house);
			return step;
		case BACK_REFUSED:
			house_note(house, house->back->refusal == REFUSAL_WRONG ? "wrong" : "later",
			    house->back->text);
			return step;
		case BACK_BROKEN:
			buf_add_text(&house->out, "<broken>");
			assert_true(house->fault.verdict == VERDICT_TEMP ||
				    house->fault.verdict == VERDICT_PERM);
			assert_null(strstr(house->fault.text, "secret")); /* C21 */
			return step;
		}
	}
}

/* What comes behind the end stays where it is. */
static inline void
house_hold(const struct dialect *dialect, const struct back_row_case *row, struct cuts *cuts)
{
	enum back_step step = BACK_WAIT;
	struct house house;

	house_init(&house, dialect, row->how, &row->credentials);
	for (size_t at = 0, n; at < row->says.len; at += n) {
		n = cuts_piece(cuts, at);
		if (step == BACK_WAIT)
			step = house_feed(&house, str_make(row->says.ptr + at, n));
		else
			buf_add(&house.in, row->says.ptr + at, n);
	}
	if (step == BACK_ACCEPTED && buf_len(&house.in) > 0)
		house_note(&house, "left", buf_str(&house.in));
	if (!str_eq(buf_str(&house.out), row->hears))
		fail_msg("%s, way %zu: %s (%s)", row->name, cuts->way, buf_cstr(&house.out),
		    house.fault.text);
	house_fini(&house);
}

static inline void
house_hold_all(const struct dialect *dialect, const struct back_row_case *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (struct cuts cuts = {.len = rows[i].says.len}; cuts_next(&cuts);)
			house_hold(dialect, &rows[i], &cuts);
	}
}

/* Behind OK to STARTTLS nothing may come in clear, sensible or not, however little it is. */
static inline void
house_goes_on_in_clear(const struct dialect *dialect, const struct credentials *credentials,
    const char *greeting, const char *ok, const char *next, const char *hears)
{
	const struct str behind[] = {str_of(next), str_make(next, 1), STR("\0")};

	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		struct buf bytes = BUF_INIT;
		struct house house;

		house_init(&house, dialect, START_TLS, credentials);
		house_feed(&house, str_of(greeting));
		buf_add_text(&bytes, ok);
		buf_add_str(&bytes, behind[i]);
		assert_int_equal(house_feed(&house, buf_str(&bytes)), BACK_BROKEN);
		assert_non_null(strstr(house.fault.text, "unsafe"));
		assert_string_equal(buf_cstr(&house.out), hears);
		assert_int_equal(house_feed(&house, STR("")), BACK_BROKEN);
		house_fini(&house);
		buf_fini(&bytes);
	}
}

/* A flood is broken off before much of it is held; how many bytes it had by then. */
static inline size_t
house_flood(const struct dialect *dialect, const struct credentials *credentials, const char *begin,
    const char *more)
{
	enum back_step step = BACK_WAIT;
	struct house house;
	size_t held = 0, said = 0;

	house_init(&house, dialect, 0, credentials);
	house_feed(&house, str_of(begin));
	for (; said < 1000000 && step == BACK_WAIT; said += strlen(more)) {
		step = house_feed(&house, str_of(more));
		held = buf_len(&house.in) > held ? buf_len(&house.in) : held;
	}
	if (step != BACK_BROKEN || held > 32 * 1024)
		fail_msg("\"%s\" and \"%s\": step %d, %zu held", begin, more, (int)step, held);
	house_fini(&house);
	return said;
}

/* What a machine says to leave, behind what it has said already. */
static inline void
house_quits(const struct dialect *dialect, const struct credentials *credentials, const char *says,
    const char *quits)
{
	struct house house;

	house_init(&house, dialect, 0, credentials);
	house_feed(&house, str_of(says));
	buf_clear(&house.out);
	house.row->quit(house.back, &house.out);
	assert_string_equal(buf_cstr(&house.out), quits);
	if (quits[0] != '\0') /* else nothing can be said now: the end of the stream says it */
		assert_int_equal(house_feed(&house, STR("")), BACK_BROKEN); /* it is over */
	house_fini(&house);
}

#endif
