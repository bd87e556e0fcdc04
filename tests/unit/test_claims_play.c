/*
 * test_claims_play.c - claims against the truth of every moment
 *
 * A long random play of a map, a feed that arrives late, answers that arrive later
 * and holders that drain slowly, in which the truth of every moment is written down
 * and every barrier that was agreed to is checked against it by brute force.
 */
#include "map/claims.h"

#include "base/mem.h"
#include "map/fetch.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static const struct account_rules rules = {true, "+"};

static struct finding
found(const char *owner, const char *account)
{
	return (struct finding){
	    .verdict = VERDICT_FOUND, .owner = str_of(owner), .account = str_of(account)};
}

static void
hear(struct claims *claims, const char *text)
{
	struct barrier barrier;

	assert_true(barrier_read(str_of(text), &barrier));
	claims_barrier(claims, &barrier);
	barrier_fini(&barrier);
}

enum { CLAIMS = 40, FEED = 64, BARRIERS = 8, MOMENTS = 60000, KEYS = 14, ASKED = 9, NAMES = 3 };

static const char *const key_names[KEYS] = {"owner:@x.org", "owner:@y.org", "owner:a@x.org",
    "owner:a+t@x.org", "owner:b@x.org", "owner:b+t@x.org", "owner:c@y.org", "owner:l@x.org",
    "login:l@x.org", "login:@z.org", "owner:m@y.org", "login:m@y.org", "login:alice",
    "owner:@z.org"};
/* What each may hold; an absent key is NULL. */
static const char *const owners[] = {NULL, "p", "q", "r"};
static const char *const logins[] = {"a@x.org", "b@x.org", "b+t@x.org", "c@y.org"};
static const char *const alias_domains[] = {"@x.org", "@y.org"};
static const char *const asked_names[ASKED] = {"a@x.org", "a+t@x.org", "b@x.org", "c@y.org",
    "l@x.org", "a@z.org", "b+t@z.org", "m@y.org", "alice"};

struct play {
	struct claims *claims;
	const char *map[KEYS], *memory[KEYS]; /* memory: as far as we have heard */
	unsigned moment; /* one more with every change of the map */
	char owner_at[MOMENTS][ASKED]; /* the truth */
	uint32_t account_at[MOMENTS][ASKED]; /* a number for each name */

	struct message {
		unsigned moment;
		int key; /* -1: a barrier */
		const char *value;
		struct barrier_text {
			char text[200];
			unsigned from; /* the moment of its first change */
			unsigned epoch;
			int keys[NAMES], count; /* 0: everything */
			unsigned moments[NAMES];
		} barrier;
	} feed[FEED];
	unsigned heard, said; /* numbers of messages */
	struct barrier_text agreed_of[BARRIERS * 100000 / 100]; /* by epoch, round and round */
	unsigned epoch, agreed;

	struct held {
		struct claim *claim;
		int asked;
		uint32_t account;
		char owner;
		bool ending;
		struct play *play;
	} held[CLAIMS];
	struct owed {
		struct claim *claim; /* NULL: a free place */
		char owner, account[64];
		enum verdict verdict;
	} owed[CLAIMS];
};

static unsigned long seed;

static unsigned
dice(unsigned sides)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned)(seed >> 33) % sides;
}

/* The owner's letter, and the account. */
static enum verdict
read_map(const char *const *map, const char *address, char *owner_r, char account_r[64])
{
	struct fetch_value values[FETCH_KEYS_MOST];
	const struct finding *finding;
	struct account asked;
	const struct str *keys;
	struct fetch *fetch;
	enum verdict verdict;
	size_t count;

	account_init(&asked);
	account_read(&asked, str_of(address), &rules);
	fetch = fetch_new("p", &asked, &rules, NULL, NULL);
	do {
		count = fetch_keys(fetch, &keys);
		for (size_t i = 0; i < count; i++) {
			values[i] = (struct fetch_value){.kind = FETCH_ABSENT};
			for (size_t k = 0; k < KEYS; k++) {
				if (map[k] != NULL && str_is(str_from(keys[i], 2), key_names[k]))
					values[i] =
					    (struct fetch_value){FETCH_STRING, str_of(map[k])};
			}
		}
	} while (fetch_take(fetch, values, count) == FETCH_AGAIN);
	finding = fetch_finding(fetch);
	verdict = finding->verdict;
	*owner_r = verdict == VERDICT_FOUND ? finding->owner.ptr[0] : '-';
	snprintf(account_r, 64, "%.*s", STR_FMT(finding->account));
	fetch_free(&fetch);
	account_fini(&asked);
	return verdict;
}

static uint32_t
number_of(const char *account)
{
	uint32_t number = 0;

	while (*account != '\0')
		number = number * 31 + (unsigned char)*account++;
	return number;
}

static void
note_truth(struct play *play)
{
	char account[64];

	assert_true(play->moment < MOMENTS);
	for (int i = 0; i < ASKED; i++) {
		read_map(play->map, asked_names[i], &play->owner_at[play->moment][i], account);
		play->account_at[play->moment][i] = number_of(account);
	}
}

static bool
play_stands(void *ctx, const struct finding *finding)
{
	const struct held *held = ctx;

	return finding->owner.ptr[0] == held->owner;
}

static void
play_end(void *ctx, const struct finding *finding)
{
	struct held *held = ctx;

	assert_false(held->ending);
	held->ending = true;
	if (dice(2) == 0) { /* from inside */
		claims_drop(held->play->claims, held->claim);
		held->claim = NULL;
	}
}

static const struct claim_events play_events = {play_stands, play_end};

static void
play_take(struct play *play)
{
	struct held *held = play->held;
	char account[64], owner[2] = "";
	struct finding finding;
	struct account asked;
	int which = (int)dice(ASKED);

	while (held < play->held + CLAIMS && held->claim != NULL)
		held++;
	if (held == play->held + CLAIMS ||
	    read_map(dice(2) ? play->map : play->memory, asked_names[which], &owner[0], account) !=
		VERDICT_FOUND)
		return;
	*held = (struct held){
	    .asked = which, .owner = owner[0], .account = number_of(account), .play = play};
	finding = found(owner, account);
	account_init(&asked);
	account_read(&asked, str_of(asked_names[which]), &rules);
	held->claim = claims_take(play->claims, &asked, &finding, dice(8) > 0, &play_events, held);
	account_fini(&asked);
}

static void
owed_forget(struct play *play, const struct claim *claim)
{
	for (size_t i = 0; i < CLAIMS; i++) {
		if (play->owed[i].claim == claim)
			play->owed[i].claim = NULL;
	}
}

static void
play_release(struct play *play, struct held *held)
{
	if (held->claim == NULL || (!held->ending && dice(20) > 0))
		return;
	owed_forget(play, held->claim);
	claims_drop(play->claims, held->claim);
	held->claim = NULL;
}

/* The value is read now, and told later. */
static void
play_ask(struct play *play)
{
	struct claim *claim = claims_next(play->claims);
	struct owed *owed = play->owed;
	char name[64];

	if (claim == NULL)
		return;
	while (owed->claim != NULL)
		owed++;
	snprintf(name, sizeof(name), "%.*s", STR_FMT(claim_asked(claim)));
	owed->claim = claim;
	owed->verdict = read_map(play->map, name, &owed->owner, owed->account);
	if (dice(10) == 0)
		owed->verdict = VERDICT_TEMP;
}

static void
play_answer(struct play *play, struct owed *owed)
{
	char owner[2] = {owed->owner, '\0'};
	struct claim *claim = owed->claim;
	struct finding finding = found(owner, owed->account);

	if (claim == NULL)
		return;
	owed->claim = NULL;
	finding.verdict = owed->verdict;
	claims_answer(play->claims, claim, &finding);
}

static struct message *
say(struct play *play)
{
	assert_true(play->said - play->heard < FEED);
	return &play->feed[play->said++ % FEED];
}

static void
play_change(struct play *play)
{
	int key = (int)dice(KEYS - 1); /* z.org has no owner key, or it would be no alias */
	const char *value;

	if (strncmp(key_names[key], "login:@", 7) == 0)
		value = alias_domains[dice(2)];
	else if (strcmp(key_names[key], "login:alice") == 0 && dice(8) == 0)
		value = NULL; /* nobody's */
	else if (strncmp(key_names[key], "login:", 6) == 0)
		value = logins[dice(4)];
	else if (key < 2)
		value = owners[1 + dice(3)];
	else if (key == 7 || key == 10) /* an owner of its own makes it no alias */
		value = owners[dice(8) == 0];
	else
		value = owners[dice(4)];
	play->map[key] = value;
	play->moment++;
	note_truth(play);
	*say(play) = (struct message){.moment = play->moment, .key = key, .value = value};
}

/* Names the last changes, or everything; or says an earlier barrier again. */
static void
play_barrier(struct play *play)
{
	struct message *message;
	struct barrier_text text = {.epoch = ++play->epoch, .from = play->moment};
	int len;

	if (play->said == 0)
		return;
	len = snprintf(text.text, sizeof(text.text), "%u n%u", text.epoch, text.epoch);
	for (unsigned n = play->said; n-- > 0 && play->said - n < 6 && text.count < NAMES;) {
		message = &play->feed[n % FEED];
		if (message->key == -1)
			continue;
		text.keys[text.count] = message->key;
		text.moments[text.count++] = message->moment;
		len += snprintf(text.text + len, sizeof(text.text) - (size_t)len, " %s",
		    key_names[message->key] + strlen("owner:"));
	}
	if (text.count == 0 || dice(8) == 0) {
		text.count = 0;
		snprintf(text.text, sizeof(text.text), "%u n%u *", text.epoch, text.epoch);
	}
	play->agreed_of[text.epoch % ARRAY_LEN(play->agreed_of)] = text;
	*say(play) = (struct message){.key = -1, .barrier = text};
}

static void
play_hear(struct play *play)
{
	const struct message *message;

	if (play->heard == play->said)
		return;
	message = &play->feed[play->heard++ % FEED];
	if (message->key >= 0) {
		play->memory[message->key] = message->value;
		claims_change(play->claims, str_of(key_names[message->key] + strlen("owner:")));
		return;
	}
	hear(play->claims, message->barrier.text);
	if (dice(4) == 0)
		hear(play->claims, message->barrier.text);
}

/* Was this the owner at some moment not before? */
static bool
owned(const struct play *play, const struct held *held, unsigned from)
{
	for (unsigned m = from; m <= play->moment; m++) {
		if (play->owner_at[m][held->asked] == held->owner)
			return true;
	}
	return false;
}

static void
check_agreed(struct play *play)
{
	char nonce[HEAD_NONCE_BYTES];
	uint64_t epoch;

	while (claims_agreed(play->claims, &epoch, nonce)) {
		const struct barrier_text *text =
		    &play->agreed_of[epoch % ARRAY_LEN(play->agreed_of)];

		assert_int_equal(text->epoch, epoch);
		play->agreed++;
		for (size_t i = 0; i < CLAIMS; i++) {
			const struct held *held = &play->held[i];

			if (held->claim == NULL)
				continue;
			if (text->count == 0 && !owned(play, held, text->from))
				fail_msg("%s by *", asked_names[held->asked]);
			for (int c = 0; c < text->count; c++) {
				unsigned m = text->moments[c];

				/* Did this very change take the account away from its owner? */
				if (play->account_at[m - 1][held->asked] == held->account &&
				    play->owner_at[m - 1][held->asked] !=
					play->owner_at[m][held->asked] &&
				    !owned(play, held, m))
					fail_msg("%s by %s: %s", asked_names[held->asked],
					    key_names[text->keys[c]], text->text);
			}
		}
	}
}

static void
play_session(struct play *play)
{
	play->heard = play->said; /* the rest was never told */
	memcpy(play->memory, play->map, sizeof(play->map));
	claims_forget_barriers(play->claims);
	claims_change_all(play->claims);
}

static void
play_end_of_all(struct play *play)
{
	struct claims_counters counters;

	while (play->heard != play->said)
		play_hear(play);
	for (int i = 0; i < 5 * CLAIMS; i++) {
		claims_again(play->claims);
		play_ask(play);
		for (size_t o = 0; o < CLAIMS; o++)
			play_answer(play, &play->owed[o]);
	}
	for (size_t i = 0; i < CLAIMS; i++) {
		if (play->held[i].claim != NULL && play->held[i].ending)
			play_release(play, &play->held[i]);
	}
	check_agreed(play);
	claims_count(play->claims, &counters);
	assert_int_equal(counters.unsure + counters.ending + counters.barriers, 0);
	for (size_t i = 0; i < CLAIMS; i++) {
		const struct held *held = &play->held[i];

		if (held->claim != NULL)
			assert_int_equal(play->owner_at[play->moment][held->asked], held->owner);
	}
}

static void
play_step(struct play *play)
{
	switch (dice(16)) {
	case 0:
		if (play->said - play->heard < FEED - 2)
			play_change(play);
		break;
	case 1:
		if (play->said - play->heard < FEED - 2)
			play_barrier(play);
		break;
	case 2:
	case 3:
		play_take(play);
		break;
	case 4:
	case 5:
	case 6:
		play_hear(play);
		break;
	case 7:
	case 8:
	case 9:
		play_ask(play);
		break;
	case 10:
	case 11:
	case 12:
		play_answer(play, &play->owed[dice(CLAIMS)]);
		break;
	case 13:
		claims_again(play->claims);
		break;
	case 14:
		play_release(play, &play->held[dice(CLAIMS)]);
		break;
	default:
		if (dice(40) == 0)
			play_session(play);
	}
	check_agreed(play);
}

static void
no_barrier_is_agreed_to_while_a_claim_leads_to_the_former_owner(void **state)
{
	struct play *play = xnew(struct play);

	play->claims = claims_new(&rules, NULL);
	seed = 20261121;
	play->map[0] = play->map[1] = "p";
	play->map[8] = play->map[11] = play->map[12] = "a@x.org";
	play->map[9] = "@x.org";
	memcpy(play->memory, play->map, sizeof(play->map));
	note_truth(play);
	for (unsigned round = 0; round < 40; round++) {
		for (unsigned i = 0; i < 8000; i++)
			play_step(play);
		play_end_of_all(play);
	}
	assert_in_range(play->agreed, 1000, UINT32_MAX);
	for (size_t i = 0; i < CLAIMS; i++) {
		if (play->held[i].claim != NULL)
			claims_drop(play->claims, play->held[i].claim);
	}
	claims_free(&play->claims);
	free(play);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_barrier_is_agreed_to_while_a_claim_leads_to_the_former_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
