/*
 * milter_null.c - a milter that does nothing, by the same steps as splitmx-milter
 *
 *	milter_null SOCKET [BYTES]
 *
 * What tests/bench/milter compares with: libmilter's own cost, and Postfix's for
 * having a milter at all. With BYTES it puts a header of so many on each message,
 * which is what Postfix and libmilter need for that. It keeps nothing of a
 * session, and libmilter's limits are splitmx-milter's by default.
 */
#include "milter_steps.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { BACKLOG = 1024, IDLE_S = 7210, BYTES_MOST = 2000 };

static char *value; /* of the header; NULL: none is put on */

static sfsistat
negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long more,
    unsigned long still_more, unsigned long *actions_r, unsigned long *steps_r,
    unsigned long *more_r, unsigned long *still_more_r)
{
	if ((actions & MILTER_ACTIONS) != MILTER_ACTIONS || (steps & MILTER_STEPS) != MILTER_STEPS)
		return SMFIS_REJECT;
	*actions_r = MILTER_ACTIONS;
	*steps_r = MILTER_STEPS;
	*more_r = *still_more_r = 0;
	return SMFIS_CONTINUE;
}

static sfsistat
envfrom(SMFICTX *ctx, char **argv)
{
	return SMFIS_NOREPLY;
}

static sfsistat
envrcpt(SMFICTX *ctx, char **argv)
{
	return SMFIS_CONTINUE;
}

static sfsistat
header(SMFICTX *ctx, char *name, char *text)
{
	return SMFIS_NOREPLY;
}

static sfsistat
eom(SMFICTX *ctx)
{
	static char name[] = "X-Splitmx-Trace";

	if (value != NULL && smfi_insheader(ctx, 0, name, value) != MI_SUCCESS)
		return SMFIS_TEMPFAIL;
	return SMFIS_CONTINUE;
}

static sfsistat
nothing(SMFICTX *ctx)
{
	return SMFIS_CONTINUE;
}

static char *
header_of(const char *number)
{
	long bytes = strtol(number, NULL, 10);
	char *text;

	if (bytes < 1 || bytes > BYTES_MOST)
		errx(EX_USAGE, "%s: between 1 and %d bytes", number, BYTES_MOST);
	text = malloc((size_t)bytes + 1);
	if (text == NULL)
		err(EX_OSERR, "%ld bytes", bytes);
	memset(text, 'x', (size_t)bytes);
	text[bytes] = '\0';
	return text;
}

int
main(int argc, char **argv)
{
	static char name[] = "null";
	const struct smfiDesc desc = {.xxfi_name = name,
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = MILTER_ACTIONS,
	    .xxfi_envfrom = envfrom,
	    .xxfi_envrcpt = envrcpt,
	    .xxfi_header = header,
	    .xxfi_eom = eom,
	    .xxfi_abort = nothing,
	    .xxfi_close = nothing,
	    .xxfi_negotiate = negotiate};
	struct rlimit files;

	if (argc != 2 && argc != 3)
		errx(EX_USAGE, "usage: milter_null SOCKET [BYTES]");
	if (argc == 3)
		value = header_of(argv[2]);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	umask(0); /* Postfix is somebody else */
	if (smfi_register(desc) != MI_SUCCESS || smfi_settimeout(IDLE_S) != MI_SUCCESS ||
	    smfi_setbacklog(BACKLOG) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS ||
	    smfi_opensocket(true) != MI_SUCCESS)
		errx(EX_OSERR, "libmilter cannot listen at %s", argv[1]);
	return smfi_main() == MI_SUCCESS ? 0 : EX_SOFTWARE;
}
