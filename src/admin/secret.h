/*
 * secret.h - a password for a command, from a file or a person        (driver)
 *
 * Never from the command line, where everybody on the host can read it.
 */
#ifndef ADMIN_SECRET_H
#define ADMIN_SECRET_H

#include "base/buf.h"
#include "base/fault.h"

/*
 * The first line of a file that nobody else can read; NULL: asked for on the terminal,
 * without showing it. The buffer becomes a secret one, to be wiped by the caller.
 * 0, or -1 and *fault_r.
 */
int secret_read(const char *path, const char *question, struct buf *secret, struct fault *fault_r);

#endif
