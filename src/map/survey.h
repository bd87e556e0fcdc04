/*
 * survey.h - reading the list of managed domains                      (driver)
 *
 * What domains.c wants to know is read on D: all names by SCAN, one batch at a
 * time, beside the questions; and single domains that have changed, by EXISTS.
 * Redis is never asked for more than a batch, so nobody waits behind us.
 */
#ifndef MAP_SURVEY_H
#define MAP_SURVEY_H

#include "map/domains.h"
#include "map/link.h"

struct survey;

/* Both are lent for its life. */
struct survey *survey_new(struct domains *domains, struct link *link, const char *prefix);
void survey_free(struct survey **survey);

void survey_start(struct survey *survey); /* a session is live */
void survey_stop(struct survey *survey); /* it is not any more */
void survey_pump(struct survey *survey); /* something may have to be read */

#endif
