/*
 * pop3.h - POP3, as the drivers see it                              (machine)
 */
#ifndef FRONT_POP3_H
#define FRONT_POP3_H

#include "front/dialect.h"

extern const struct dialect dialect_pop3;

#endif
