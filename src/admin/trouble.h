/*
 * trouble.h - sentences about what an operator must look at           (driver)
 *
 * Each says what is wrong and, where there is one, the command that mends it. They
 * are kept as a JSON array of texts, which is what --json shows.
 */
#ifndef ADMIN_TROUBLE_H
#define ADMIN_TROUBLE_H

#include <jansson.h>

void trouble_add(json_t *troubles, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* To stdout, one in a line, each behind two spaces. */
void troubles_print(const json_t *troubles);

#endif
