/*
 * fronts.c - ask every worker of the login front of this host          (driver)
 */
#include "admin/fronts.h"

#include "base/mem.h"
#include "net/control.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

enum { FRONTS_TIMEOUT_MS = 5000 };

/* "/run/splitmx/frontd-0.ctl" -> "frontd-0"; the caller's. */
static char *
name_of(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return xstrndup(name, strlen(name) - strlen(".ctl"));
}

static int
ask_one(struct admin *admin, const char *path, const json_t *request, fronts_fn *fn, void *ctx)
{
	char *name = name_of(path);
	json_t *reply = NULL;
	struct fault fault;
	int code = 0;

	if (control_ask(path, request, FRONTS_TIMEOUT_MS, &reply, &fault) == -1)
		code =
		    admin_fail(admin, EX_UNAVAILABLE, "%s does not answer: %s", name, fault.text);
	else if (!fn(ctx, name, reply))
		code = admin_fail(admin, EX_UNAVAILABLE,
		    "%s answers something else: is it of another version?", name);
	json_decref(reply);
	free(name);
	return code;
}

int
fronts_ask(struct admin *admin, const json_t *request, fronts_fn *fn, void *ctx)
{
	char *pattern = xasprintf("%s/frontd-*.ctl", admin->settings->run_dir);
	glob_t paths;
	int code = 0;

	if (glob(pattern, 0, NULL, &paths) == 0) {
		for (size_t i = 0; i < paths.gl_pathc; i++) {
			int one = ask_one(admin, paths.gl_pathv[i], request, fn, ctx);

			code = one != 0 ? one : code;
		}
		globfree(&paths);
	} else {
		code = admin_fail(admin, EX_UNAVAILABLE,
		    "no login front runs here (no %s); start splitmx-frontd", pattern);
	}
	free(pattern);
	return code;
}
