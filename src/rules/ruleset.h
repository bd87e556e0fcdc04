/*
 * ruleset.h - destinations and maps: what an owner means to an asker    (pure)
 *
 * A map of the settings is the Postfix form of a view: a text for each
 * destination, and one for held accounts. Texts are checked and cut into pieces
 * when they are loaded, so that answering cannot fail.
 */
#ifndef RULES_RULESET_H
#define RULES_RULESET_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/settings.h"
#include "map/finding.h"

enum { VIEW_NAME_MOST = 64, DESTINATION_NAME_MOST = 64 };

struct ruleset;
struct view; /* one map of the settings */

/*
 * Build from settings; problems (an owner without a destination, a destination
 * without a row, a bad %-expansion, an empty held text) are added to settings'
 * problem list with their lines, all of them, and then NULL is returned. Copies
 * what it needs.
 */
struct ruleset *ruleset_new(struct settings *settings);

/* The same from settings in which ruleset_new() has found no problem before. */
struct ruleset *ruleset_of(const struct settings *settings);
void ruleset_free(struct ruleset **rules);

/* NULL where there is no such map. Lent as long as the ruleset. */
const struct view *ruleset_view(const struct ruleset *rules, struct str name);
bool ruleset_has_destination(const struct ruleset *rules, struct str name);

/* For explain and check: every map in the order of the file. */
size_t ruleset_view_count(const struct ruleset *rules);
const struct view *ruleset_view_at(const struct ruleset *rules, size_t i);
const char *view_name(const struct view *view);

struct answer {
	enum verdict verdict; /* FOUND: text; ABSENT: say "not found" */
	struct str text; /* in the buf given to decide() */
	bool held;
	struct finding finding; /* what it was decided from; its strs are lent as there */
	const char *reason; /* TEMP, PERM */
};

/*
 * The decision, in one place: this finding seen from this view. An owner that
 * is no destination is TEMP, a verdict of trouble stays what it is. A map
 * without `held` ignores holds; text "" is ABSENT. The text is appended to out.
 * An account that would put a control character into it is PERM.
 */
void decide(const struct ruleset *rules, const struct view *view, const struct finding *finding,
    struct buf *out, struct answer *answer_r);

/* The same from no view: what was found, with an empty text. */
void decide_alone(const struct ruleset *rules, const struct finding *finding,
    struct answer *answer_r);

#endif
