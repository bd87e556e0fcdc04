/*
 * front.h - the three machines of a dialect, fed with any bytes
 *
 * Everything is fed twice, in two ways of cutting it: what is heard must be the same, and
 * so must the outcome. What waits must be small.
 */
#ifndef TESTS_FUZZ_FRONT_H
#define TESTS_FUZZ_FRONT_H

#include "base/mem.h"
#include "front/dialect.h"
#include "front/sasl.h"

/* ---- what a client says before its login; without STARTTLS, where cuts count */

/* Every third login is let in, the others are refused or asked something. */
static inline bool
fuzz_front_decide(const struct front_row *row, struct front *front, const struct front_terms *terms,
    struct buf *out)
{
	const struct credentials *got = &front->credentials;

	buf_addf(out, "<%d %.*s %.*s %.*s>", (int)got->mechanism, STR_FMT(got->authzid),
	    STR_FMT(got->authcid), STR_FMT(got->secret));
	if (got->secret.len % 3 == 0) {
		row->accept(front, STR(""), STR("in"), out);
		return true;
	}
	if (mechanism_is_passed(got->mechanism))
		row->challenge(front, STR("c2VydmVy"), out);
	else
		row->refuse(front, terms, got->secret.len % 3 == 1 ? REFUSAL_WRONG : REFUSAL_LATER,
		    STR(""), out);
	return false;
}

static inline void
fuzz_front_feed(const struct dialect *dialect, const uint8_t *data, size_t size, size_t piece,
    struct buf *out)
{
	static const enum token_place places[] = {TOKEN_FIELD, TOKEN_CLAIM};
	static const char *const claims[] = {"email"};
	static const struct sasl_rules sasl_rules = {places, 2, claims, 1};
	struct arenas *arenas = arenas_new(1);
	struct arena *arena = arena_borrow(arenas);
	const struct front_row *row = &dialect->front;
	struct front *front = row->new (arena);
	struct front_terms terms = {.host = "mx.test",
	    .mechanisms = (1U << MECHANISM_COUNT) - 1,
	    .may_login = true,
	    .sasl = &sasl_rules};
	enum front_step step = FRONT_WAIT;
	struct buf in = BUF_INIT;
	bool is_in = false;

	for (size_t at = 0; at < size && step != FRONT_END && !is_in; at += piece) {
		buf_add(&in, data + at, size - at < piece ? size - at : piece);
		while (!is_in && (step = row->next(front, &terms, &in, out)) != FRONT_WAIT &&
		       step != FRONT_END) {
			must(step != FRONT_TLS);
			if (step == FRONT_LOGIN)
				is_in = fuzz_front_decide(row, front, &terms, out);
			else if (step == FRONT_RESPONSE)
				row->refuse(front, &terms, REFUSAL_WRONG, STR(""), out);
		}
		/* As a connection would: whatever still waits fits into its buffer. */
		must(step != FRONT_WAIT || piece > 1 || buf_len(&in) < dialect->in_max_bytes);
	}
	/* What it says of itself goes to the backend, into a line or a list of ours. */
	for (size_t i = 0; i < front->hello.len; i++)
		must((unsigned char)front->hello.ptr[i] > ' ');
	buf_add_str(out, front->hello);
	if (row->id != NULL && row->id(front) != NULL)
		client_id_say(row->id(front), NULL, out);
	row->free(front);
	arena_return(&arena);
	arenas_free(&arenas);
	buf_fini(&in);
}

static inline void
fuzz_front(const struct dialect *dialect, const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT, single = BUF_INIT;

	fuzz_front_feed(dialect, data, size, size ? size : 1, &whole);
	fuzz_front_feed(dialect, data, size, 1, &single);
	must(str_eq(buf_str(&whole), buf_str(&single)));
	buf_fini(&whole);
	buf_fini(&single);
}

/* ---- what a backend says before the login stands; the first byte chooses the login */

struct fuzz_backend {
	const struct dialect *dialect;
	enum caller_way way; /* with every other login */
	struct str hello;
	void (*check_fn)(struct str text); /* of what is passed on to a client; NULL: any will do */
};

static inline void
fuzz_back_text(const struct fuzz_backend *backend, const struct back *back, struct buf *out)
{
	if (backend->check_fn != NULL)
		backend->check_fn(back->text);
	buf_add_str(out, back->text);
}

static inline enum back_step
fuzz_back_feed(const struct fuzz_backend *backend, const struct back_task *task,
    const uint8_t *data, size_t size, size_t piece, struct buf *out)
{
	const struct back_row *row = &backend->dialect->back;
	struct back *back = row->new (task);
	enum back_step step = BACK_WAIT;
	struct buf in = BUF_INIT;
	struct fault fault;

	for (size_t at = 0; at < size && step == BACK_WAIT; at += piece) {
		buf_add(&in, data + at, size - at < piece ? size - at : piece);
		while ((step = row->next(back, &in, out, &fault)) == BACK_TLS ||
		       step == BACK_CHALLENGE) {
			if (step == BACK_TLS) {
				must(buf_len(&in) == 0);
				row->tls(back, out);
			} else {
				fuzz_back_text(backend, back, out);
				row->respond(back, STR("eA=="), out);
			}
		}
		must(piece > 1 || buf_len(&in) < 32 * 1024);
	}
	if (step == BACK_ACCEPTED)
		buf_add_str(out, back->untagged);
	if (step == BACK_ACCEPTED || step == BACK_REFUSED)
		fuzz_back_text(backend, back, out);
	row->quit(back, out);
	row->free(back);
	buf_fini(&in);
	return step;
}

static inline void
fuzz_back(const struct fuzz_backend *backend, const uint8_t *data, size_t size)
{
	static const struct credentials logins[] = {
	    {.mechanism = MECHANISM_PLAIN, .authcid = {"ann", 3}, .secret = {"secret", 6}},
	    {.mechanism = MECHANISM_LOGIN, .authcid = {"\xc3\xa4", 2}, .secret = {"\xc3\xb6\"", 3}},
	    {.mechanism = MECHANISM_PLAIN,
		.authzid = {"bob", 3},
		.authcid = {"ann", 3},
		.secret = {"secret", 6}},
	    {.mechanism = MECHANISM_XOAUTH2, .authcid = {"ann", 3}, .secret = {"token", 5}},
	    {.mechanism = MECHANISM_SCRAM_SHA_1,
		.authcid = {"ann", 3},
		.secret = {"n,,n=ann,r=x", 12}},
	};
	static const struct caller caller = {.client_ip = "192.0.2.7",
	    .local_ip = "198.51.100.1",
	    .session = "0123456789abcdef",
	    .ttl = 4};
	struct back_task task = {
	    .login = STR(""), .caller = &caller, .host = "mx.test", .hello = backend->hello};
	struct buf whole = BUF_INIT, single = BUF_INIT;
	enum back_step step;

	if (size == 0)
		return;
	task.credentials = &logins[(data[0] & 7) % ARRAY_LEN(logins)];
	task.way = data[0] & 8 ? backend->way : CALLER_NONE;
	task.start_tls = data[0] & 16;
	task.is_safe = !(data[0] & 32);
	step = fuzz_back_feed(backend, &task, data + 1, size - 1, 1, &single);
	if (!task.start_tls) {
		must(fuzz_back_feed(backend, &task, data + 1, size - 1, size, &whole) == step);
		must(str_eq(buf_str(&whole), buf_str(&single)));
	}
	buf_fini(&whole);
	buf_fini(&single);
}

/*
 * ---- both sides of a session: 0x01 gives the turn to the client, 0x02 to the backend,
 * 0x03 asks for the end. Turns are fed line by line, and in a second session byte by byte.
 */

enum { TURN_CLIENT = 1, TURN_BACKEND = 2, TURN_END = 3 };

struct fuzz_sides {
	const struct dialect *dialect;
	const char *odd_word; /* what a backend has announced if the first byte is odd; NULL */
	bool is_exact; /* a stream that is given up is given up at the same byte */
	bool is_read; /* nothing of a backend passes unseen, as long as it is running */
};

struct fuzz_session {
	const struct fuzz_sides *sides;
	const struct follow_row *row;
	struct follow *follow;
	struct buf in[SIDE_COUNT], out[SIDE_COUNT];
};

static inline void
fuzz_follow_pump(struct fuzz_session *session)
{
	bool passed;

	do {
		passed = false;
		for (int from = 0; from < SIDE_COUNT; from++)
			passed |= session->row->pass(session->follow, (enum side)from,
			    &session->in[from], &session->out[!from], &session->out[from]);
	} while (passed);
	/* What waits for more of the same side is little; the client may wait for the other. */
	must(session->follow->phase == FOLLOW_OVER ||
	     buf_len(&session->in[SIDE_BACKEND]) <= FOLLOW_HELD_MOST + 1);
	must(!session->sides->is_read || session->follow->phase != FOLLOW_RUNNING ||
	     session->follow->unseen[SIDE_BACKEND] == 0);
}

static inline void
fuzz_follow_learn(struct fuzz_session *session, const char *word)
{
	struct offer *offer = offer_new();

	if (word != NULL)
		must(offer_add(offer, str_of(word), STR("")));
	if (session->row->learn != NULL)
		session->row->learn(session->follow, offer);
	offer_free(&offer);
}

static inline void
fuzz_follow_take(struct fuzz_session *session, enum side side, struct str bytes, bool singly)
{
	size_t n;

	for (; bytes.len > 0; bytes = str_from(bytes, n)) {
		n = singly ? 1 : str_find(bytes, '\n') + 1;
		if (n > bytes.len)
			n = bytes.len;
		buf_add(&session->in[side], bytes.ptr, n);
		fuzz_follow_pump(session);
	}
}

static inline void
fuzz_follow_hold(struct fuzz_session *session, const struct fuzz_sides *sides, const uint8_t *data,
    size_t size, bool singly)
{
	enum side side = SIDE_CLIENT;
	size_t at = 0, n;

	*session = (struct fuzz_session){.sides = sides, .row = &sides->dialect->follow};
	session->follow = session->row->new ();
	fuzz_follow_learn(session, size > 0 && data[0] % 2 == 1 ? sides->odd_word : NULL);
	for (; at < size; at += n) {
		for (n = 0; at + n < size && (data[at + n] < 1 || data[at + n] > 3); n++)
			;
		fuzz_follow_take(session, side, str_make((const char *)data + at, n), singly);
		if (at + n == size)
			break;
		if (data[at + n] == TURN_END) {
			session->row->end(session->follow, BYE_MOVED, &session->out[SIDE_CLIENT],
			    &session->out[SIDE_BACKEND]);
			fuzz_follow_pump(session);
		} else {
			side = data[at + n] == TURN_CLIENT ? SIDE_CLIENT : SIDE_BACKEND;
		}
		n++;
	}
	session->row->break_off(session->follow, BYE_LOST, &session->out[SIDE_CLIENT]);
}

static inline void
fuzz_follow_fini(struct fuzz_session *session)
{
	session->row->free(session->follow);
	for (int i = 0; i < SIDE_COUNT; i++) {
		buf_fini(&session->in[i]);
		buf_fini(&session->out[i]);
	}
}

static inline void
fuzz_follow(const struct fuzz_sides *sides, const uint8_t *data, size_t size)
{
	struct fuzz_session whole, single;

	fuzz_follow_hold(&whole, sides, data, size, false);
	fuzz_follow_hold(&single, sides, data, size, true);
	must(whole.follow->phase == single.follow->phase);
	for (int i = 0; i < SIDE_COUNT; i++) {
		/* Else it may have been given up at another byte of a line. */
		must((whole.follow->phase == FOLLOW_OVER && !sides->is_exact) ||
		     str_eq(buf_str(&whole.out[i]), buf_str(&single.out[i])));
	}
	fuzz_follow_fini(&whole);
	fuzz_follow_fini(&single);
}

#endif
