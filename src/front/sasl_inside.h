/*
 * sasl_inside.h - what the mechanisms' messages say                     (pure)
 *
 * For sasl*.c and route.c alone. A message has been decoded and lies in the
 * login's arena; what is found points into it, or into the arena behind it.
 * 0, or -1 with a sentence in *fault_r that has no byte of the message in it.
 */
#ifndef FRONT_SASL_INSIDE_H
#define FRONT_SASL_INSIDE_H

#include "front/sasl.h"

/* Names, of at most SASL_NAME_MOST bytes, and passwords: UTF-8, no control characters, not empty.
 */
int sasl_check_name(struct str name, struct fault *fault_r);
int sasl_check_password(struct str password, struct fault *fault_r);

static inline bool
sasl_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/*
 * Decode base64 of one of libsodium's variants into the arena: all of it, with exactly the
 * padding of that variant. What cannot be decoded leaves its bytes there too, where
 * they are wiped with the rest.
 */
int sasl_decode(struct str text, int variant, struct arena *arena, struct str *bytes_r,
    struct fault *fault_r);

int sasl_no_room(struct fault *fault_r); /* always -1 */

/*
 * Take the gs2 header off a message, its last comma included. *authzid_r is decoded,
 * and empty where there is none. RFC 5801, section 4.
 */
int sasl_take_gs2(struct str *message, struct arena *arena, struct str *authzid_r,
    struct fault *fault_r);

/* Fill in names and secret; credentials->mechanism says what kind of message it is. */
int sasl_read_plain(struct str message, struct credentials *credentials, struct fault *fault_r);
int sasl_read_scram(struct str message, struct arena *arena, struct credentials *credentials,
    struct fault *fault_r);

/*
 * OAUTHBEARER and XOAUTH2. A token that names nobody whom "rules" would look for leaves
 * both names empty. Where the client names somebody, both names become the one that
 * was found: so a session never goes to another place than its backend's idea of who
 * it is. A claim alone only becomes authcid: the backend reads the token itself.
 */
int sasl_read_token(struct str message, const struct sasl_rules *rules, struct arena *arena,
    struct credentials *credentials, struct fault *fault_r);

#endif
