/*
 * terms.h - what holds for the messages that begin now                (driver)
 *
 * Made of the settings and the key file, never changed, shared by the messages
 * that began under them and freed by the last: a reload makes new ones and
 * disturbs nobody, and a key that has gone from the file goes from memory with
 * the last message that it could sign.
 */
#ifndef MILTER_TERMS_H
#define MILTER_TERMS_H

#include "base/fault.h"
#include "base/settings.h"
#include "milter/session.h"

struct terms;

/* For one user. NULL and *fault_r: the key file cannot be read, or not be used. */
struct terms *terms_new(const struct settings *settings, struct fault *fault_r);

/* Of the settings, or those of the installation; NULL where none can be in a header. */
const char *terms_instance(const struct settings *settings);

/* From any thread, by whoever is a user; another one. */
struct terms *terms_join(struct terms *terms);
void terms_part(struct terms **terms); /* NULL is nobody's */

/* Lent to the user. */
const struct session_terms *terms_of_session(const struct terms *terms);

#endif
