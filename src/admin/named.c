/*
 * named.c - the addresses that a command was given                    (driver)
 */
#include "admin/named.h"

#include "admin/owner.h"

typedef int owner_subject_fn(const struct admin *admin, struct subject *subject, const char *text);

static int
read_all(struct named *named, const struct admin *admin, owner_subject_fn *read)
{
	int code = 0;

	named->count = 0;
	while (code == 0 && named->count < admin->args.word_count) {
		struct subject *subject = &named->subjects[named->count];

		subject_init(subject);
		code = read(admin, subject, admin->args.words[named->count]);
		named->names[named->count++] = subject->name;
	}
	return code;
}

int
named_read(struct named *named, const struct admin *admin)
{
	return read_all(named, admin, owner_subject);
}

int
named_read_or_logins(struct named *named, const struct admin *admin)
{
	return read_all(named, admin, owner_subject_or_login);
}

void
named_fini(struct named *named)
{
	while (named->count > 0)
		subject_fini(&named->subjects[--named->count]);
}
