/*
 * doctor_back.h - the map is an older state of itself                 (driver)
 *
 * HOSTILE, A14. Redis came back from an old copy, or a replica was promoted that
 * lacked something. No node that knows of more believes it, and no command writes
 * to it, so that nobody acts on what is out of date by accident. Only a person can
 * say that it is to be the map from now on.
 */
#ifndef ADMIN_DOCTOR_BACK_H
#define ADMIN_DOCTOR_BACK_H

#include "admin/doctor_journal.h"

/* Say so, where it is. */
void doctor_back(struct doctor *doctor);

/*
 * Ask, then raise its epoch above what this host, or --epoch, knows, and wait until
 * every node has heard of it. Not while an account is lost and not held. A
 * sysexits code, said.
 */
int doctor_accept(const struct doctor_journal *journal);

#endif
