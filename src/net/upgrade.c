/*
 * upgrade.c - a new binary takes over without a gap                   (driver)
 */
#include "net/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/inherit.h"

static const char pipe_variable[] = "SPLITMX_UPGRADE_FD";

char *
upgrade_binary(const char *called)
{
	char path[4096];
	ssize_t len;

	if (strchr(called, '/') != NULL)
		return xstrdup(called);
	len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	return len > 0 ? xstrndup(path, (size_t)len) : xstrdup(called);
}

static void
number_variable(const char *name, long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", number);
	setenv(name, text, 1);
}

static void
become_new(const char *path, char *const *argv, const struct sockets *sockets, const sigset_t *mask,
    int pipe_fd)
{
	int *fds = xnew_array(int, sockets->count + 1);
	bool *made = xnew_array(bool, sockets->count + 1);

	for (size_t i = 0; i < sockets->count; i++) {
		fds[i] = sockets->rows[i].fd;
		made[i] = sockets->rows[i].made;
	}
	number_variable(pipe_variable, inheritance_give(fds, made, sockets->count, pipe_fd));
	if (getenv("WATCHDOG_PID") != NULL)
		number_variable("WATCHDOG_PID", (long)getpid());
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(path, argv);
	log_error("upgrade_not_run", "path=%s why=%s", log_quote_text(path),
	    log_quote_text(strerror(errno)));
	_exit(EX_OSERR);
}

int
upgrade_start(struct upgrade *upgrade, const char *path, char *const *argv,
    const struct sockets *sockets, const sigset_t *mask, struct fault *fault_r)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "pipe");
	upgrade->pid = fork();
	if (upgrade->pid == 0)
		become_new(path, argv, sockets, mask, ends[1]);
	close(ends[1]);
	if (upgrade->pid == -1) {
		fault_set_errno(fault_r, VERDICT_TEMP, "fork");
		upgrade->pid = 0;
		close(ends[0]);
		return -1;
	}
	upgrade->fd = ends[0];
	upgrade->until_ms = clock_ms() + UPGRADE_PATIENCE_MS;
	return 0;
}

static void
forget(struct upgrade *upgrade)
{
	close(upgrade->fd);
	*upgrade = (struct upgrade){.fd = -1};
}

void
upgrade_cancel(struct upgrade *upgrade)
{
	if (upgrade->pid == 0)
		return;
	kill(upgrade->pid, SIGKILL); /* its workers see the channel end, and leave */
	waitpid(upgrade->pid, NULL, 0);
	forget(upgrade);
}

enum upgrade_news
upgrade_look(struct upgrade *upgrade, struct fault *fault_r)
{
	char word;
	int status;

	if (upgrade->pid == 0)
		return UPGRADE_NOTHING;
	if (read(upgrade->fd, &word, 1) == 1) {
		forget(upgrade);
		return UPGRADE_SERVES;
	}
	if (waitpid(upgrade->pid, &status, WNOHANG) == upgrade->pid) {
		if (WIFSIGNALED(status))
			fault_set(fault_r, VERDICT_PERM, "the new process was killed by signal %d",
			    WTERMSIG(status));
		else
			fault_set(fault_r, VERDICT_PERM, "the new process left with code %d",
			    WEXITSTATUS(status));
		forget(upgrade);
		return UPGRADE_FAILED;
	}
	if (clock_ms() < upgrade->until_ms)
		return UPGRADE_NOTHING;
	fault_set(fault_r, VERDICT_PERM, "the new process did not serve within %d ms",
	    UPGRADE_PATIENCE_MS);
	upgrade_cancel(upgrade);
	return UPGRADE_FAILED;
}

int
upgrade_inherit(void)
{
	const char *text = getenv(pipe_variable);
	struct stat st;
	int fd;

	if (text == NULL)
		return -1;
	fd = (int)strtol(text, NULL, 10);
	unsetenv(pipe_variable);
	if (fd < 3 || fstat(fd, &st) == -1 || !S_ISFIFO(st.st_mode))
		return -1;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

void
upgrade_report(int *fd)
{
	if (*fd == -1)
		return;
	if (write(*fd, "1", 1) == -1)
		log_warning("upgrade_unheard", "why=%s", log_quote_text(strerror(errno)));
	close(*fd);
	*fd = -1;
}
