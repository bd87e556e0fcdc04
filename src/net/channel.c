/*
 * channel.c - what master and worker say to each other                (driver)
 */
#include "net/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* What a message needs: the serials only as far as they are used. */
static size_t
message_len(const struct channel_message *message)
{
	size_t len = offsetof(struct channel_message, serials);

	if (message->what == CHANNEL_RELOAD)
		len += message->number * sizeof(message->serials[0]);
	return len;
}

int
channel_open(int fds_r[2], struct fault *fault_r)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds_r) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "socketpair");
	return 0;
}

int
channel_send(int fd, const struct channel_message *message, const int *fds, size_t count)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MOST)];
	} control;
	struct iovec bytes = {(void *)(uintptr_t)message, message_len(message)};
	struct msghdr whole = {.msg_iov = &bytes, .msg_iovlen = 1};
	ssize_t sent;

	must(count <= CHANNEL_FDS_MOST);
	if (count > 0) {
		memset(&control, 0, sizeof(control));
		whole.msg_control = &control;
		whole.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * count);
	}
	do
		sent = sendmsg(fd, &whole, MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return sent == -1 ? -1 : 0;
}

static size_t
received_fds(struct msghdr *whole, int *fds_r)
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(whole); c != NULL; c = CMSG_NXTHDR(whole, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds_r, CMSG_DATA(c), count * sizeof(int));
	}
	return count;
}

int
channel_receive(int fd, struct channel_message *message_r, int fds_r[CHANNEL_FDS_MOST],
    size_t *count_r)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MOST)];
	} control;
	struct iovec bytes = {message_r, sizeof(*message_r)};
	struct msghdr whole = {.msg_iov = &bytes,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	ssize_t got;

	*count_r = 0;
	memset(message_r, 0, sizeof(*message_r));
	do
		got = recvmsg(fd, &whole, MSG_CMSG_CLOEXEC);
	while (got == -1 && errno == EINTR);
	if (got <= 0)
		return (int)got;
	*count_r = received_fds(&whole, fds_r);
	if ((size_t)got >= offsetof(struct channel_message, serials) &&
	    message_r->number <= CHANNEL_FDS_MOST && (size_t)got == message_len(message_r) &&
	    (whole.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return 1;
	for (size_t i = 0; i < *count_r; i++)
		close(fds_r[i]);
	*count_r = 0;
	errno = EBADMSG;
	return -1;
}

int
channel_text_fd(const char *text, size_t len, struct fault *fault_r)
{
	int fd = memfd_create("settings", MFD_CLOEXEC);

	if (fd == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "memfd_create");
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, text + done, len - done);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			fault_set_errno(fault_r, VERDICT_TEMP, "writing the settings");
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	return fd;
}

/* Every worker gets the same open file, so its position is nobody's: pread. */
char *
channel_fd_text(int fd, struct fault *fault_r)
{
	struct stat st;
	size_t len, done = 0;
	char *text;

	if (fstat(fd, &st) == -1) {
		fault_set_errno(fault_r, VERDICT_TEMP, "settings");
		return NULL;
	}
	len = (size_t)st.st_size;
	text = xcalloc(1, len + 1);
	while (done < len) {
		ssize_t n = pread(fd, text + done, len - done, (off_t)done);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			fault_set_errno(fault_r, VERDICT_TEMP, "reading the settings");
			free(text);
			return NULL;
		}
		done += (size_t)n;
	}
	return text;
}
