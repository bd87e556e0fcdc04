/*
 * fault.h - the four answers of the program, and why something failed   (pure)
 *
 * A fault has a verdict for whoever asked and one sentence for the operator.
 * The sentence names the file, line or key and never holds a secret.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdarg.h>
#include <stdbool.h>

enum verdict {
	VERDICT_FOUND, /* here it is */
	VERDICT_ABSENT, /* surely not there */
	VERDICT_TEMP, /* cannot tell now: try again later */
	VERDICT_PERM, /* will not change until a person changes something */
	VERDICT_COUNT
};

const char *verdict_name(enum verdict verdict); /* "found", "absent", "temp", "perm" */

enum { FAULT_TEXT_BYTES = 512 };

struct fault {
	enum verdict verdict;
	bool is_ours; /* this host has run out of descriptors, memory or ports: no peer's doing */
	char text[FAULT_TEXT_BYTES]; /* cut where it does not fit */
};

/* Each returns -1, so that "return fault_set(...)" reads as what it is. */
int fault_set(struct fault *fault, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with ": <strerror of errno>" behind it, which also tells whether it is ours. */
int fault_set_errno(struct fault *fault, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
