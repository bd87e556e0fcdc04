/*
 * trace.c - the header by which a message is recognised                 (pure)
 */
#include "milter/trace.h"

#include "base/mem.h"

#include <sodium.h>

enum {
	MAC_BYTES = crypto_auth_hmacsha256_BYTES,
	BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
	BASE64_MOST = sodium_base64_ENCODED_LEN(BLOOM_BYTES, BASE64)
};

#define MAC_FIELD "h="

static const char *const kind_names[] = {
    [TRACE_GOOD] = "good",
    [TRACE_MALFORMED] = "malformed",
    [TRACE_FOREIGN] = "foreign",
    [TRACE_FORGED] = "forged",
};
_Static_assert(ARRAY_LEN(kind_names) == TRACE_KINDS, "a kind lacks its name");

const char *
trace_kind_name(enum trace_kind kind)
{
	return kind_names[kind];
}

static struct bloom_key
bloom_key(const struct trace *trace)
{
	return (struct bloom_key){trace->key->hide, trace->nonce};
}

/*
 * That a filter is saturated stands in no field, where it would tell that the
 * recipients were many: it is signed beside the text.
 */
static void
sign(const struct trace *trace, struct str text, unsigned char mac_r[static MAC_BYTES])
{
	static const unsigned char is_filled = 'f', is_saturated = 's';
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, trace->key->sign, TRACE_SECRET_BYTES);
	crypto_auth_hmacsha256_update(&state,
	    trace->bloom.is_saturated ? &is_saturated : &is_filled, 1);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.ptr, text.len);
	crypto_auth_hmacsha256_final(&state, mac_r);
	sodium_memzero(&state, sizeof(state));
}

static bool
is_instance(struct str name)
{
	if (name.len == 0 || name.len > TRACE_INSTANCE_MOST)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-')
			return false;
	}
	return true;
}

/* ---- writing */

bool
trace_begin(struct trace *trace, struct str instance, const struct trace_key *key, uint64_t epoch,
    uint64_t time_s, const unsigned char nonce[static TRACE_NONCE_BYTES])
{
	if (!is_instance(instance))
		return false;
	*trace = (struct trace){.epoch = epoch, .time_s = time_s, .key = key};
	memcpy(trace->instance, instance.ptr, instance.len);
	memcpy(trace->nonce, nonce, TRACE_NONCE_BYTES);
	bloom_init(&trace->bloom);
	return true;
}

void
trace_add(struct trace *trace, struct str address)
{
	bloom_add(&trace->bloom, bloom_key(trace), address);
}

bool
trace_claims(const struct trace *trace, struct str address)
{
	return bloom_claims(&trace->bloom, bloom_key(trace), address);
}

static void
add_base64(struct buf *out, const unsigned char *bytes, size_t len)
{
	char text[BASE64_MOST];

	sodium_bin2base64(text, sizeof(text), bytes, len, BASE64);
	buf_add_text(out, text);
}

static void
fold(struct str text, struct buf *out)
{
	/* The first line has the header's name before it, the others a tab of 8 columns. */
	size_t room = TRACE_LINE_MOST - strlen(TRACE_HEADER ": ");

	while (text.len > room) {
		buf_add(out, text.ptr, room);
		buf_add_text(out, "\n\t");
		text = str_from(text, room);
		room = TRACE_LINE_MOST - 8;
	}
	buf_add_str(out, text);
}

void
trace_write(struct trace *trace, struct buf *out)
{
	unsigned char mac[MAC_BYTES];
	struct buf text = BUF_INIT;

	bloom_seal(&trace->bloom, bloom_key(trace));
	buf_addf(&text, "v=1;k=%s;i=%s;e=", trace->key->id, trace->instance);
	buf_add_u64(&text, trace->epoch);
	buf_add_text(&text, ";t=");
	buf_add_u64(&text, trace->time_s);
	buf_add_text(&text, ";n=");
	add_base64(&text, trace->nonce, sizeof(trace->nonce));
	buf_add_text(&text, ";f=");
	add_base64(&text, trace->bloom.bits, sizeof(trace->bloom.bits));
	sign(trace, buf_str(&text), mac);
	buf_add_text(&text, ";" MAC_FIELD);
	add_base64(&text, mac, sizeof(mac));
	fold(buf_str(&text), out);
	buf_fini(&text);
}

/* ---- reading */

/* The value without what means nothing. False: longer than ours ever are. */
static bool
unfold(struct str value, struct str *text_r, char room[static TRACE_VALUE_MOST])
{
	size_t len = 0;

	if (value.len > TRACE_FOLDED_MOST)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		if (len == TRACE_VALUE_MOST)
			return false;
		room[len++] = c;
	}
	*text_r = str_make(room, len);
	return true;
}

/* "name=value;" at the beginning of text. */
static bool
take_field(struct str *text, const char *name, struct str *value_r)
{
	size_t end;

	if (!str_starts(*text, name))
		return false;
	*text = str_from(*text, strlen(name));
	end = str_find(*text, ';');
	if (end == text->len)
		return false;
	*value_r = str_make(text->ptr, end);
	*text = str_from(*text, end + 1);
	return true;
}

/* As buf_add_u64() writes it, so that every number has one form. */
static bool
read_number(struct str text, uint64_t *number_r)
{
	return (text.len == 1 || (text.len > 1 && text.ptr[0] != '0')) &&
	       str_number(text, UINT64_MAX, number_r);
}

static bool
read_base64(struct str text, unsigned char *bytes, size_t size)
{
	size_t len = 0;

	/* libsodium takes no text whose last letter has bits beyond the last byte. */
	return text.len > 0 &&
	       sodium_base642bin(bytes, size, text.ptr, text.len, NULL, &len, NULL, BASE64) == 0 &&
	       len == size;
}

struct fields {
	struct str key, instance, epoch, time, nonce, filter, mac;
};

static bool
take_fields(struct str text, struct fields *f)
{
	struct str version;

	if (!(take_field(&text, "v=", &version) && str_is(version, "1") &&
		take_field(&text, "k=", &f->key) && take_field(&text, "i=", &f->instance) &&
		take_field(&text, "e=", &f->epoch) && take_field(&text, "t=", &f->time) &&
		take_field(&text, "n=", &f->nonce) && take_field(&text, "f=", &f->filter) &&
		str_starts(text, MAC_FIELD)))
		return false;
	f->mac = str_from(text, strlen(MAC_FIELD)); /* to the end, whatever is there */
	return true;
}

static bool
read_fields(struct trace *trace_r, const struct fields *f, unsigned char mac_r[static MAC_BYTES])
{
	*trace_r = (struct trace){.key = NULL};
	if (!is_instance(f->instance) || !read_number(f->epoch, &trace_r->epoch) ||
	    !read_number(f->time, &trace_r->time_s) ||
	    !read_base64(f->nonce, trace_r->nonce, sizeof(trace_r->nonce)) ||
	    !read_base64(f->filter, trace_r->bloom.bits, sizeof(trace_r->bloom.bits)) ||
	    !read_base64(f->mac, mac_r, MAC_BYTES))
		return false;
	memcpy(trace_r->instance, f->instance.ptr, f->instance.len);
	return true;
}

static bool
is_signed(struct trace *trace, struct str text, const unsigned char mac[static MAC_BYTES])
{
	unsigned char ours[MAC_BYTES];

	for (int saturated = 0; saturated <= 1; saturated++) {
		trace->bloom.is_saturated = saturated == 1;
		sign(trace, text, ours);
		if (sodium_memcmp(ours, mac, MAC_BYTES) == 0)
			return true;
	}
	return false;
}

enum trace_kind
trace_read(struct trace *trace_r, struct str value, const struct trace_keys *keys)
{
	char room[TRACE_VALUE_MOST];
	unsigned char mac[MAC_BYTES];
	struct fields fields;
	struct str text;

	if (!unfold(value, &text, room) || !take_fields(text, &fields) ||
	    !read_fields(trace_r, &fields, mac))
		return TRACE_MALFORMED;
	trace_r->key = trace_keys_find(keys, fields.key);
	if (trace_r->key == NULL)
		return TRACE_FOREIGN;
	text.len -= strlen(";" MAC_FIELD) + fields.mac.len;
	return is_signed(trace_r, text, mac) ? TRACE_GOOD : TRACE_FORGED;
}
