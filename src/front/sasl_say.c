/*
 * sasl_say.c - the initial response for a backend                       (pure)
 *
 * The message is put together behind the place where its base64 will be, in the
 * buffer that gets it: so there is no other memory to be wiped.
 */
#include "front/sasl.h"

#include <sodium.h>

/* Pieces of a message, added up first and then written. */
struct message {
	char *at; /* NULL: only counting */
	size_t len;
};

static void
add(struct message *message, struct str bytes)
{
	if (message->at != NULL && bytes.len > 0)
		memcpy(message->at + message->len, bytes.ptr, bytes.len);
	message->len += bytes.len;
}

/* RFC 5801, section 4: saslname. */
static void
add_coded(struct message *message, struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] == ',')
			add(message, STR("=2C"));
		else if (name.ptr[i] == '=')
			add(message, STR("=3D"));
		else
			add(message, str_make(name.ptr + i, 1));
	}
}

static void
add_plain(struct message *message, const struct credentials *credentials, struct str login)
{
	bool acts_as_other = credentials->authzid.len > 0;

	add(message, acts_as_other && login.len > 0 ? login : credentials->authzid);
	add(message, STR("\0"));
	add(message, !acts_as_other && login.len > 0 ? login : credentials->authcid);
	add(message, STR("\0"));
	add(message, credentials->secret);
}

static void
add_message(struct message *message, const struct credentials *credentials, struct str login)
{
	switch (credentials->mechanism) {
	case MECHANISM_PLAIN:
	case MECHANISM_LOGIN:
		add_plain(message, credentials, login);
		return;
	case MECHANISM_OAUTHBEARER:
		add(message, STR("n,"));
		if (login.len == 0)
			login = credentials->authzid;
		if (login.len > 0) {
			add(message, STR("a="));
			add_coded(message, login);
		}
		add(message, STR(",\1auth=Bearer "));
		add(message, credentials->secret);
		add(message, STR("\1\1"));
		return;
	case MECHANISM_XOAUTH2:
		add(message, STR("user="));
		add(message, login.len > 0 ? login : credentials->authcid);
		add(message, STR("\1auth=Bearer "));
		add(message, credentials->secret);
		add(message, STR("\1\1"));
		return;
	case MECHANISM_SCRAM_SHA_1:
	case MECHANISM_SCRAM_SHA_256:
		add(message, credentials->secret); /* signed by the client: no name can change */
		return;
	case MECHANISM_COUNT:
		return;
	}
}

void
sasl_say(const struct credentials *credentials, struct str login, struct buf *out)
{
	struct message message = {.at = NULL};
	size_t coded_bytes;
	char *room;

	add_message(&message, credentials, login);
	coded_bytes = sodium_base64_ENCODED_LEN(message.len, sodium_base64_VARIANT_ORIGINAL);
	if ((room = buf_room(out, coded_bytes + message.len)) == NULL)
		return;
	message = (struct message){.at = room + coded_bytes};
	add_message(&message, credentials, login);
	sodium_bin2base64(room, coded_bytes, (const unsigned char *)message.at, message.len,
	    sodium_base64_VARIANT_ORIGINAL);
	sodium_memzero(message.at, message.len);
	buf_added(out, coded_bytes - 1); /* without the NUL behind it */
}
