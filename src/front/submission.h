/*
 * submission.h - submission, as the drivers see it                   (machine)
 */
#ifndef FRONT_SUBMISSION_H
#define FRONT_SUBMISSION_H

#include "front/dialect.h"

extern const struct dialect dialect_submission;

#endif
