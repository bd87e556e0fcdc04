/*
 * statedir.c - the directory of a private Redis, before there is one  (driver)
 */
#include "admin/statedir.h"

#include "base/privilege.h"

#include <sys/stat.h>
#include <unistd.h>

int
statedir_make(const struct settings *settings, struct fault *fault_r)
{
	struct identity owner;
	struct stat st;

	if (!settings_redis_is_private(settings) || geteuid() != 0 ||
	    stat(settings->state_dir, &st) == 0)
		return 0;
	if (identity_find(settings->user, settings->group, &owner, fault_r) == -1)
		return -1;
	if (mkdir(settings->state_dir, 0700) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "state_dir %s", settings->state_dir);
	if (chown(settings->state_dir, owner.uid, owner.gid) == -1) {
		fault_set_errno(fault_r, VERDICT_TEMP, "state_dir %s", settings->state_dir);
		rmdir(settings->state_dir);
		return -1;
	}
	return 0;
}
