/*
 * statedir.h - the directory of a private Redis, before there is one  (driver)
 *
 * Whoever comes first starts the private redis-server, as the owner of
 * state_dir. When that is root with this command, and the directory is not there
 * yet, it must be made for the user of the daemons, or they are shut out of it.
 */
#ifndef SPLITMX_ADMIN_STATEDIR_H
#define SPLITMX_ADMIN_STATEDIR_H

#include "base/fault.h"
#include "base/settings.h"

/* Does nothing where the directory is there, or somebody else has to make it. */
int statedir_make(const struct settings *settings, struct fault *fault_r);

#endif
