/*
 * outcome.c - what a command of the settings says                     (driver)
 */
#include "admin/outcome.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
words_free(char **words)
{
	for (char **word = words; *word != NULL; word++)
		free(*word);
	free(words);
}

/* NULL and *fault_r: an expansion that is none, or an account that does not fit in. */
static char **
expand(const char *const *words, size_t count, const struct template_words *account,
    struct fault *fault_r)
{
	char **argv = xnew_array(char *, count + 1);
	struct buf text = BUF_INIT;
	bool good = true;

	for (size_t i = 0; i < count && good; i++) {
		struct template *template = template_new(words[i], fault_r);

		buf_clear(&text);
		good = template != NULL;
		if (good && !template_expand(template, account, &text)) {
			fault_set(fault_r, VERDICT_PERM, "%s cannot be written with this account",
			    words[i]);
			good = false;
		}
		argv[i] = good ? xstrdup(buf_cstr(&text)) : NULL;
		template_free(&template);
	}
	buf_fini(&text);
	if (good)
		return argv;
	words_free(argv);
	return NULL;
}

static pid_t
start(char *const *argv, int *fd_r)
{
	int fds[2];
	pid_t child;

	if (pipe(fds) == -1)
		return -1;
	if ((child = fork()) == 0) {
		setpgid(0, 0); /* with whatever it starts */
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		execv(argv[0], argv);
		_exit(127);
	}
	close(fds[1]);
	*fd_r = fds[0];
	if (child == -1)
		close(fds[0]);
	return child;
}

/* Until it ends, or too much, or too late: then why it is of no use. */
static const char *
read_all(int fd, struct buf *said)
{
	uint64_t end_ms = clock_ms() + OUTCOME_MOST_MS, now_ms;
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	ssize_t got;

	while (buf_len(said) < OUTCOME_MOST_BYTES) {
		if ((now_ms = clock_ms()) >= end_ms || poll(&ready, 1, (int)(end_ms - now_ms)) == 0)
			return "does not end";
		got = read(fd, buf_room(said, 4096), 4096);
		if (got == -1 && errno != EINTR)
			return "cannot be read";
		if (got == 0)
			return NULL;
		if (got > 0)
			buf_added(said, (size_t)got);
	}
	return "says too much";
}

/* The last line of what was said: mostly it tells why. */
static struct str
last_line(const struct buf *said)
{
	struct str text = buf_str(said);
	size_t before;

	while (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	before = str_rfind(text, '\n');
	return before < text.len ? str_from(text, before + 1) : text;
}

static int
run(char *const *argv, struct buf *said, struct fault *fault_r)
{
	int fd, status = 0;
	pid_t child = start(argv, &fd);
	const char *trouble;

	if (child == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", argv[0]);
	trouble = read_all(fd, said);
	close(fd);
	if (trouble != NULL)
		kill(-child, SIGKILL);
	if (waitpid(child, &status, 0) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", argv[0]);
	if (trouble != NULL)
		return fault_set(fault_r, VERDICT_TEMP, "%s %s", argv[0], trouble);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && buf_len(said) == 0)
		return fault_set(fault_r, VERDICT_TEMP, "%s cannot be run", argv[0]);
	if (status != 0)
		return fault_set(fault_r, VERDICT_TEMP, "%s fails and says %s", argv[0],
		    log_quote(last_line(said)));
	return 0;
}

int
outcome_of(const char *const *words, size_t count, const struct template_words *account,
    struct buf *said, struct fault *fault_r)
{
	char **argv = expand(words, count, account, fault_r);
	int rc;

	if (argv == NULL)
		return -1;
	rc = run(argv, said, fault_r);
	words_free(argv);
	return rc;
}
