/*
 * identity_file.h - what a host keeps of which map this is            (driver)
 *
 * Two lines, replaced as a whole (written aside, fsync, rename, fsync of the
 * directory) under a lock. Nothing here allocates or calls back: a thread does it
 * too (syncer.h).
 */
#ifndef MAP_IDENTITY_FILE_H
#define MAP_IDENTITY_FILE_H

#include "base/fault.h"
#include "map/head.h"

#include <stdint.h>

struct identity_known {
	char id[HEAD_ID_BYTES]; /* "" = nothing */
	uint64_t epoch;
};

struct identity_paths {
	char *dir, *file, *aside, *lock;
};

enum identity_reading { READ_FAILED, READ_DAMAGED, READ_NOTHING, READ_WELL }; /* failed: errno */
enum identity_reading identity_file_read(const char *path, struct identity_known *known_r);

/* The sentence for DAMAGED, and -1. */
int identity_file_is_damaged(const char *path, struct fault *fault_r);

enum attempt_end { ATTEMPT_DONE, ATTEMPT_BUSY, ATTEMPT_FAILED, ATTEMPT_DAMAGED, ATTEMPT_OTHER };

/* To bring the file to what is wanted, or leave it where it knows more. */
struct identity_attempt {
	const struct identity_paths *paths;
	struct identity_known want;
	int lock_tries; /* 2 ms apart; the last finds it BUSY, whatever it is before */

	enum attempt_end end;
	struct identity_known there; /* DONE: what it holds now; OTHER: of another map */
	const char *where; /* FAILED: with what, and errno */
	int error;
};
void identity_attempt(struct identity_attempt *attempt);

/* What became of it: -1 and a sentence, but for DONE and BUSY. */
int identity_attempt_fault(const struct identity_attempt *attempt, struct fault *fault_r);

#endif
