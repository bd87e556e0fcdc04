/*
 * seen.h - from which address did a server see somebody?                (pure)
 *
 * A command of the settings shows who is logged in there, or the end of a log. Two of
 * its outputs, of before and after a login, are compared line by line: what is new
 * tells of that login, whatever the program that wrote it.
 */
#ifndef ADMIN_SEEN_H
#define ADMIN_SEEN_H

#include "base/str.h"

enum seen {
	SEEN_NOTHING, /* no new line names one of the addresses */
	SEEN_OWN, /* one names ours */
	SEEN_FRONT, /* none ours, but one the front's */
};

/*
 * Addresses are numeric, and stand in a line by themselves: 192.0.2.1 is not in
 * 192.0.2.10. IPv6 in any case of letters, as it is usually written (RFC 5952).
 */
enum seen seen_in(struct str before, struct str after, const char *own, const char *front);

#endif
