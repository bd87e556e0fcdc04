/*
 * buf.c - bytes that are being built or waited for                      (pure)
 */
#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_LEAST_BYTES = 256 };

void
buf_init(struct buf *buf, size_t max_bytes)
{
	*buf = (struct buf){.max_bytes = max_bytes};
}

void
buf_fini(struct buf *buf)
{
	if (buf->secret && buf->mem != NULL)
		explicit_bzero(buf->mem, buf->size);
	free(buf->mem);
	*buf = (struct buf){.max_bytes = buf->max_bytes, .secret = buf->secret};
}

void
buf_wipe(struct buf *buf)
{
	if (buf->mem != NULL)
		explicit_bzero(buf->mem, buf->size);
	buf_fini(buf);
}

void
buf_wipe_rest(struct buf *buf)
{
	if (buf->mem == NULL)
		return;
	explicit_bzero(buf->mem, buf->start);
	explicit_bzero(buf->mem + buf->end, buf->size - buf->end);
}

/* realloc() may leave a copy of the content where it was. */
static void
grow(struct buf *buf, size_t size)
{
	char *mem;

	if (buf->secret && buf->mem != NULL) {
		mem = xrealloc(NULL, size);
		memcpy(mem, buf->mem, buf->end);
		explicit_bzero(buf->mem, buf->size);
		free(buf->mem);
		buf->mem = mem;
	} else {
		buf->mem = xrealloc(buf->mem, size);
	}
	buf->size = size;
}

/* What buf_room() does where there is not simply room. */
char *
buf_make_room(struct buf *buf, size_t len)
{
	size_t used = buf_len(buf), size;

	if (buf->failed)
		return NULL;
	if (buf->max_bytes != 0 && len > buf->max_bytes - used) {
		buf->failed = true;
		return NULL;
	}
	if (buf->mem != NULL && buf->size - buf->end >= len)
		return buf->mem + buf->end;
	if (buf->start > 0) { /* consumed bytes first: they are free room */
		memmove(buf->mem, buf->mem + buf->start, used);
		buf->start = 0;
		buf->end = used;
		if (buf->secret)
			buf_wipe_rest(buf);
		if (buf->size - used >= len)
			return buf->mem + used;
	}
	must(len < SIZE_MAX / 4 && used < SIZE_MAX / 4);
	for (size = buf->size ? buf->size : BUF_LEAST_BYTES; size < used + len;)
		size *= 2;
	grow(buf, size);
	return buf->mem + buf->end;
}

void
buf_added(struct buf *buf, size_t len)
{
	must(len <= buf->size - buf->end);
	buf->end += len;
}

void
buf_add(struct buf *buf, const void *bytes, size_t len)
{
	char *room;

	if (len == 0 || (room = buf_room(buf, len)) == NULL)
		return;
	memcpy(room, bytes, len);
	buf->end += len;
}

void
buf_add_str(struct buf *buf, struct str s)
{
	buf_add(buf, s.ptr, s.len);
}

void
buf_add_text(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void
buf_add_byte(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void
buf_add_u64(struct buf *buf, uint64_t n)
{
	char digits[20], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	buf_add(buf, p, (size_t)(digits + sizeof(digits) - p));
}

void
buf_vaddf(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	int len;
	char *room;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	must(len >= 0);
	room = buf_room(buf, (size_t)len + 1);
	if (room != NULL) {
		vsnprintf(room, (size_t)len + 1, format, again);
		buf->end += (size_t)len;
	}
	va_end(again);
}

void
buf_addf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vaddf(buf, format, args);
	va_end(args);
}

const char *
buf_cstr(struct buf *buf)
{
	size_t limit = buf->max_bytes;
	bool failed = buf->failed;

	/* The terminator is not content: neither the limit nor a failure forbids it. */
	buf->max_bytes = 0;
	buf->failed = false;
	*buf_room(buf, 1) = '\0';
	buf->max_bytes = limit;
	buf->failed = failed;
	return buf->mem + buf->start;
}

void
buf_consume(struct buf *buf, size_t len)
{
	must(len <= buf_len(buf));
	buf->start += len;
	if (buf->start == buf->end)
		buf->start = buf->end = 0;
}

void
buf_truncate(struct buf *buf, size_t len)
{
	must(len <= buf_len(buf));
	buf->end = buf->start + len;
}

void
buf_clear(struct buf *buf)
{
	buf->start = buf->end = 0;
	buf->failed = false;
}

void
buf_release(struct buf *buf)
{
	if (buf_len(buf) == 0 && !buf->failed)
		buf_fini(buf);
}
