/*
 * dialect.c - the protocols of the front, by number                  (machine)
 */
#include "front/dialect.h"

#include "front/imap.h"

const struct dialect *const dialects[DIALECT_COUNT] = {
    [DIALECT_IMAP] = &dialect_imap,
};
