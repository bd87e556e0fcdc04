/*
 * kick.c - the command that ends an account's sessions at a backend   (driver)
 *
 * Children are looked for while there are some: they are few and short, and
 * signals belong to whoever runs the loop.
 */
#include "front/kick.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rules/template.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { LOOK_MS = 100 };

struct kick {
	struct template **words;
	size_t count;
};

struct child {
	pid_t pid; /* 0: has ended, or there never was one */
	char *account, *owner; /* the last that it was for; NULL: nobody yet */
	uint64_t since_ms;
};

struct kicks {
	struct timer *look;
	uint64_t most_ms;
	struct child children[KICKS_MOST];
};

/* ---- the command */

int
kick_new(const char *const *words, size_t count, struct kick **kick_r, struct fault *fault_r)
{
	struct kick *kick;

	*kick_r = NULL;
	if (count == 0)
		return 0;
	kick = xnew(struct kick);
	kick->words = xnew_array(struct template *, count);
	for (; kick->count < count; kick->count++) {
		if ((kick->words[kick->count] = template_new(words[kick->count], fault_r)) ==
		    NULL) {
			kick_free(&kick);
			return -1;
		}
	}
	*kick_r = kick;
	return 0;
}

void
kick_free(struct kick **kick)
{
	if (*kick == NULL)
		return;
	for (size_t i = 0; i < (*kick)->count; i++)
		template_free(&(*kick)->words[i]);
	free((*kick)->words);
	free(*kick);
	*kick = NULL;
}

/* ---- what runs */

static void
look_again(struct kicks *kicks)
{
	if (kicks_running(kicks) > 0)
		timer_start(kicks->look, LOOK_MS);
}

static void
log_end(const struct child *child, int status)
{
	if (status == 0)
		log_debug("kick_done", "account=%s pid=%d", log_quote_text(child->account),
		    (int)child->pid);
	else
		log_warning("kick_failed", "account=%s pid=%d status=%d",
		    log_quote_text(child->account), (int)child->pid, status);
}

/* Its whole group, which it leads. Its end is seen the next time. */
static void
kill_late(const struct kicks *kicks, const struct child *child)
{
	if (clock_ms() - child->since_ms >= kicks->most_ms)
		kill(-child->pid, SIGKILL);
}

static void
collect(struct kicks *kicks)
{
	for (size_t i = 0; i < KICKS_MOST; i++) {
		struct child *child = &kicks->children[i];
		int status = 0;

		if (child->pid == 0)
			continue;
		if (waitpid(child->pid, &status, WNOHANG) == 0) {
			kill_late(kicks, child);
			continue;
		}
		log_end(child, status);
		child->pid = 0;
	}
}

static void
on_look(void *ctx)
{
	struct kicks *kicks = ctx;

	collect(kicks);
	look_again(kicks);
}

struct kicks *
kicks_new(struct loop *loop, uint64_t most_ms)
{
	struct kicks *kicks = xnew(struct kicks);

	kicks->look = timer_new(loop, on_look, kicks);
	kicks->most_ms = most_ms;
	return kicks;
}

static void
forget(struct child *child)
{
	free(child->account);
	free(child->owner);
	*child = (struct child){0};
}

void
kicks_free(struct kicks **kicks)
{
	if (*kicks == NULL)
		return;
	collect(*kicks);
	for (size_t i = 0; i < KICKS_MOST; i++)
		forget(&(*kicks)->children[i]);
	timer_free(&(*kicks)->look);
	free(*kicks);
	*kicks = NULL;
}

size_t
kicks_running(const struct kicks *kicks)
{
	size_t count = 0;

	for (size_t i = 0; i < KICKS_MOST; i++)
		count += kicks->children[i].pid != 0;
	return count;
}

static bool
is_under_way(const struct kicks *kicks, struct str account, struct str owner)
{
	uint64_t now_ms = clock_ms();

	for (size_t i = 0; i < KICKS_MOST; i++) {
		const struct child *child = &kicks->children[i];

		if (child->account != NULL && str_is(account, child->account) &&
		    str_is(owner, child->owner) &&
		    (child->pid != 0 || now_ms - child->since_ms < KICK_AGAIN_MS))
			return true;
	}
	return false;
}

/* The one that has been free for longest; NULL: all of them run. */
static struct child *
place(struct kicks *kicks)
{
	struct child *oldest = NULL;

	for (size_t i = 0; i < KICKS_MOST; i++) {
		struct child *child = &kicks->children[i];

		if (child->pid == 0 && (oldest == NULL || child->since_ms < oldest->since_ms))
			oldest = child;
	}
	return oldest;
}

/* ---- starting it */

/* As if we had not been here: no signal blocked or ignored, no descriptor but the log's. */
static int
spawn(char **argv, pid_t *pid_r)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char *environment[] = {path, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	must(posix_spawnattr_init(&attributes) == 0);
	must(posix_spawnattr_setsigmask(&attributes, &none) == 0);
	must(posix_spawnattr_setsigdefault(&attributes, &all) == 0);
	must(posix_spawnattr_setflags(&attributes,
		 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP) == 0);
	must(posix_spawn_file_actions_init(&files) == 0);
	must(posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) == 0);
	error = posix_spawn(pid_r, argv[0], &files, &attributes, argv, environment);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return error;
}

/* NULL: an argument cannot be made of such an account. */
static char **
arguments(const struct kick *kick, struct str account, struct str owner)
{
	const struct template_words words = {.account = account, .owner = owner};
	char **argv = xnew_array(char *, kick->count + 1);
	struct buf text = BUF_INIT;
	bool is_whole = true;

	for (size_t i = 0; i < kick->count; i++) {
		buf_clear(&text);
		is_whole &= template_expand(kick->words[i], &words, &text);
		argv[i] = xstrdup(buf_cstr(&text));
	}
	buf_fini(&text);
	if (is_whole)
		return argv;
	for (size_t i = 0; i < kick->count; i++)
		free(argv[i]);
	free(argv);
	return NULL;
}

static int
start(struct child *child, char **argv, struct str account, struct str owner)
{
	pid_t pid;
	int error = spawn(argv, &pid);

	if (error != 0)
		return error;
	forget(child);
	*child = (struct child){.pid = pid,
	    .account = xstrndup(account.ptr, account.len),
	    .owner = xstrndup(owner.ptr, owner.len),
	    .since_ms = clock_ms()};
	return 0;
}

void
kick_run(const struct kick *kick, struct kicks *kicks, struct str account, struct str owner)
{
	struct child *child;
	char **argv;
	int error;

	collect(kicks);
	if (is_under_way(kicks, account, owner))
		return;
	child = place(kicks);
	argv = arguments(kick, account, owner);
	error = argv == NULL ? EINVAL : child == NULL ? EAGAIN : start(child, argv, account, owner);
	if (error != 0)
		log_warning("kick_not_run", "account=%s reason=%s", log_quote(account),
		    log_quote_text(strerror(error)));
	else
		log_info("kick_run", "account=%s program=%s pid=%d", log_quote(account),
		    log_quote_text(argv[0]), (int)child->pid);
	for (size_t i = 0; argv != NULL && i < kick->count; i++)
		free(argv[i]);
	free(argv);
	look_again(kicks);
}
