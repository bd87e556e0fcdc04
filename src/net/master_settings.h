/*
 * master_settings.h - a settings file, as one program needs it        (driver)
 *
 * The text is read once, and kept: the workers, who may not be able to read the
 * file any more, get the very same bytes.
 */
#ifndef NET_MASTER_SETTINGS_H
#define NET_MASTER_SETTINGS_H

#include "base/buf.h"
#include "net/daemon.h"

typedef void master_problem_fn(const char *sentence);

/*
 * Read and check the file for this program. The settings and the text are the
 * caller's; NULL after problems, each of which was told to fn: text_r then holds
 * nothing.
 */
struct settings *master_settings_read(const struct daemon_program *program, const char *path,
    struct buf *text_r, master_problem_fn *fn);

#endif
