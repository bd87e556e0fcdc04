/*
 * trace_keys.c - the keys of the trace header                           (pure)
 */
#include "milter/trace_keys.h"

#include "base/mem.h"

#include <sodium.h>
#include <stdlib.h>

struct trace_keys {
	size_t count;
	struct trace_key keys[TRACE_KEYS_MOST];
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line; empty at its end. */
static struct str
take_word(struct str *line)
{
	struct str word;
	size_t len = 0;

	while (line->len > 0 && is_blank(line->ptr[0]))
		*line = str_from(*line, 1);
	while (len < line->len && !is_blank(line->ptr[len]))
		len++;
	word = str_make(line->ptr, len);
	*line = str_from(*line, len);
	return word;
}

static bool
is_id(struct str word)
{
	if (word.len == 0 || word.len > TRACE_KEY_ID_MOST)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		char c = word.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return true;
}

static bool
is_one_byte(const unsigned char secret[static TRACE_SECRET_BYTES])
{
	for (size_t i = 1; i < TRACE_SECRET_BYTES; i++) {
		if (secret[i] != secret[0])
			return false;
	}
	return true;
}

/* A key for one purpose only, so that no use of the other tells anything about it. */
static void
derive(const unsigned char secret[static TRACE_SECRET_BYTES], struct str purpose,
    unsigned char key_r[static TRACE_SECRET_BYTES])
{
	crypto_auth_hmacsha256(key_r, (const unsigned char *)purpose.ptr, purpose.len, secret);
}

/* NULL, or what is wrong with the words of a line. */
static const char *
read_key(struct trace_keys *keys, struct str id, struct str digits, struct str rest)
{
	unsigned char secret[TRACE_SECRET_BYTES];
	struct trace_key *key;
	const char *why = NULL;
	size_t len = 0;

	if (!is_id(id))
		return "a key's id has 1 to 16 lower-case letters, digits and '-'";
	if (trace_keys_find(keys, id) != NULL)
		return "this id stands further up already";
	if (keys->count == TRACE_KEYS_MOST)
		return "more than 8 keys";
	if (digits.len != 2 * sizeof(secret) || take_word(&rest).len > 0 ||
	    sodium_hex2bin(secret, sizeof(secret), digits.ptr, digits.len, NULL, &len, NULL) != 0 ||
	    len != sizeof(secret)) {
		why = "behind the id stand 64 hexadecimal digits and nothing else";
	} else if (is_one_byte(secret)) {
		why = "this is no secret: draw one with \"openssl rand -hex 32\"";
	} else {
		key = &keys->keys[keys->count++];
		memcpy(key->id, id.ptr, id.len);
		derive(secret, STR("splitmx trace 1: sign"), key->sign);
		derive(secret, STR("splitmx trace 1: hide"), key->hide);
	}
	sodium_memzero(secret, sizeof(secret));
	return why;
}

static int
read_lines(struct trace_keys *keys, struct str text, const char *path, struct fault *fault_r)
{
	for (unsigned number = 1; text.len > 0; number++) {
		size_t end = str_find(text, '\n');
		struct str line = str_make(text.ptr, end), id = take_word(&line), digits;
		const char *why;

		text = str_from(text, end < text.len ? end + 1 : end);
		if (id.len == 0 || id.ptr[0] == '#')
			continue;
		digits = take_word(&line);
		if ((why = read_key(keys, id, digits, line)) != NULL)
			return fault_set(fault_r, VERDICT_PERM, "%s:%u: %s", path, number, why);
	}
	if (keys->count == 0)
		return fault_set(fault_r, VERDICT_PERM, "%s: no key in it", path);
	return 0;
}

int
trace_keys_read(struct trace_keys **keys_r, struct str text, const char *path,
    struct fault *fault_r)
{
	struct trace_keys *keys = xnew(struct trace_keys);
	int rc = read_lines(keys, text, path, fault_r);

	if (rc == -1)
		trace_keys_free(&keys);
	*keys_r = keys;
	return rc;
}

void
trace_keys_free(struct trace_keys **keys)
{
	if (*keys == NULL)
		return;
	sodium_memzero(*keys, sizeof(**keys));
	free(*keys);
	*keys = NULL;
}

const struct trace_key *
trace_keys_first(const struct trace_keys *keys)
{
	return &keys->keys[0];
}

const struct trace_key *
trace_keys_find(const struct trace_keys *keys, struct str id)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (str_is(id, keys->keys[i].id))
			return &keys->keys[i];
	}
	return NULL;
}
