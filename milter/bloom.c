/*
 * bloom.c - a message's recipients, as bits that only we can read       (pure)
 */
#include "milter/bloom.h"

#include <sodium.h>

/* The salt stands behind a letter that says what for: names and filling never meet. */
static const unsigned char for_names = 'n', for_filling = 'f';

/* Two bytes of it are the place of a bit. */
enum { PLACE_BYTES = 2, FILLING_BYTES = 4 * BLOOM_BITS };
_Static_assert(crypto_auth_hmacsha256_BYTES == BLOOM_PROBES * PLACE_BYTES,
    "one HMAC is one name's bits");
_Static_assert(crypto_auth_hmacsha256_KEYBYTES == BLOOM_KEY_BYTES, "the key is the HMAC's");
_Static_assert(randombytes_SEEDBYTES == crypto_auth_hmacsha256_BYTES, "an HMAC seeds the filling");

static void
digest(struct bloom_key key, unsigned char what, struct str name,
    unsigned char digest_r[static crypto_auth_hmacsha256_BYTES])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key.secret, BLOOM_KEY_BYTES);
	crypto_auth_hmacsha256_update(&state, &what, 1);
	crypto_auth_hmacsha256_update(&state, key.salt, BLOOM_SALT_BYTES);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)name.ptr, name.len);
	crypto_auth_hmacsha256_final(&state, digest_r);
	sodium_memzero(&state, sizeof(state));
}

static unsigned
place_at(const unsigned char *bytes)
{
	return (unsigned)(bytes[0] | bytes[1] << 8) % BLOOM_BITS;
}

static bool
is_set(const struct bloom *bloom, unsigned place)
{
	return (bloom->bits[place / 8] >> place % 8 & 1) != 0;
}

static void
set(struct bloom *bloom, unsigned place)
{
	bloom->bits[place / 8] |= (unsigned char)(1 << place % 8);
}

unsigned
bloom_count(const struct bloom *bloom)
{
	unsigned count = 0;

	for (size_t i = 0; i < BLOOM_BYTES; i++)
		count += (unsigned)__builtin_popcount(bloom->bits[i]);
	return count;
}

void
bloom_init(struct bloom *bloom)
{
	*bloom = (struct bloom){.is_saturated = false};
}

void
bloom_add(struct bloom *bloom, struct bloom_key key, struct str name)
{
	unsigned char bytes[crypto_auth_hmacsha256_BYTES];

	if (bloom->is_saturated)
		return;
	digest(key, for_names, name, bytes);
	for (size_t i = 0; i < sizeof(bytes); i += PLACE_BYTES)
		set(bloom, place_at(bytes + i));
	if (bloom_count(bloom) > BLOOM_HALF) {
		bloom_init(bloom);
		bloom->is_saturated = true;
	}
}

void
bloom_seal(struct bloom *bloom, struct bloom_key key)
{
	unsigned char seed[crypto_auth_hmacsha256_BYTES], filling[FILLING_BYTES];
	unsigned count = bloom_count(bloom);

	digest(key, for_filling, STR(""), seed);
	randombytes_buf_deterministic(filling, sizeof(filling), seed);
	/* About 1,420 of the 4,096 places are needed to fill one half from nothing. */
	for (size_t i = 0; count < BLOOM_HALF && i < sizeof(filling); i += PLACE_BYTES) {
		unsigned place = place_at(filling + i);

		count += !is_set(bloom, place);
		set(bloom, place);
	}
	for (unsigned place = 0; count < BLOOM_HALF; place++) {
		count += !is_set(bloom, place);
		set(bloom, place);
	}
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(filling, sizeof(filling));
}

bool
bloom_claims(const struct bloom *bloom, struct bloom_key key, struct str name)
{
	unsigned char bytes[crypto_auth_hmacsha256_BYTES];

	if (bloom->is_saturated)
		return false;
	digest(key, for_names, name, bytes);
	for (size_t i = 0; i < sizeof(bytes); i += PLACE_BYTES) {
		if (!is_set(bloom, place_at(bytes + i)))
			return false;
	}
	return true;
}
