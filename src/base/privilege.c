/*
 * privilege.c - from root to somebody who can do no harm              (driver)
 */
#include "base/privilege.h"

#include "base/mem.h"
#include "base/str.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MOST = 1 << 20 };

/* A name in digits; the highest number is chown's "leave it" and nobody's. */
static bool
is_number(const char *name, uint64_t *number_r)
{
	return str_number(str_of(name), (uid_t)-1 - 1, number_r);
}

int
identity_user(const char *name, uid_t *uid_r, struct fault *fault_r)
{
	const struct passwd *entry = getpwnam(name);
	uint64_t number;

	if (entry != NULL)
		*uid_r = entry->pw_uid;
	else if (is_number(name, &number))
		*uid_r = (uid_t)number;
	else
		return fault_set(fault_r, VERDICT_PERM, "there is no user \"%s\"", name);
	return 0;
}

int
identity_group(const char *name, gid_t *gid_r, struct fault *fault_r)
{
	const struct group *entry = getgrnam(name);
	uint64_t number;

	if (entry != NULL)
		*gid_r = entry->gr_gid;
	else if (is_number(name, &number))
		*gid_r = (gid_t)number;
	else
		return fault_set(fault_r, VERDICT_PERM, "there is no group \"%s\"", name);
	return 0;
}

int
identity_find(const char *user, const char *group, struct identity *identity_r,
    struct fault *fault_r)
{
	const struct passwd *entry;

	*identity_r = (struct identity){.uid = geteuid(), .gid = getegid()};
	if (geteuid() != 0 || user == NULL || user[0] == '\0')
		return 0;
	if (identity_user(user, &identity_r->uid, fault_r) == -1)
		return -1;
	entry = getpwuid(identity_r->uid);
	if (entry != NULL) {
		identity_r->gid = entry->pw_gid;
		if (strlen(entry->pw_name) >= sizeof(identity_r->user))
			return fault_set(fault_r, VERDICT_PERM, "user \"%s\": name too long", user);
		strcpy(identity_r->user, entry->pw_name);
	}
	if (group != NULL && group[0] != '\0') {
		if (identity_group(group, &identity_r->gid, fault_r) == -1)
			return -1;
	} else if (entry == NULL) {
		return fault_set(fault_r, VERDICT_PERM,
		    "user \"%s\" has no entry, so its group must be named", user);
	}
	identity_r->changes = true;
	return 0;
}

static int
become(const struct identity *identity, struct fault *fault_r)
{
	int rc = identity->user[0] != '\0' ? initgroups(identity->user, identity->gid)
					   : setgroups(0, NULL);

	if (rc == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "supplementary groups");
	if (setresgid(identity->gid, identity->gid, identity->gid) == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "group %u", (unsigned)identity->gid);
	if (setresuid(identity->uid, identity->uid, identity->uid) == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "user %u", (unsigned)identity->uid);
	if (identity->uid != 0 && setuid(0) == 0)
		return fault_set(fault_r, VERDICT_PERM, "root was given up, and came back");
	return 0;
}

int
privilege_drop(const struct identity *identity, struct fault *fault_r)
{
	umask(077);
	if (identity->changes && become(identity, fault_r) == -1)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "no_new_privs");
#ifndef WITH_SANITIZERS /* their leak check traces the process, which this forbids */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "dumpable");
#endif
	return 0;
}

unsigned long
privilege_raise_files(void)
{
	struct rlimit limit, wanted;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 0;
	wanted = limit;
	if (geteuid() == 0 && wanted.rlim_max < FILES_MOST)
		wanted.rlim_max = FILES_MOST;
	wanted.rlim_cur = wanted.rlim_max > FILES_MOST ? FILES_MOST : wanted.rlim_max;
	if (wanted.rlim_cur < limit.rlim_cur)
		return limit.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &wanted) == 0)
		return wanted.rlim_cur;
	wanted.rlim_max = limit.rlim_max; /* root in a container may not raise the ceiling */
	wanted.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &wanted) == 0 ? wanted.rlim_cur : limit.rlim_cur;
}
