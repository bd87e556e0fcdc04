/*
 * fault.c - the four answers of the program, and why something failed   (pure)
 */
#include "base/fault.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const verdict_names[] = {
    [VERDICT_FOUND] = "found",
    [VERDICT_ABSENT] = "absent",
    [VERDICT_TEMP] = "temp",
    [VERDICT_PERM] = "perm",
};
_Static_assert(ARRAY_LEN(verdict_names) == VERDICT_COUNT, "a verdict lacks its name");

const char *
verdict_name(enum verdict verdict)
{
	return verdict_names[verdict];
}

static bool
is_our_lack(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
	       error == EADDRNOTAVAIL; /* of connect(2): no port is free for our end */
}

int
fault_set(struct fault *fault, enum verdict verdict, const char *format, ...)
{
	va_list args;

	fault->verdict = verdict;
	fault->is_ours = false;
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	return -1;
}

int
fault_set_errno(struct fault *fault, enum verdict verdict, const char *format, ...)
{
	const char *reason = strerror(errno);
	va_list args;
	size_t len;

	fault->verdict = verdict;
	fault->is_ours = is_our_lack(errno);
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	len = strlen(fault->text);
	snprintf(fault->text + len, sizeof(fault->text) - len, ": %s", reason);
	return -1;
}
