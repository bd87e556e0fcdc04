/*
 * address_line.h - a line of import --addresses                         (pure)
 *
 * An address that is known without an owner key, and perhaps one word that says what
 * it is: "info@example.org list". Of a domain, "@example.org", it is a catch-all; the
 * word "complete" says the opposite, which export writes. Blank lines and "#" comments
 * say nothing.
 */
#ifndef ADMIN_ADDRESS_LINE_H
#define ADMIN_ADDRESS_LINE_H

#include "base/fault.h"
#include "base/str.h"

#include <stdbool.h>

enum { ADDRESS_WORD_MOST = 32 };

/*
 * 1: *address_r, and *word_r, which is empty where there is none; 0: a blank or a
 * comment; -1 and *fault_r. Both are lent from the line, and neither is checked further.
 */
int address_line_read(struct str line, struct str *address_r, struct str *word_r,
    struct fault *fault_r);

/* What the complete key becomes; lent from the word, or for ever. 0, or -1 and *fault_r. */
int address_line_value(bool is_domain, struct str word, struct str *value_r, struct fault *fault_r);

/* The other way round: the word for what a key says; empty where no word says it. */
struct str address_line_word(bool is_domain, struct str value);

#endif
