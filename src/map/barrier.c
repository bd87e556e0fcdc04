/*
 * barrier.c - what writers and nodes say to each other about a change   (pure)
 */
#include "map/barrier.h"

#include "base/mem.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

void
barrier_nonce_new(char nonce_r[static HEAD_NONCE_BYTES])
{
	unsigned char raw[8];

	randombytes_buf(raw, sizeof(raw));
	memset(nonce_r, 0, HEAD_NONCE_BYTES);
	sodium_bin2hex(nonce_r, HEAD_NONCE_BYTES, raw, sizeof(raw));
}

static const char everything[] = "*";

/* ---- names */

static bool
is_plain(unsigned char c)
{
	return c > ' ' && c != 0x7f && c != '%';
}

static void
name_write(struct buf *out, struct str name)
{
	static const char digits[] = "0123456789ABCDEF";

	if (str_is(name, everything)) {
		buf_add_text(out, "%2A");
		return;
	}
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (is_plain(c)) {
			buf_add_byte(out, (char)c);
			continue;
		}
		buf_add_byte(out, '%');
		buf_add_byte(out, digits[c >> 4]);
		buf_add_byte(out, digits[c & 15]);
	}
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool
name_read(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '%') {
			if (!is_plain((unsigned char)text.ptr[i]))
				return false;
			buf_add_byte(out, text.ptr[i]);
			continue;
		}
		if (text.len - i < 3 || digit(text.ptr[i + 1]) == -1 ||
		    digit(text.ptr[i + 2]) == -1)
			return false;
		buf_add_byte(out, (char)(digit(text.ptr[i + 1]) << 4 | digit(text.ptr[i + 2])));
		i += 2;
	}
	return text.len > 0;
}

/* ---- words, one space between two */

static struct str
word_next(struct str *rest)
{
	struct str word = str_make(rest->ptr, str_find(*rest, ' '));

	*rest = str_from(*rest, word.len < rest->len ? word.len + 1 : word.len);
	return word;
}

static bool
begin_read(struct str *rest, uint64_t *epoch_r, char nonce_r[static HEAD_NONCE_BYTES])
{
	return str_number(word_next(rest), INT64_MAX, epoch_r) &&
	       head_word_read(word_next(rest), nonce_r, HEAD_NONCE_BYTES) && rest->len > 0;
}

/* ---- the barrier */

void
barrier_write(struct buf *out, uint64_t epoch, const char *nonce, const struct str *names,
    size_t count)
{
	size_t start;

	buf_add_u64(out, epoch);
	buf_add_byte(out, ' ');
	buf_add_text(out, nonce);
	start = buf_len(out);
	for (size_t i = 0; i < count && count <= BARRIER_NAMES_MOST; i++) {
		buf_add_byte(out, ' ');
		name_write(out, names[i]);
		if (buf_len(out) - start > BARRIER_TEXT_MAX_BYTES) {
			buf_truncate(out, start);
			break;
		}
	}
	if (buf_len(out) == start)
		buf_addf(out, " %s", everything);
}

bool
barrier_read(struct str text, struct barrier *barrier_r)
{
	size_t lens[BARRIER_NAMES_MOST], start, at = 0;
	bool ends_in_space = text.len > 0 && text.ptr[text.len - 1] == ' ';

	*barrier_r = (struct barrier){0};
	if (ends_in_space || !begin_read(&text, &barrier_r->epoch, barrier_r->nonce))
		return false;
	if (str_is(text, everything)) {
		barrier_r->everything = true;
		return true;
	}
	while (text.len > 0) {
		start = buf_len(&barrier_r->store);
		if (barrier_r->count == BARRIER_NAMES_MOST ||
		    !name_read(word_next(&text), &barrier_r->store)) {
			barrier_fini(barrier_r);
			return false;
		}
		lens[barrier_r->count++] = buf_len(&barrier_r->store) - start;
	}
	barrier_r->names = xnew_array(struct str, barrier_r->count);
	for (size_t i = 0; i < barrier_r->count; at += lens[i++])
		barrier_r->names[i] = str_make(buf_str(&barrier_r->store).ptr + at, lens[i]);
	return true;
}

void
barrier_fini(struct barrier *barrier)
{
	free(barrier->names);
	buf_fini(&barrier->store);
	*barrier = (struct barrier){0};
}

void
barrier_widen(struct barrier *barrier)
{
	free(barrier->names);
	buf_fini(&barrier->store);
	barrier->names = NULL;
	barrier->count = 0;
	barrier->everything = true;
}

size_t
barrier_bytes(const struct barrier *barrier)
{
	return buf_len(&barrier->store) + barrier->count * sizeof(barrier->names[0]);
}

/* ---- the acknowledgement */

bool
node_id_is_valid(struct str id)
{
	if (id.len == 0 || id.len > NODE_ID_MAX_BYTES)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		char c = id.ptr[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '\'' || c == '\\')
			return false;
	}
	return true;
}

void
barrier_ack_write(struct buf *out, uint64_t epoch, const char *nonce, const char *node,
    const char *run)
{
	buf_add_u64(out, epoch);
	buf_add_byte(out, ' ');
	buf_add_text(out, nonce);
	buf_add_byte(out, ' ');
	buf_add_text(out, node);
	buf_add_byte(out, ' ');
	buf_add_text(out, run);
}

bool
barrier_ack_read(struct str text, struct barrier_ack *ack_r)
{
	*ack_r = (struct barrier_ack){0};
	if (!begin_read(&text, &ack_r->epoch, ack_r->nonce))
		return false;
	ack_r->node = word_next(&text);
	return node_id_is_valid(ack_r->node) &&
	       head_word_read(text, ack_r->run, sizeof(ack_r->run));
}
