/*
 * imap_caps.h - capability lists that pass through us                   (pure)
 *
 * A backend tells what it can in an untagged line or in a response code. What would
 * end the authenticated state, hide where a command ends, or belongs before the
 * login, is taken out before a client sees it.
 */
#ifndef FRONT_IMAP_CAPS_H
#define FRONT_IMAP_CAPS_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

/* COMPRESS=*, UNAUTHENTICATE, STARTTLS, AUTH=*, LOGINDISABLED. */
bool imap_caps_is_hidden(struct str word);

/*
 * The list in "CAPABILITY list" or "OK [CAPABILITY list] text", which is what
 * stands behind "* " or a tag.
 */
bool imap_caps_find(struct str text, struct str *list_r);

/* The next word of a list; false at its end. */
bool imap_caps_next(struct str *list, struct str *word_r);

/* Such a text, or any other, without what is hidden. */
void imap_caps_pass(struct str text, struct buf *out);

#endif
