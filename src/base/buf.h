/*
 * buf.h - bytes that are being built or waited for                      (pure)
 *
 * Append at the end, consume from the front. The first thing that does not fit
 * under the limit makes the buffer failed, and it stays so until it is cleared:
 * write ten pieces, test once. An empty buffer can give its memory back, so an
 * idle connection costs nothing.
 *
 * A secret buffer leaves nothing behind: memory that it gives back, or grows out
 * of, is overwritten first. What was consumed stays where it was until then, or
 * until buf_wipe_rest(), because whoever consumed it may still be reading it.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>

struct buf {
	char *mem;
	size_t start, end, size; /* content is mem[start..end) of size bytes */
	size_t max_bytes; /* content may not grow beyond this; 0 = no limit */
	bool failed;
	bool secret;
};

/* clang-format off */
#define BUF_INIT {0}
/* clang-format on */

void buf_init(struct buf *buf, size_t max_bytes);
void buf_fini(struct buf *buf); /* harmless on a zeroed buf, and twice; limit and secrecy stay */

/* As before, but first overwrites everything the memory ever held. */
void buf_wipe(struct buf *buf);

/* Overwrites all of the memory that is not content: what was consumed or cut off. */
void buf_wipe_rest(struct buf *buf);

static inline size_t
buf_len(const struct buf *buf)
{
	return buf->end - buf->start;
}

/* The content; lent until the buffer changes. */
static inline struct str
buf_str(const struct buf *buf)
{
	return str_make(buf->mem ? buf->mem + buf->start : "", buf->end - buf->start);
}

/* The content with a NUL behind it; lent until the buffer changes. */
const char *buf_cstr(struct buf *buf);

void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_str(struct buf *buf, struct str s);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_byte(struct buf *buf, char c);
void buf_add_u64(struct buf *buf, uint64_t n);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vaddf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/*
 * Room for at least len bytes at the end, to be filled from outside and then
 * declared with buf_added(). NULL, and the buffer failed, beyond the limit.
 */
char *buf_make_room(struct buf *buf, size_t len);

static inline char *
buf_room(struct buf *buf, size_t len)
{
	if (buf->mem != NULL && buf->size - buf->end >= len && !buf->failed &&
	    (buf->max_bytes == 0 || len <= buf->max_bytes - buf_len(buf)))
		return buf->mem + buf->end;
	return buf_make_room(buf, len);
}

void buf_added(struct buf *buf, size_t len);

void buf_consume(struct buf *buf, size_t len); /* forget the first len bytes */
void buf_truncate(struct buf *buf, size_t len); /* keep only the first len bytes */
void buf_clear(struct buf *buf); /* empty and no longer failed; memory stays */
void buf_release(struct buf *buf); /* gives the memory back if it is empty */

#endif
