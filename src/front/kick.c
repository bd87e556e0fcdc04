/*
 * kick.c - the command that ends an account's sessions at a backend   (driver)
 *
 * Children are collected when the next one is started: nobody waits for them.
 */
#include "front/kick.h"

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

struct kick {
	struct template **words;
	size_t count;
	pid_t running[KICKS_MOST]; /* 0: free */
};

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

/* A free place, after those that have ended were collected; NULL: all of them run. */
static pid_t *
place(struct kick *kick)
{
	pid_t *free_one = NULL;
	int status;

	for (size_t i = 0; i < KICKS_MOST; i++) {
		if (kick->running[i] != 0 && waitpid(kick->running[i], &status, WNOHANG) != 0) {
			if (status != 0)
				log_warning("kick_failed", "pid=%d status=%d",
				    (int)kick->running[i], status);
			kick->running[i] = 0;
		}
		if (kick->running[i] == 0)
			free_one = &kick->running[i];
	}
	return free_one;
}

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

void
kick_run(struct kick *kick, struct str account, struct str owner)
{
	const struct template_words words = {.account = account, .owner = owner};
	char **argv = xnew_array(char *, kick->count + 1);
	pid_t *pid = place(kick);
	struct buf text = BUF_INIT;
	bool is_whole = true;
	int error = EAGAIN;

	for (size_t i = 0; i < kick->count; i++) {
		buf_clear(&text);
		is_whole &= template_expand(kick->words[i], &words, &text);
		argv[i] = xstrdup(buf_cstr(&text));
	}
	if (pid != NULL && is_whole)
		error = spawn(argv, pid);
	if (error != 0)
		log_warning("kick_not_run", "account=%s program=%s reason=%s", log_quote(account),
		    log_quote_text(argv[0]), log_quote_text(strerror(error)));
	else
		log_info("kick_run", "account=%s program=%s pid=%d", log_quote(account),
		    log_quote_text(argv[0]), (int)*pid);
	if (error != 0 && pid != NULL)
		*pid = 0;
	for (size_t i = 0; i < kick->count; i++)
		free(argv[i]);
	free(argv);
	buf_fini(&text);
}
