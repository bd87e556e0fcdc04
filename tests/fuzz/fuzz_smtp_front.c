/*
 * fuzz_smtp_front.c - what a submission client says before its login
 *
 * Fed whole and byte by byte: what it sees must be the same. STARTTLS is not offered,
 * because there it counts what comes together.
 */
#include "front/smtp_front.h"

#include "base/mem.h"
#include "front/sasl.h"
#include "front/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum token_place places[] = {TOKEN_FIELD, TOKEN_CLAIM};
static const char *const claims[] = {"email"};
static const struct sasl_rules sasl_rules = {places, 2, claims, 1};

/* Every third login is let in, the others are refused or asked something. */
static bool
decide(struct front *front, const struct front_terms *terms, struct buf *out)
{
	const struct credentials *got = &front->credentials;

	buf_addf(out, "<%d %.*s %.*s %.*s>", got->mechanism, STR_FMT(got->authzid),
	    STR_FMT(got->authcid), STR_FMT(got->secret));
	switch (got->secret.len % 3) {
	case 0:
		smtp_front_accept(front, STR(""), STR("235 in"), out);
		return true;
	case 1:
		smtp_front_refuse(front, terms, REFUSAL_WRONG, STR(""), out);
		return false;
	default:
		if (mechanism_is_passed(got->mechanism))
			smtp_front_challenge(front, STR("c2VydmVy"), out);
		else
			smtp_front_refuse(front, terms, REFUSAL_LATER, STR("454 later"), out);
		return false;
	}
}

static void
feed(const uint8_t *data, size_t size, size_t piece, struct buf *out)
{
	struct arenas *arenas = arenas_new(1);
	struct arena *arena = arena_borrow(arenas);
	struct front *front = smtp_front_new(arena);
	struct front_terms terms = {.host = "mx.test",
	    .mechanisms = (1U << MECHANISM_COUNT) - 1,
	    .may_login = true,
	    .sasl = &sasl_rules};
	enum front_step step = FRONT_WAIT;
	struct buf in = BUF_INIT;
	bool is_in = false;

	for (size_t at = 0; at < size && step != FRONT_END && !is_in; at += piece) {
		buf_add(&in, data + at, size - at < piece ? size - at : piece);
		while (!is_in && (step = smtp_front_next(front, &terms, &in, out)) != FRONT_WAIT &&
		       step != FRONT_END) {
			must(step != FRONT_TLS);
			if (step == FRONT_LOGIN)
				is_in = decide(front, &terms, out);
			else if (step == FRONT_RESPONSE)
				smtp_front_refuse(front, &terms, REFUSAL_WRONG, STR(""), out);
		}
		/* As a connection would: whatever still waits fits into its buffer. */
		must(step != FRONT_WAIT || piece > 1 ||
		     buf_len(&in) < dialect_submission.in_max_bytes);
	}
	for (size_t i = 0; i < front->hello.len; i++)
		must((unsigned char)front->hello.ptr[i] > ' ');
	buf_add_str(out, front->hello);
	smtp_front_free(front);
	arena_return(&arena);
	arenas_free(&arenas);
	buf_fini(&in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT, single = BUF_INIT;

	feed(data, size, size ? size : 1, &whole);
	feed(data, size, 1, &single);
	must(str_eq(buf_str(&whole), buf_str(&single)));
	buf_fini(&whole);
	buf_fini(&single);
	return 0;
}
