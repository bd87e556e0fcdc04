/*
 * named.c - the addresses that a command was given                    (driver)
 */
#include "admin/named.h"

#include "admin/owner.h"

int
named_read(struct named *named, const struct admin *admin)
{
	int code = 0;

	named->count = 0;
	while (code == 0 && named->count < admin->args.word_count) {
		struct subject *subject = &named->subjects[named->count];

		subject_init(subject);
		code = owner_subject(admin, subject, admin->args.words[named->count]);
		named->names[named->count++] = subject->name;
	}
	return code;
}

void
named_fini(struct named *named)
{
	while (named->count > 0)
		subject_fini(&named->subjects[--named->count]);
}
