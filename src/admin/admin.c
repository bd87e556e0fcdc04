/*
 * admin.c - what every command of splitmx needs                       (driver)
 */
#include "admin/admin.h"

#include "admin/statedir.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOST_NAME_BYTES = 256 };

void
admin_init(struct admin *admin)
{
	*admin = (struct admin){.config_path = SYSCONFDIR "/splitmx/splitmx.conf"};
}

void
admin_fini(struct admin *admin)
{
	client_close(&admin->client);
	ruleset_free(&admin->rules);
	settings_free(&admin->settings);
	free(admin->who);
	admin->who = NULL;
}

void
admin_load(struct admin *admin)
{
	if (admin->settings != NULL)
		return;
	admin->settings = settings_load(admin->config_path);
	if (settings_problem_count(admin->settings) == 0)
		admin->rules = ruleset_new(admin->settings);
}

int
admin_need_settings(struct admin *admin)
{
	size_t count;

	admin_load(admin);
	count = settings_problem_count(admin->settings);
	for (size_t i = 0; i < count; i++)
		admin_fail(admin, EX_CONFIG, "%s", settings_problem_text(admin->settings, i));
	return count > 0 ? EX_CONFIG : 0;
}

static int
need_client(struct admin *admin, enum client_need need)
{
	struct fault fault;
	int code = admin_need_settings(admin);

	if (code != 0 || admin->client != NULL)
		return code;
	if (need != CLIENT_LOOKS && need != CLIENT_MENDS &&
	    statedir_make(admin->settings, &fault) == -1)
		return admin_fault(admin, &fault);
	admin->client = client_open(admin->settings, need, &fault);
	return admin->client == NULL ? admin_fault(admin, &fault) : 0;
}

int
admin_need_redis(struct admin *admin)
{
	return need_client(admin, CLIENT_NEEDS_REDIS);
}

int
admin_need_map(struct admin *admin)
{
	return need_client(admin, CLIENT_NEEDS_MAP);
}

int
admin_mend_map(struct admin *admin)
{
	return need_client(admin, CLIENT_MENDS);
}

int
admin_look_at_map(struct admin *admin)
{
	return need_client(admin, CLIENT_LOOKS);
}

struct account_rules
admin_account_rules(const struct admin *admin)
{
	return (struct account_rules){.fold_local = admin->settings->fold_local,
	    .delimiters = admin->settings->recipient_delimiter};
}

/* ---- words */

static void say_error(const struct admin *admin, int code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void
say_error(const struct admin *admin, int code, const char *format, va_list args)
{
	struct buf text = BUF_INIT;

	buf_vaddf(&text, format, args);
	if (admin->json) {
		json_t *object =
		    json_pack("{s:o, s:i}", "error", admin_json_text(buf_str(&text)), "code", code);

		json_dumpf(object, stderr, JSON_COMPACT);
		fputc('\n', stderr);
		json_decref(object);
	} else {
		fputs("splitmx: ", stderr);
		admin_print_text(stderr, buf_str(&text));
		fputc('\n', stderr);
	}
	buf_fini(&text);
}

int
admin_fail(const struct admin *admin, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_error(admin, code, format, args);
	va_end(args);
	return code;
}

int
admin_fault(const struct admin *admin, const struct fault *fault)
{
	return admin_fail(admin, fault->verdict == VERDICT_PERM ? EX_CONFIG : EX_TEMPFAIL, "%s",
	    fault->text);
}

int
admin_usage(const struct admin *admin, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_error(admin, EX_USAGE, format, args);
	va_end(args);
	if (!admin->json && admin->command != NULL)
		fprintf(stderr, "usage: splitmx %s %s\n", admin->command->name,
		    admin->command->usage);
	return EX_USAGE;
}

void
admin_note(const struct admin *admin, const char *format, ...)
{
	struct buf text = BUF_INIT;
	va_list args;

	if (admin->json)
		return;
	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	admin_print_text(stderr, buf_str(&text));
	fputc('\n', stderr);
	buf_fini(&text);
}

void
admin_print_json(json_t *object)
{
	must(object != NULL);
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

json_t *
admin_json_text(struct str text)
{
	json_t *json = json_stringn(text.len ? text.ptr : "", text.len);

	if (json == NULL) {
		struct buf visible = BUF_INIT;

		log_visible(&visible, text);
		json = json_string(buf_cstr(&visible));
		buf_fini(&visible);
	}
	return json;
}

void
admin_print_text(FILE *file, struct str text)
{
	struct buf visible = BUF_INIT;

	log_visible(&visible, text);
	fwrite(buf_str(&visible).ptr, 1, buf_len(&visible), file);
	buf_fini(&visible);
}

/* ---- the operator */

int
admin_confirm(const struct admin *admin, const char *format, ...)
{
	char answer[16];
	va_list args;

	if (args_has(&admin->args, "yes"))
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return admin_fail(admin, EX_NOPERM,
		    "%s and nobody is here to be asked: nothing was changed; say --yes",
		    admin->command->asks == ASKS_WHERE_MANY ? "more than one account would change"
							    : "this asks first");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(" [y/N] ", stderr);
	if (fgets(answer, sizeof(answer), stdin) != NULL &&
	    (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0))
		return 0;
	return admin_fail(admin, EX_NOPERM, "nothing was changed");
}

/* The uid that logged in, through su and sudo; -1 where nobody did. */
static long
login_uid(void)
{
	FILE *file = fopen("/proc/self/loginuid", "re");
	unsigned long uid = 0;
	bool read = false;

	if (file != NULL) {
		read = fscanf(file, "%lu", &uid) == 1;
		fclose(file);
	}
	return read && uid != (unsigned)-1 ? (long)uid : -1;
}

const char *
admin_who(struct admin *admin)
{
	const char *by = args_value(&admin->args, "by"), *name = NULL;
	long uid = login_uid();
	struct passwd *entry;
	char host[HOST_NAME_BYTES] = "?";

	if (admin->who != NULL)
		return admin->who;
	if (uid == -1 && getuid() == 0) /* from anybody else it proves nothing */
		name = getenv("SUDO_USER");
	if (name == NULL || name[0] == '\0') {
		entry = getpwuid(uid != -1 ? (uid_t)uid : getuid());
		name = entry != NULL ? entry->pw_name : "?";
	}
	name = log_quote_text(name);
	if (gethostname(host, sizeof(host) - 1) == -1)
		strcpy(host, "?");
	admin->who =
	    by != NULL ? xasprintf("%s (%s@%s)", by, name, host) : xasprintf("%s@%s", name, host);
	return admin->who;
}

const char *
admin_why(const struct admin *admin)
{
	const char *reason = args_value(&admin->args, "reason");

	return reason != NULL ? reason : "";
}
