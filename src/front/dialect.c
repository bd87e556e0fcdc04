/*
 * dialect.c - the protocols of the front, by number                  (machine)
 */
#include "front/dialect.h"

#include "front/imap.h"
#include "front/pop3.h"
#include "front/sieve.h"
#include "front/submission.h"

const struct dialect *const dialects[DIALECT_COUNT] = {
    [DIALECT_IMAP] = &dialect_imap,
    [DIALECT_POP3] = &dialect_pop3,
    [DIALECT_SUBMISSION] = &dialect_submission,
    [DIALECT_SIEVE] = &dialect_sieve,
};
