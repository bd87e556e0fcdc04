/*
 * master.h - the process that owns the sockets                        (driver)
 *
 * It never touches a byte of a client and has no event loop: signals, its
 * workers' channels and a few deadlines, in one poll(). It is the only one that
 * may be root, so it is kept short.
 */
#ifndef NET_MASTER_H
#define NET_MASTER_H

#include "base/buf.h"
#include "net/daemon.h"

/*
 * Settings are checked already and, with the text they were read from, the
 * master's from now on; argv is what an upgrade is called with. Returns the exit
 * code of the daemon.
 */
int master_run(const struct daemon_program *program, struct settings *settings, struct buf *text,
    char **argv);

#endif
