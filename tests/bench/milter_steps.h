/*
 * milter_steps.h - what is agreed upon in tests/bench/milter, by all that are compared
 *
 * The changes and steps of splitmx-milter (milter/calls.c). The null milter wants
 * the same, and the load program ends where a milter wants anything else.
 */
#ifndef TESTS_BENCH_MILTER_STEPS_H
#define TESTS_BENCH_MILTER_STEPS_H

#include <libmilter/mfapi.h>

enum {
	MILTER_ACTIONS = SMFIF_ADDHDRS | SMFIF_CHGHDRS,
	MILTER_STEPS = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOBODY |
		       SMFIP_NOUNKNOWN | SMFIP_NOEOH | SMFIP_NR_HDR | SMFIP_NR_MAIL
};

#endif
