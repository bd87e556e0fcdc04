/*
 * hash.c - the keyed hash of every table                                (pure)
 */
#include "base/hash.h"

#include "base/mem.h"

#include <sodium.h>
#include <stdbool.h>

uint64_t
hash_bytes(const void *bytes, size_t len)
{
	static unsigned char key[crypto_shorthash_KEYBYTES];
	static bool have_key;
	uint64_t hash;

	_Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "SipHash-2-4 has 64 bits");
	if (!have_key) {
		must(sodium_init() != -1);
		crypto_shorthash_keygen(key);
		have_key = true;
	}
	crypto_shorthash((unsigned char *)&hash, bytes, len, key);
	return hash;
}
