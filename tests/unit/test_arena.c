/*
 * test_arena.c - the memory where one login keeps its secrets
 */
#include "front/arena.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { SLAB = 64 }; /* slots, as in arena.c */

static void
what_is_copied_is_there_until_it_is_wiped(void **state)
{
	struct arenas *arenas = arenas_new(1);
	struct arena *arena = arena_borrow(arenas);
	struct str a, b, empty;

	assert_non_null(arena);
	assert_true(arena_copy(arena, STR("hunter2"), &a));
	assert_true(arena_copy(arena, STR(""), &empty));
	assert_true(arena_copy(arena, STR("x\0y"), &b));
	assert_true(str_is(a, "hunter2"));
	assert_true(str_eq(b, STR("x\0y")));
	assert_int_equal(empty.len, 0);
	arena_return(&arena);
	assert_null(arena);
	arena_return(&arena); /* nothing is returned once more */
	arenas_free(&arenas);
	arenas_free(&arenas);
}

static void
an_arena_never_grows(void **state)
{
	struct arenas *arenas = arenas_new(1);
	struct arena *arena = arena_borrow(arenas);
	struct str bytes = {calloc(1, ARENA_BYTES), ARENA_BYTES}, copy;

	assert_null(arena_room(arena, ARENA_BYTES + 1));
	assert_null(arena_room(arena, SIZE_MAX));
	assert_non_null(arena_room(arena, 1));
	assert_null(arena_room(arena, ARENA_BYTES));
	assert_false(arena_copy(arena, bytes, &copy));
	assert_non_null(arena_room(arena, ARENA_BYTES - 1));
	assert_null(arena_room(arena, 1));
	assert_non_null(arena_room(arena, 0));
	arena_wipe(arena);
	assert_true(arena_copy(arena, bytes, &copy)); /* all of it once more */
	arena_return(&arena);
	arenas_free(&arenas);
	free((void *)(uintptr_t)bytes.ptr);
}

static void
assert_zero(const char *memory, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(memory[i], 0);
}

/* The slab stays mapped, so a slot that went back can be looked into. */
static void
C22_nothing_is_left_after_wiping_and_returning(void **state)
{
	struct arenas *arenas = arenas_new(2);
	struct arena *arena = arena_borrow(arenas);
	char *room = arena_room(arena, ARENA_BYTES);

	memset(room, 'p', ARENA_BYTES);
	arena_wipe(arena);
	assert_zero(room, ARENA_BYTES);
	assert_ptr_equal(arena_room(arena, 100), room);
	memset(room, 'p', 100);
	arena_return(&arena);
	assert_zero(room, ARENA_BYTES);
	arenas_free(&arenas);
}

/* The flags of the mapping that this address is in: proc(5), "VmFlags". */
static void
read_flags(const char *address, char *flags, size_t size)
{
	unsigned long at = (unsigned long)address, from = 0, to = 0;
	char line[1024];
	FILE *smaps = fopen("/proc/self/smaps", "r");

	assert_non_null(smaps);
	flags[0] = '\0';
	while (flags[0] == '\0' && fgets(line, sizeof(line), smaps) != NULL) {
		sscanf(line, "%lx-%lx ", &from, &to);
		if (from <= at && at < to && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, size, "%s", line);
	}
	fclose(smaps);
}

static void
C22_a_slot_is_in_no_core_and_not_swapped(void **state)
{
	struct arenas *arenas = arenas_new(1);
	struct arena *arena = arena_borrow(arenas);
	char flags[1024];

	read_flags(arena_room(arena, 1), flags, sizeof(flags));
	assert_non_null(strstr(flags, " dd"));
#ifndef WITH_SANITIZERS /* they turn mlock(2) into nothing */
	assert_non_null(strstr(flags, " lo"));
#endif
	arena_return(&arena);
	arenas_free(&arenas);
}

static void
there_are_never_more_than_were_asked_for(void **state)
{
	enum { MOST = SLAB + 2 };
	struct arenas *arenas = arenas_new(MOST);
	struct arena *all[MOST], *again;
	char *rooms[MOST];

	for (size_t i = 0; i < MOST; i++) {
		assert_non_null(all[i] = arena_borrow(arenas));
		rooms[i] = arena_room(all[i], ARENA_BYTES);
		memset(rooms[i], (int)i, ARENA_BYTES);
	}
	assert_null(arena_borrow(arenas));
	for (size_t i = 0; i < MOST; i++) {
		assert_int_equal(rooms[i][0], (char)i); /* no slot reaches into another */
		assert_int_equal(rooms[i][ARENA_BYTES - 1], (char)i);
	}
	arena_return(&all[7]);
	assert_non_null(again = arena_borrow(arenas));
	assert_ptr_equal(arena_room(again, 1), rooms[7]);
	assert_null(arena_borrow(arenas));
	all[7] = again;
	for (size_t i = 0; i < MOST; i++)
		arena_return(&all[i]);
	arenas_free(&arenas);

	arenas = arenas_new(0);
	assert_null(arena_borrow(arenas));
	arenas_free(&arenas);
}

/* In a process of its own, because it gives up the right to lock memory. */
static void
borrow_without_locks(void)
{
	struct rlimit none = {0, 0};
	struct arenas *arenas = arenas_new(SLAB + 1);

	if (setrlimit(RLIMIT_MEMLOCK, &none) == -1 || (geteuid() == 0 && seteuid(65534) == -1))
		_exit(2);
	for (size_t i = 0; i <= SLAB; i++) {
		if (arena_borrow(arenas) == NULL)
			_exit(3);
	}
	_exit(0);
}

static void
a_limit_on_locked_memory_is_said_once_and_tolerated(void **state)
{
	char text[4096], *warning;
	size_t len = 0;
	ssize_t n;
	int said[2], status;
	pid_t child;

#ifdef WITH_SANITIZERS
	skip();
#endif
	assert_int_equal(pipe(said), 0);
	assert_true((child = fork()) != -1);
	if (child == 0) {
		dup2(said[1], STDERR_FILENO);
		borrow_without_locks();
	}
	close(said[1]);
	while ((n = read(said[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(said[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_non_null(warning = strstr(text, "call=mlock"));
	assert_null(strstr(warning + 1, "call="));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_copied_is_there_until_it_is_wiped),
	    cmocka_unit_test(an_arena_never_grows),
	    cmocka_unit_test(C22_nothing_is_left_after_wiping_and_returning),
	    cmocka_unit_test(C22_a_slot_is_in_no_core_and_not_swapped),
	    cmocka_unit_test(there_are_never_more_than_were_asked_for),
	    cmocka_unit_test(a_limit_on_locked_memory_is_said_once_and_tolerated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
