/*
 * tally.c - what a front worker has done, in numbers                    (pure)
 */
#include "front/tally.h"

#include "base/mem.h"

const char *const refusal_names[REFUSAL_COUNT] = {
    [REFUSAL_LATER] = "later",
    [REFUSAL_WRONG] = "wrong",
    [REFUSAL_TOKEN] = "token",
    [REFUSAL_UNSAFE] = "unsafe",
    [REFUSAL_LIMIT] = "limit",
};

const char *const turned_names[TURNED_COUNT] = {
    [TURNED_MAX_LOGINS] = "max_logins",
    [TURNED_MAX_PER_ADDRESS] = "max_per_address",
};

static const char *const dialect_names[DIALECT_COUNT] = {
    [DIALECT_IMAP] = "imap",
    [DIALECT_POP3] = "pop3",
    [DIALECT_SUBMISSION] = "submission",
    [DIALECT_SIEVE] = "sieve",
};

void
tally_accepted(struct tally *tally, enum dialect_kind dialect, uint64_t ms)
{
	struct tally_dialect *one = &tally->dialects[dialect];
	unsigned step = 0;

	while (step < TALLY_STEPS - 1 && ms > (UINT64_C(1) << step))
		step++;
	one->accepted++;
	one->login_ms[step]++;
	one->login_ms_sum += ms;
}

void
tally_refused(struct tally *tally, enum dialect_kind dialect, enum refusal refusal)
{
	tally->dialects[dialect].refused[refusal]++;
}

void
tally_turned_away(struct tally *tally, enum dialect_kind dialect, enum turned_away limit)
{
	tally->dialects[dialect].turned_away[limit]++;
}

void
tally_session(struct tally *tally, enum dialect_kind dialect, uint64_t in, uint64_t out)
{
	struct tally_dialect *one = &tally->dialects[dialect];

	one->sessions++;
	one->bytes_in += in;
	one->bytes_out += out;
}

/* {"wrong": 3, ...} */
static json_t *
counts_json(const uint64_t *counts, const char *const *names, size_t count)
{
	json_t *object = json_object();

	for (size_t i = 0; i < count; i++)
		json_object_set_new(object, names[i], json_integer((json_int_t)counts[i]));
	return object;
}

static json_t *
dialect_json(const struct tally_dialect *one)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "accepted", (json_int_t)one->accepted,
	    "sessions_ended", (json_int_t)one->sessions, "bytes_in", (json_int_t)one->bytes_in,
	    "bytes_out", (json_int_t)one->bytes_out, "refused",
	    counts_json(one->refused, refusal_names, REFUSAL_COUNT), "turned_away",
	    counts_json(one->turned_away, turned_names, TURNED_COUNT));
}

json_t *
tally_json(const struct tally *tally)
{
	json_t *all = json_object();

	for (size_t i = 0; i < DIALECT_COUNT; i++)
		json_object_set_new(all, dialect_names[i], dialect_json(&tally->dialects[i]));
	return all;
}
