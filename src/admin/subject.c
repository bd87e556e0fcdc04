/*
 * subject.c - what a command is about: an address, @domain or login      (pure)
 */
#include "admin/subject.h"

#include "base/log.h"

void
subject_init(struct subject *subject)
{
	*subject = (struct subject){0};
	account_init(&subject->account);
}

void
subject_fini(struct subject *subject)
{
	account_fini(&subject->account);
	buf_fini(&subject->store);
}

static int
read_domain(struct subject *subject, struct str text, struct fault *fault_r)
{
	buf_clear(&subject->store);
	buf_add_byte(&subject->store, '@');
	if (!account_domain(str_from(text, 1), &subject->store))
		return fault_set(fault_r, VERDICT_PERM, "%s is not a domain", log_quote(text));
	subject->name = buf_str(&subject->store);
	subject->domain = str_from(subject->name, 1);
	return 0;
}

int
subject_read(struct subject *subject, struct str text, const struct account_rules *rules,
    struct fault *fault_r)
{
	subject->is_login = false;
	subject->is_domain = str_starts(text, "@");
	if (subject->is_domain) {
		if (read_domain(subject, text, fault_r) == -1)
			return -1;
	} else {
		switch (account_parse(&subject->account, text, rules)) {
		case ACCOUNT_LOGIN:
		case ACCOUNT_OTHER:
			return fault_set(fault_r, VERDICT_PERM,
			    "%s is not an address: write user@domain, or @domain for a whole domain",
			    log_quote(text));
		case ACCOUNT_BAD:
			return fault_set(fault_r, VERDICT_PERM, "%s: %s", log_quote(text),
			    subject->account.why);
		case ACCOUNT_ADDRESS:
			subject->name = subject->account.name;
			subject->domain = subject->account.domain;
		}
	}
	subject->differs = !str_eq(subject->name, text);
	return 0;
}

int
subject_read_or_login(struct subject *subject, struct str text, const struct account_rules *rules,
    struct fault *fault_r)
{
	if (account_login(&subject->account, text, rules) != ACCOUNT_LOGIN)
		return subject_read(subject, text, rules, fault_r);
	subject->is_domain = false;
	subject->is_login = true;
	subject->name = subject->account.name;
	subject->domain = STR("");
	subject->differs = !str_eq(subject->name, text);
	return 0;
}
