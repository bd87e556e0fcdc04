/*
 * shell.h - words that a person pastes into a shell                     (pure)
 *
 * What helps is told as a command. It must be that command when it is typed as it
 * stands, whatever is in an address or a file's name: the words are written so that
 * sh(1) reads them back byte for byte, and nothing in them is an order to the
 * terminal or to the shell.
 */
#ifndef ADMIN_SHELL_H
#define ADMIN_SHELL_H

#include "base/buf.h"
#include "base/str.h"

#include <stddef.h>

/* Appends one word: of any bytes but NUL, and without a line feed at its end. */
void shell_add(struct buf *out, struct str word);

/* The same; lent until the fourth next call. */
const char *shell_word(struct str word);

/* " alice@example.org", or " -- -x@example.org": the last words of a command; lent likewise. */
const char *shell_name(struct str name);

/*
 * Appends addresses as the last words of a command, each behind a space, and
 * behind "--" where one of them would be taken for an option.
 */
void shell_add_names(struct buf *out, const struct str *names, size_t count);

#endif
