/*
 * hash.h - the keyed hash of every table                                (pure)
 *
 * Names in our tables come from strangers, so the hash has a random key that is
 * drawn once in a process: nobody outside can aim at one bucket. SipHash-2-4,
 * by libsodium. Include this instead of <uthash.h>.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *bytes, size_t len);

#define HASH_FUNCTION(keyptr, keylen, hashv)                                                       \
	do {                                                                                       \
		(hashv) = (unsigned)hash_bytes((keyptr), (keylen));                                \
	} while (0)
#include <uthash.h>

#endif
