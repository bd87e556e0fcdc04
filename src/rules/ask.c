/*
 * ask.c - a key and a view in, an answer out                          (driver)
 */
#include "rules/ask.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct asker {
	struct map *map;
	struct ruleset *rules; /* ours */
	struct account_rules account_rules;
	char *delimiters;
	struct account account; /* of the question in hand */
	struct buf domain; /* the same, when it has no account */
	struct buf text; /* of answers that come later */
	struct question *spare; /* so that an answer from memory allocates nothing */
	size_t waiting; /* questions that point here */
};

struct question {
	struct asker *asker;
	struct map_question *in_map;
	char view[VIEW_NAME_MOST]; /* not a pointer to it: a reload may come between */
	size_t view_len;
	answer_fn *fn;
	void *ctx;
};

enum { DOMAIN_KEPT_BYTES = 4096 };

static void
take_settings(struct asker *asker, const struct settings *settings)
{
	free(asker->delimiters);
	asker->delimiters = xstrdup(settings->recipient_delimiter);
	asker->account_rules = (struct account_rules){
	    .fold_local = settings->fold_local, .delimiters = asker->delimiters};
}

struct asker *
asker_new(struct map *map, struct ruleset *rules, const struct settings *settings)
{
	struct asker *asker = xnew(struct asker);

	asker->map = map;
	asker->rules = rules;
	account_init(&asker->account);
	take_settings(asker, settings);
	return asker;
}

void
asker_free(struct asker **asker)
{
	if (*asker == NULL)
		return;
	must((*asker)->waiting == 0);
	ruleset_free(&(*asker)->rules);
	account_fini(&(*asker)->account);
	buf_fini(&(*asker)->domain);
	buf_fini(&(*asker)->text);
	free((*asker)->spare);
	free((*asker)->delimiters);
	free(*asker);
	*asker = NULL;
}

void
asker_take_rules(struct asker *asker, struct ruleset *rules, const struct settings *settings)
{
	ruleset_free(&asker->rules);
	asker->rules = rules;
	take_settings(asker, settings);
}

static void
say(struct answer *answer_r, enum verdict verdict, const char *reason)
{
	*answer_r = (struct answer){.verdict = verdict,
	    .text = STR(""),
	    .reason = reason,
	    .finding = {.verdict = verdict, .source = SOURCE_CONFIG, .reason = reason}};
}

/* Control characters, which also cannot be a character of any other domain. */
static bool
is_printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return false;
	}
	return true;
}

/*
 * What cannot be an account is refused only where it would concern us: for a
 * domain that is surely not ours Postfix must go on to its other tables.
 */
static void
say_for_domain(struct asker *asker, struct str domain, const char *why, struct answer *answer_r)
{
	switch (map_domain(asker->map, domain)) {
	case VERDICT_ABSENT:
		say(answer_r, VERDICT_ABSENT, NULL);
		break;
	case VERDICT_TEMP:
		say(answer_r, VERDICT_TEMP, "the managed domains are not known now");
		break;
	default:
		say(answer_r, VERDICT_PERM, why);
		break;
	}
}

/* The same, where even the domain has not been read yet; text may be of any size. */
static void
say_for_text(struct asker *asker, struct str text, const char *why, struct answer *answer_r)
{
	size_t at = str_rfind(text, '@');
	struct str domain;

	if (at == text.len) {
		say(answer_r, VERDICT_ABSENT, NULL);
		return;
	}
	domain = str_from(text, at + 1);
	buf_clear(&asker->domain);
	if (domain.len <= ACCOUNT_MAX_BYTES && account_domain(domain, &asker->domain))
		say_for_domain(asker, buf_str(&asker->domain), why, answer_r);
	else if (is_printable(domain))
		say(answer_r, VERDICT_ABSENT, NULL); /* no domain at all, so none of ours */
	else
		say(answer_r, VERDICT_PERM, why); /* somebody else may read it as one of ours */
	if (asker->domain.size > DOMAIN_KEPT_BYTES)
		buf_fini(&asker->domain);
}

static bool
is_alone(struct str view_name)
{
	return str_eq(view_name, ASK_ALONE);
}

static void
answer_found(struct asker *asker, struct str view_name, const struct view *view,
    const struct finding *finding, struct buf *out, struct answer *answer_r)
{
	if (is_alone(view_name))
		decide_alone(asker->rules, finding, answer_r);
	else if (view == NULL)
		say(answer_r, VERDICT_PERM, "there is no map of this name");
	else
		decide(asker->rules, view, finding, out, answer_r);
}

static struct question *
question_new(struct asker *asker, struct str view, answer_fn *fn, void *ctx)
{
	struct question *question = asker->spare ? asker->spare : xnew(struct question);

	must(view.len <= sizeof(question->view)); /* it was found in the ruleset */
	asker->spare = NULL;
	asker->waiting++;
	question->asker = asker;
	memcpy(question->view, view.ptr, view.len);
	question->view_len = view.len;
	question->fn = fn;
	question->ctx = ctx;
	return question;
}

static void
question_free(struct question *question)
{
	struct asker *asker = question->asker;

	asker->waiting--;
	if (asker->spare == NULL)
		asker->spare = question;
	else
		free(question);
}

static void
found(void *ctx, const struct finding *finding)
{
	struct question *question = ctx;
	struct asker *asker = question->asker;
	struct str view_name = str_make(question->view, question->view_len);
	answer_fn *fn = question->fn;
	void *fn_ctx = question->ctx;
	struct answer answer;

	buf_clear(&asker->text);
	answer_found(asker, view_name, ruleset_view(asker->rules, view_name), finding, &asker->text,
	    &answer);
	question_free(question);
	fn(fn_ctx, &answer);
}

void
question_forget(struct question **question)
{
	if (*question == NULL)
		return;
	map_forget(&(*question)->in_map);
	question_free(*question);
	*question = NULL;
}

/* True when the map need not be asked: *answer_r is filled. */
static bool
answered_without_map(struct asker *asker, struct str view_name, const struct view *view,
    struct str key, struct answer *answer_r)
{
	const struct account *account = &asker->account;

	if (view_name.len == 0)
		say(answer_r, VERDICT_PERM, "the request names no map");
	else if (view == NULL && !is_alone(view_name))
		say(answer_r, VERDICT_PERM, "there is no map of this name");
	else if (key.len == 0)
		say(answer_r, VERDICT_PERM, "the key is empty");
	else if (key.len > ACCOUNT_MAX_BYTES)
		say_for_text(asker, key, "the key is too long", answer_r);
	else if (account_parse(&asker->account, key, &asker->account_rules) == ACCOUNT_ADDRESS)
		return false;
	else if (account->kind == ACCOUNT_OTHER)
		say(answer_r, VERDICT_ABSENT, NULL);
	else if (account->domain.len > 0)
		say_for_domain(asker, account->domain, account->why, answer_r);
	else
		say_for_text(asker, key, account->why, answer_r);
	return true;
}

struct question *
ask(struct asker *asker, struct str view_name, struct str key, struct buf *out, answer_fn *fn,
    void *ctx, struct answer *answer_r)
{
	const struct view *view = ruleset_view(asker->rules, view_name);
	struct question *question;
	struct map_question *in_map;
	struct finding finding;

	if (answered_without_map(asker, view_name, view, key, answer_r))
		return NULL;
	question = question_new(asker, view_name, fn, ctx);
	in_map = map_ask(asker->map, &asker->account, found, question, &finding);
	if (in_map != NULL) {
		question->in_map = in_map;
		return question;
	}
	question_free(question);
	answer_found(asker, view_name, view, &finding, out, answer_r);
	return NULL;
}
