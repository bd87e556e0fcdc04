/*
 * batch.c - names of keys, copied until their values have come          (pure)
 */
#include "map/batch.h"

#include "base/mem.h"

#include <stdlib.h>

void
batch_fini(struct batch *batch)
{
	buf_fini(&batch->bytes);
	free(batch->keys);
	*batch = (struct batch){0};
}

void
batch_clear(struct batch *batch)
{
	buf_clear(&batch->bytes);
	batch->count = 0;
}

void
batch_swap(struct batch *a, struct batch *b)
{
	struct batch was = *a;

	*a = *b;
	*b = was;
}

/* The bytes stand elsewhere now. */
static void
batch_move(struct batch *batch, const char *text)
{
	for (size_t i = 0; i < batch->count; i++) {
		batch->keys[i].ptr = text;
		text += batch->keys[i].len;
	}
}

void
batch_add(struct batch *batch, struct str key)
{
	size_t at = buf_len(&batch->bytes);
	const char *text;

	buf_add_str(&batch->bytes, key);
	text = buf_str(&batch->bytes).ptr;
	if (batch->count > 0 && batch->keys[0].ptr != text)
		batch_move(batch, text);
	if (batch->count == batch->size) {
		batch->size = batch->size ? batch->size * 2 : 64;
		batch->keys = xrealloc(batch->keys, batch->size * sizeof(batch->keys[0]));
	}
	batch->keys[batch->count++] = str_make(text + at, key.len);
}

void
batch_fill(struct batch *batch, const struct resp *keys)
{
	batch_clear(batch);
	for (size_t i = 0; i < resp_count(keys); i++)
		batch_add(batch, resp_str(resp_at(keys, i)));
}
