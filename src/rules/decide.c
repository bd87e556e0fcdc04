/*
 * decide.c - a finding seen from a view                                 (pure)
 *
 * The one place in which an owner becomes an answer. Every case that is not
 * plainly right ends as TEMP or PERM, which Postfix takes for "later"; none of
 * them as another destination.
 */
#include "rules/ruleset_inside.h"

static void
refuse(struct answer *answer, enum verdict verdict, const char *reason)
{
	answer->verdict = verdict;
	answer->reason = reason;
}

static void
write_text(const struct template *template, const struct finding *finding, struct buf *out,
    struct answer *answer)
{
	const struct template_words words = {.account = finding->account, .owner = finding->owner};
	size_t before = buf_len(out);

	if (!template_expand(template, &words, out)) {
		refuse(answer, VERDICT_PERM, "the map's text cannot be written for this account");
		return;
	}
	answer->text = str_from(buf_str(out), before);
	answer->verdict = VERDICT_FOUND;
	if (answer->text.len > 0)
		return;
	/* An empty value is a configuration error to Postfix: nothing to say is "not found". */
	answer->verdict = VERDICT_ABSENT;
	if (answer->held)
		refuse(answer, VERDICT_TEMP, "the account is held, but the held text is empty");
}

/* NULL: the answer is whole already, and nobody's destination. */
static const struct destination *
decide_destination(const struct ruleset *rules, const struct finding *finding,
    struct answer *answer_r)
{
	const struct destination *destination;

	*answer_r = (struct answer){.verdict = finding->verdict,
	    .text = STR(""),
	    .finding = *finding,
	    .reason = finding->reason};
	if (finding->verdict != VERDICT_FOUND) {
		if (finding->verdict != VERDICT_ABSENT && finding->reason == NULL)
			answer_r->reason = "the map cannot be read";
		return NULL;
	}
	if ((destination = ruleset_destination(rules, finding->owner)) == NULL)
		refuse(answer_r, VERDICT_TEMP, "the owner in the map is no destination");
	return destination;
}

void
decide_alone(const struct ruleset *rules, const struct finding *finding, struct answer *answer_r)
{
	if (decide_destination(rules, finding, answer_r) != NULL)
		answer_r->held = finding->hold != HOLD_NONE;
}

void
decide(const struct ruleset *rules, const struct view *view, const struct finding *finding,
    struct buf *out, struct answer *answer_r)
{
	const struct destination *destination = decide_destination(rules, finding, answer_r);

	if (destination == NULL)
		return;
	if (finding->hold != HOLD_NONE && view->held != NULL) {
		answer_r->held = true;
		write_text(view->held, finding, out, answer_r);
		return;
	}
	write_text(view->owners[destination->index], finding, out, answer_r);
}
