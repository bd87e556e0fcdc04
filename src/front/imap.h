/*
 * imap.h - IMAP, as the drivers see it                               (machine)
 */
#ifndef FRONT_IMAP_H
#define FRONT_IMAP_H

#include "front/dialect.h"

extern const struct dialect dialect_imap;

#endif
