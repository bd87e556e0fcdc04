/*
 * test_control.c - ask a running process how it is: the asking side
 *
 * The answering side is spoken to by tests/dialogs/test_daemon.py.
 */
#include "net/control.h"

#include "base/clock.h"
#include "base/mem.h"

#include "scratch.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/bind.h"

enum { PATIENCE_MS = 5000, SHORT_MS = 200 };

static int
listen_here(void)
{
	struct bind_request request = {.address = address};
	struct bind_file file;
	struct fault fault;
	int fd = bind_open(&request, &file, &fault);

	assert_int_not_equal(fd, -1);
	return fd;
}

/* ---- a server in a process of its own */

static json_t *
do_echo(void *ctx, const json_t *request, struct fault *fault_r)
{
	return json_deep_copy(request);
}

static json_t *
do_refuse(void *ctx, const json_t *request, struct fault *fault_r)
{
	fault_set(fault_r, VERDICT_TEMP, "not today, \xff\xfe");
	return NULL;
}

static json_t *
do_much(void *ctx, const json_t *request, struct fault *fault_r)
{
	json_t *words = json_array();

	for (int i = 0; i < 200000; i++)
		json_array_append_new(words, json_string("a word"));
	return json_pack("{s:o}", "words", words);
}

static const struct control_command commands[] = {
    {"echo", do_echo},
    {"refuse", do_refuse},
    {"much", do_much},
    {NULL, NULL},
};

static pid_t
serve(void)
{
	int fd = listen_here();
	struct control *control;
	struct loop *loop;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid > 0) {
		close(fd);
		return pid;
	}
	loop = loop_new();
	control = control_new(loop, fd);
	control_add(control, commands, NULL);
	alarm(30);
	loop_run(loop);
	_exit(0);
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
asks_and_hears(void **state)
{
	static const struct {
		const char *command, *error; /* NULL: none */
	} rows[] = {
	    {"echo", NULL},
	    {"much", NULL},
	    {"refuse", "not today"},
	    {"dance", "there is no command dance; there are: echo, refuse, much"},
	};
	pid_t pid = serve();
	struct fault fault;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *request = json_pack("{s:s}", "do", rows[i].command), *reply = NULL;
		int rc = control_ask(path, request, PATIENCE_MS, &reply, &fault);

		if ((rc == 0) != (rows[i].error == NULL) ||
		    (rc == -1 && strstr(fault.text, rows[i].error) == NULL))
			fail_msg("%s: %s", rows[i].command, rc == -1 ? fault.text : "fine");
		if (strcmp(rows[i].command, "much") == 0)
			assert_int_equal(json_array_size(json_object_get(reply, "words")), 200000);
		json_decref(reply);
		json_decref(request);
	}
	end(pid);
}

static void
a_long_request_is_refused_and_not_waited_for(void **state)
{
	json_t *request, *reply = NULL;
	char *text = malloc(CONTROL_LINE_MOST + 1);
	pid_t pid = serve();
	struct fault fault;

	memset(text, 'x', CONTROL_LINE_MOST);
	text[CONTROL_LINE_MOST] = '\0';
	request = json_pack("{s:s, s:s}", "do", "echo", "text", text);
	assert_int_equal(control_ask(path, request, PATIENCE_MS, &reply, &fault), -1);
	assert_non_null(strstr(fault.text, "65535"));
	json_decref(request);
	free(text);
	end(pid);
}

static void
nobody_there_is_told_at_once(void **state)
{
	json_t *request = json_pack("{s:s}", "do", "echo"), *reply = NULL;
	struct fault fault;

	unlink(path);
	assert_int_equal(control_ask(path, request, PATIENCE_MS, &reply, &fault), -1);
	assert_int_equal(fault.verdict, VERDICT_TEMP);
	close(listen_here());
	assert_int_equal(control_ask(path, request, PATIENCE_MS, &reply, &fault), -1);
	assert_int_equal(fault.verdict, VERDICT_TEMP);
	json_decref(request);
}

static void
silence_ends_when_time_is_up(void **state)
{
	json_t *request = json_pack("{s:s}", "do", "echo"), *reply = NULL;
	int fd = listen_here();
	uint64_t began = clock_ms();
	struct fault fault;

	assert_int_equal(control_ask(path, request, SHORT_MS, &reply, &fault), -1);
	assert_int_equal(fault.verdict, VERDICT_TEMP);
	assert_in_range(clock_ms() - began, SHORT_MS - 1, PATIENCE_MS);
	json_decref(request);
	close(fd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(asks_and_hears),
	    cmocka_unit_test(a_long_request_is_refused_and_not_waited_for),
	    cmocka_unit_test(nobody_there_is_told_at_once),
	    cmocka_unit_test(silence_ends_when_time_is_up),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
