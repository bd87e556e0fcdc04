/*
 * sieve.h - ManageSieve, as the drivers see it                      (machine)
 */
#ifndef FRONT_SIEVE_H
#define FRONT_SIEVE_H

#include "front/dialect.h"

extern const struct dialect dialect_sieve;

#endif
