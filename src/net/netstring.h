/*
 * netstring.h - "5:hello,"                                              (pure)
 *
 * The frames of socketmap (socketmap_table(5)). The length is judged digit by
 * digit, before anything is waited for or allocated because of it. Leading
 * zeros are accepted, as Postfix accepts them in our answers.
 */
#ifndef NET_NETSTRING_H
#define NET_NETSTRING_H

#include "base/buf.h"
#include "base/fault.h"

enum {
	NETSTRING_CEILING_BYTES = 131072, /* nobody is listened to beyond this */
	NETSTRING_DIGITS_MOST = 20,

	/* What "in" must be allowed to hold, or the longest payload never arrives. */
	NETSTRING_IN_BYTES = NETSTRING_CEILING_BYTES + NETSTRING_DIGITS_MOST + 2,
};

/*
 * Take the next netstring out of "in"; payload_r is lent until "in" grows or is
 * released.
 *   1  a payload of at most max_bytes
 *   2  a longer one, whole: its sender still deserves an answer
 *   0  more bytes needed
 *  -1  not a netstring, or above the ceiling; fault_r says which, "in" is useless
 */
int netstring_next(struct buf *in, size_t max_bytes, struct str *payload_r, struct fault *fault_r);

void netstring_add(struct buf *out, struct str payload);

#endif
