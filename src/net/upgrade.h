/*
 * upgrade.h - a new binary takes over without a gap                   (driver)
 *
 * The running master starts its own path again, whatever lies there by now, and
 * gives it the sockets as systemd would, plus a pipe. When the new one serves it
 * says so in the pipe, and the old one may leave. When it ends or stays silent
 * first, the old one simply goes on.
 */
#ifndef NET_UPGRADE_H
#define NET_UPGRADE_H

#include "base/fault.h"
#include "net/sockets.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

enum { UPGRADE_PATIENCE_MS = 60000 };

enum upgrade_news { UPGRADE_NOTHING, UPGRADE_SERVES, UPGRADE_FAILED };

struct upgrade {
	pid_t pid; /* 0: none under way */
	int fd; /* where it will say that it serves */
	uint64_t until_ms;
};

/*
 * At the start: the path to run later. As we were called, so that a package's new
 * file, or a link's new end, is found there; the caller's.
 */
char *upgrade_binary(const char *called);

/*
 * argv is how we were called, path what to run, mask the signals it begins with.
 * -1 where not even a process could be made.
 */
int upgrade_start(struct upgrade *upgrade, const char *path, char *const *argv,
    const struct sockets *sockets, const sigset_t *mask, struct fault *fault_r);

/* After its fd was readable, SIGCHLD or until_ms. FAILED: fault_r says why. */
enum upgrade_news upgrade_look(struct upgrade *upgrade, struct fault *fault_r);

void upgrade_cancel(struct upgrade *upgrade);

/* In the new one: tell the old that we serve. Nothing to tell at a normal start. */
int upgrade_inherit(void); /* early: -1, or the pipe */
void upgrade_report(int *fd);

#endif
