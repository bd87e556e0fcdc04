/*
 * pack.c - numbers and texts as bytes, for files of our own            (pure)
 */
#include "base/pack.h"

#include "base/mem.h"

void
pack_number(struct buf *out, uint64_t number, unsigned width)
{
	char bytes[8];

	must(width <= sizeof(bytes) && (width == 8 || number >> (8 * width) == 0));
	for (unsigned i = 0; i < width; i++)
		bytes[i] = (char)(number >> (8 * i));
	buf_add(out, bytes, width);
}

void
pack_text(struct buf *out, struct str text, unsigned width)
{
	pack_number(out, text.len, width);
	buf_add_str(out, text);
}

struct str
unpack_bytes(struct unpack *in, size_t len)
{
	struct str bytes;

	if (in->failed || len > in->rest.len) {
		in->failed = true;
		return str_make("", 0);
	}
	bytes = str_make(in->rest.ptr, len);
	in->rest = str_from(in->rest, len);
	return bytes;
}

uint64_t
unpack_number(struct unpack *in, unsigned width)
{
	struct str bytes = unpack_bytes(in, width);
	uint64_t number = 0;

	for (size_t i = bytes.len; i > 0; i--)
		number = number << 8 | (unsigned char)bytes.ptr[i - 1];
	return number;
}

struct str
unpack_text(struct unpack *in, unsigned width, size_t max_bytes)
{
	uint64_t len = unpack_number(in, width);

	if (len > max_bytes)
		in->failed = true;
	return unpack_bytes(in, in->failed ? 0 : (size_t)len);
}
