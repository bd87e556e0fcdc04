/*
 * ask.h - a key and a view in, an answer out                          (driver)
 *
 * What every protocol of every program calls. Keys are as they arrive: any
 * bytes. What is no address, or belongs to a domain that is surely not managed,
 * is ABSENT without Redis; an over-long or impossible address of a managed
 * domain is PERM; the rest is the map's word, decided for the view.
 */
#ifndef RULES_ASK_H
#define RULES_ASK_H

#include "map/map.h"
#include "rules/ruleset.h"

/*
 * A view that no settings can have: what the map has found, for programs of our
 * own; the answer's text is empty.
 */
#define ASK_ALONE STR("=")

struct asker; /* a map and the ruleset in force; one in a process */
struct question;

struct asker *asker_new(struct map *map, struct ruleset *rules, const struct settings *settings);
void asker_free(struct asker **asker);

/* The ruleset, taken over, answers from now on; questions that wait get the new one too. */
void asker_take_rules(struct asker *asker, struct ruleset *rules, const struct settings *settings);

typedef void answer_fn(void *ctx, const struct answer *answer);

/*
 * Returns NULL when *answer_r is filled: answered now; its text was appended to
 * out and its finding is lent until the next ask. Otherwise fn(ctx, answer)
 * comes once later, never from inside this call, with a text of its own that is
 * lent until fn returns (out is not touched then); question_forget() cancels
 * it. The view is looked up by name when the answer is made; a map that is not there
 * is PERM with a reason.
 */
struct question *ask(struct asker *asker, struct str view, struct str key, struct buf *out,
    answer_fn *fn, void *ctx, struct answer *answer_r);
void question_forget(struct question **question);

#endif
