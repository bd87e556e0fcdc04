/*
 * subject.h - what a command is about: an address, @domain or login      (pure)
 *
 * Operators write addresses as they come; the map knows one form only. What was
 * written differently is taken in its canonical form, and the command says so.
 */
#ifndef ADMIN_SUBJECT_H
#define ADMIN_SUBJECT_H

#include "base/buf.h"
#include "base/fault.h"
#include "map/account.h"

#include <stdbool.h>

struct subject {
	bool is_domain, is_login; /* neither: an address */
	bool differs; /* from what was written */
	struct str name; /* "alice@example.org", "@example.org" or "alice" */
	struct str domain; /* without @; empty of a login */
	struct account account; /* an address or a login only */
	struct buf store;
};

void subject_init(struct subject *subject);
void subject_fini(struct subject *subject);

/*
 * An address or an @domain; the strs are lent until the next read or
 * subject_fini(). -1 and *fault_r: it is neither.
 */
int subject_read(struct subject *subject, struct str text, const struct account_rules *rules,
    struct fault *fault_r);

/* The same, or a login name without domain, which no @ is in. */
int subject_read_or_login(struct subject *subject, struct str text,
    const struct account_rules *rules, struct fault *fault_r);

#endif
