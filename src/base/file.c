/*
 * file.c - a whole file, read at once                                 (driver)
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PIECE_BYTES = 65536 };

int
file_read(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
	ssize_t n;

	if (fd == -1)
		return -1;
	do {
		char *room = buf_room(out, PIECE_BYTES);

		n = -1;
		if (room == NULL) {
			errno = EFBIG;
			break;
		}
		n = read(fd, room, PIECE_BYTES);
		if (n > 0)
			buf_added(out, (size_t)n);
	} while (n > 0 || (n == -1 && errno == EINTR));
	saved = errno;
	close(fd);
	errno = saved;
	return n == -1 ? -1 : 0;
}
