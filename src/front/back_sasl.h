/*
 * back_sasl.h - what a backend can do with SASL                         (pure)
 *
 * What is announced is read for POP3 and ManageSieve, where the mechanisms are the value
 * of one capability: "SASL", "PLAIN SCRAM-SHA-1".
 */
#ifndef FRONT_BACK_SASL_H
#define FRONT_BACK_SASL_H

#include "base/str.h"
#include "front/credentials.h"
#include "front/offer.h"

#include <stdbool.h>

/* By which name this is said to a backend: LOGIN has the same content as PLAIN. */
const char *back_sasl_name(enum mechanism mechanism);

/* PLAIN and LOGIN: there are other ways to say a password. */
bool back_sasl_is_password(enum mechanism mechanism);

bool back_sasl_has(const struct offer *offer, enum mechanism mechanism);

/* Nothing but its letters, so nothing that could end a line or a string; empty is allowed. */
bool back_sasl_is_base64(struct str text);

#endif
