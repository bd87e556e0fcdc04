/*
 * settings.c - splitmx.conf, read completely or not at all            (driver)
 *
 * Text -> mend (settings_text.c) -> read by rows (settings_read.c) -> look at
 * several settings together (settings_check.c).
 */
#include "base/settings.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/settings_check.h"
#include "base/settings_read.h"
#include "base/settings_store.h"
#include "base/settings_text.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static struct settings *
settings_new(const char *path)
{
	struct settings *settings = xnew(struct settings);

	settings->store = store_new();
	settings->path = store_text(settings->store, path);
	return settings;
}

/* The host name as far as it can be an instance's. */
static const char *
host_name(struct settings_store *store)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (gethostname(name, sizeof(name) - 1) == -1 || *name == '\0')
		return "localhost";
	for (char *p = name; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
		else if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') && *p != '.')
			*p = '-';
	}
	return store_text(store, name);
}

static void
load(struct settings *settings, struct str text)
{
	struct buf mended = BUF_INIT;
	bool is_whole = settings_text_mend(settings, text, &mended);

	is_whole = settings_read(settings, &mended, is_whole);
	buf_fini(&mended);
	if (settings->instance == NULL)
		settings->instance = host_name(settings->store);
	if (is_whole)
		settings_check(settings);
}

struct settings *
settings_load(const char *path)
{
	struct settings *settings = settings_new(path);
	struct buf text;

	buf_init(&text, SETTINGS_FILE_MAX_BYTES);
	if (file_read(path, &text) == -1) {
		settings_problem(settings, 0, "", "cannot be read: %s", strerror(errno));
		buf_clear(&text);
	}
	load(settings, buf_str(&text));
	buf_fini(&text);
	return settings;
}

struct settings *
settings_load_text(const char *text, const char *name)
{
	struct settings *settings = settings_new(name);

	load(settings, str_of(text));
	return settings;
}

void
settings_free(struct settings **settings)
{
	if (*settings == NULL)
		return;
	store_free(&(*settings)->store);
	free(*settings);
	*settings = NULL;
}

void
settings_problem(struct settings *settings, int line, const char *setting, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	store_problem(settings->store, settings->path, line, setting, format, args);
	va_end(args);
}

bool
settings_redis_is_private(const struct settings *settings)
{
	return settings->redis.url == NULL && settings->redis.sentinel_count == 0;
}

size_t
settings_problem_count(const struct settings *settings)
{
	return store_problem_count(settings->store);
}

const char *
settings_problem_text(const struct settings *settings, size_t i)
{
	return store_problem_text(settings->store, i);
}

int
settings_line(const struct settings *settings, const void *field)
{
	return store_line(settings->store, field);
}
