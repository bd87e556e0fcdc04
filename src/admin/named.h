/*
 * named.h - the addresses that a command was given                    (driver)
 *
 * For commands about any number of them: barrier, doctor.
 */
#ifndef ADMIN_NAMED_H
#define ADMIN_NAMED_H

#include "admin/admin.h"
#include "admin/subject.h"

struct named {
	struct subject subjects[ARGS_WORDS_MOST];
	struct str names[ARGS_WORDS_MOST]; /* as the map has them; lent until named_fini() */
	size_t count;
};

/*
 * All words of the command line; the settings are there. 0, or a sysexits code
 * after having said what is no address. named_fini() is due in any case.
 */
int named_read(struct named *named, const struct admin *admin);
int named_read_or_logins(struct named *named, const struct admin *admin); /* and login names */
void named_fini(struct named *named);

#endif
