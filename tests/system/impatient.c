/*
 * impatient.c - a front whose parked logins wait for seconds, not for minutes
 *
 * Linked into splitmx-frontd with --wrap, so that a test sees the end of the wait
 * without waiting for it as long as clients do. Nothing else is different.
 */
#include "front/imap.h"
#include "front/pop3.h"
#include "front/sieve.h"

enum { PARK_MS = 2500, PARK_WORD_MS = 600 };

extern const struct dialect __real_dialect_imap, __real_dialect_pop3, __real_dialect_sieve;
extern struct dialect __wrap_dialect_imap, __wrap_dialect_pop3, __wrap_dialect_sieve;

struct dialect __wrap_dialect_imap, __wrap_dialect_pop3, __wrap_dialect_sieve;

__attribute__((constructor)) static void
shorten(void)
{
	__wrap_dialect_imap = __real_dialect_imap;
	__wrap_dialect_imap.park_word_ms = PARK_WORD_MS;
	__wrap_dialect_pop3 = __real_dialect_pop3;
	__wrap_dialect_sieve = __real_dialect_sieve;
	__wrap_dialect_imap.park_ms = __wrap_dialect_pop3.park_ms = __wrap_dialect_sieve.park_ms =
	    PARK_MS;
}
