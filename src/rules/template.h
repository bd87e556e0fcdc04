/*
 * template.h - a text of the settings with the account's parts in it    (pure)
 *
 * "lmtp:unix:private/%d" is checked and cut into pieces when it is loaded; what
 * is left for each answer is copying. The only expansions are
 *
 *	%a  the account, local@domain		%d  its domain
 *	%u  its local part, as it is quoted	%o  its owner, a destination
 *	%%  a percent sign
 */
#ifndef RULES_TEMPLATE_H
#define RULES_TEMPLATE_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/str.h"

#include <stdbool.h>

/*
 * A reply of socketmap may have 100,000 bytes, "OK " included. Texts of the
 * settings stay far below, so that only an absurd account could reach it.
 */
enum { TEMPLATE_TEXT_MOST = 2000, TEMPLATE_EXPANDED_MOST = 99000 };

struct template;

struct template_words {
	struct str account; /* canonical; split at its last @ */
	struct str owner;
};

/*
 * NULL and one sentence in *fault_r (VERDICT_PERM) where the text has another
 * expansion, a control character, or more than TEMPLATE_TEXT_MOST bytes. The
 * text is copied.
 */
struct template *template_new(const char *text, struct fault *fault_r);
void template_free(struct template **template);

bool template_is_empty(const struct template *template);

/*
 * Append the text for these words to out. False, and nothing appended, when it
 * would hold a control character or be longer than TEMPLATE_EXPANDED_MOST: such
 * a text could be read as something else by whoever gets it.
 */
bool template_expand(const struct template *template, const struct template_words *words,
    struct buf *out);

#endif
