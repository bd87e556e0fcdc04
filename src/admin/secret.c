/*
 * secret.c - a password for a command, from a file or a person        (driver)
 */
#include "admin/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum { SECRET_MOST = 4096 };

/* Up to a line feed or the end. */
static int
read_line(int fd, struct buf *secret, struct fault *fault_r)
{
	ssize_t got;
	char *room;

	while (buf_len(secret) < SECRET_MOST) {
		room = buf_room(secret, 1);
		got = read(fd, room, 1);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return fault_set_errno(fault_r, VERDICT_PERM, "reading the password");
		if (got == 0 || *room == '\n')
			return buf_len(secret) > 0
				   ? 0
				   : fault_set(fault_r, VERDICT_PERM, "the password is empty");
		buf_added(secret, 1);
	}
	return fault_set(fault_r, VERDICT_PERM, "a password of more than %d bytes", SECRET_MOST);
}

static int
read_file(const char *path, struct buf *secret, struct fault *fault_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1;
	struct stat status;

	if (fd == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "%s", path);
	if (fstat(fd, &status) == -1)
		fault_set_errno(fault_r, VERDICT_PERM, "%s", path);
	else if (S_ISREG(status.st_mode) && (status.st_mode & 0077) != 0)
		fault_set(fault_r, VERDICT_PERM, "%s: others can read it; chmod 600 %s", path,
		    path);
	else
		rc = read_line(fd, secret, fault_r);
	close(fd);
	return rc;
}

static int
ask(const char *question, struct buf *secret, struct fault *fault_r)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC), rc = -1;
	struct termios normal, silent;

	if (fd == -1 || tcgetattr(fd, &normal) == -1) {
		fault_set(fault_r, VERDICT_PERM,
		    "nobody is here to be asked for the password: say --password-file");
	} else {
		silent = normal;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		if (write(fd, question, strlen(question)) == -1 ||
		    tcsetattr(fd, TCSAFLUSH, &silent) == -1)
			fault_set_errno(fault_r, VERDICT_PERM, "asking at the terminal");
		else
			rc = read_line(fd, secret, fault_r);
		tcsetattr(fd, TCSAFLUSH, &normal);
		if (write(fd, "\n", 1) == -1)
			rc = -1;
	}
	if (fd != -1)
		close(fd);
	return rc;
}

int
secret_read(const char *path, const char *question, struct buf *secret, struct fault *fault_r)
{
	secret->secret = true;
	return path != NULL ? read_file(path, secret, fault_r) : ask(question, secret, fault_r);
}
