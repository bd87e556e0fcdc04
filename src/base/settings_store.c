/*
 * settings_store.c - what a struct settings owns besides its fields     (pure)
 */
#include "base/settings_store.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

struct mark {
	UT_hash_handle hh;
	const void *field;
	int line;
};

struct problem {
	int line;
	char *text;
};

struct settings_store {
	void **kept;
	size_t kept_count;
	struct mark *marks;
	struct problem *problems;
	size_t problem_count;
};

struct settings_store *
store_new(void)
{
	return xnew(struct settings_store);
}

void
store_free(struct settings_store **store_ptr)
{
	struct settings_store *store = *store_ptr;
	struct mark *mark, *next;

	if (store == NULL)
		return;
	HASH_ITER (hh, store->marks, mark, next) {
		HASH_DEL(store->marks, mark);
		free(mark);
	}
	for (size_t i = 0; i < store->kept_count; i++)
		free(store->kept[i]);
	for (size_t i = 0; i < store->problem_count; i++)
		free(store->problems[i].text);
	free(store->kept);
	free(store->problems);
	free(store);
	*store_ptr = NULL;
}

/* Room for one more; grows when the count is a power of two. */
static void *
grown(void *array, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return array;
	return xrealloc(array, (count ? 2 * count : 1) * size);
}

static void *
keep(struct settings_store *store, void *ptr)
{
	store->kept = grown(store->kept, store->kept_count, sizeof(*store->kept));
	store->kept[store->kept_count++] = ptr;
	return ptr;
}

char *
store_text(struct settings_store *store, const char *text)
{
	return keep(store, xstrdup(text));
}

void *
store_array(struct settings_store *store, size_t n, size_t size)
{
	return n ? keep(store, xcalloc(n, size)) : NULL;
}

void
store_mark(struct settings_store *store, const void *field, int line)
{
	struct mark *mark = xnew(struct mark);

	mark->field = field;
	mark->line = line;
	HASH_ADD_PTR(store->marks, field, mark);
}

int
store_line(const struct settings_store *store, const void *field)
{
	struct mark *mark;

	HASH_FIND_PTR(store->marks, &field, mark);
	return mark ? mark->line : 0;
}

static __attribute__((format(printf, 4, 0))) char *
problem_line(const char *path, int line, const char *setting, const char *format, va_list args)
{
	struct buf text = BUF_INIT;
	char *copy;

	buf_add_text(&text, path);
	if (line > 0)
		buf_addf(&text, ":%d", line);
	buf_add_text(&text, ": ");
	if (*setting)
		buf_addf(&text, "%s: ", setting);
	buf_vaddf(&text, format, args);
	copy = xstrdup(buf_cstr(&text));
	buf_fini(&text);
	return copy;
}

void
store_problem(struct settings_store *store, const char *path, int line, const char *setting,
    const char *format, va_list args)
{
	size_t i = store->problem_count;

	store->problems = grown(store->problems, store->problem_count++, sizeof(*store->problems));
	for (; i > 0 && store->problems[i - 1].line > line; i--)
		store->problems[i] = store->problems[i - 1];
	store->problems[i].line = line;
	store->problems[i].text = problem_line(path, line, setting, format, args);
}

size_t
store_problem_count(const struct settings_store *store)
{
	return store->problem_count;
}

const char *
store_problem_text(const struct settings_store *store, size_t i)
{
	return store->problems[i].text;
}
