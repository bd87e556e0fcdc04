/*
 * dues.c - what is not to be done again before its time               (machine)
 */
#include "front/dues.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/queue.h>

struct due {
	UT_hash_handle hh;
	TAILQ_ENTRY(due) entry; /* in the order of noting */
	uint64_t key[2];
	uint64_t until_ms;
};

struct dues {
	struct due *table;
	TAILQ_HEAD(, due) by_age;
	size_t count, most;
};

struct dues *
dues_new(size_t most)
{
	struct dues *dues = xnew(struct dues);

	TAILQ_INIT(&dues->by_age);
	dues->most = most;
	return dues;
}

static void
forget(struct dues *dues, struct due *due)
{
	HASH_DEL(dues->table, due);
	TAILQ_REMOVE(&dues->by_age, due, entry);
	dues->count--;
	free(due);
}

void
dues_free(struct dues **dues_ref)
{
	struct dues *dues = *dues_ref;

	if (dues == NULL)
		return;
	*dues_ref = NULL;
	while (!TAILQ_EMPTY(&dues->by_age))
		forget(dues, TAILQ_FIRST(&dues->by_age));
	free(dues);
}

static struct due *
find(const struct dues *dues, struct str one, struct str other)
{
	uint64_t key[2] = {hash_bytes(one.ptr, one.len), hash_bytes(other.ptr, other.len)};
	struct due *due;

	HASH_FIND(hh, dues->table, key, sizeof(key), due);
	return due;
}

bool
dues_are(const struct dues *dues, struct str one, struct str other, uint64_t now_ms)
{
	const struct due *due = find(dues, one, other);

	return due == NULL || now_ms >= due->until_ms;
}

void
dues_note(struct dues *dues, struct str one, struct str other, uint64_t until_ms)
{
	struct due *due = find(dues, one, other);

	if (due != NULL)
		forget(dues, due);
	if (dues->count == dues->most)
		forget(dues, TAILQ_FIRST(&dues->by_age));
	due = xnew(struct due);
	due->key[0] = hash_bytes(one.ptr, one.len);
	due->key[1] = hash_bytes(other.ptr, other.len);
	due->until_ms = until_ms;
	HASH_ADD(hh, dues->table, key, sizeof(due->key), due);
	TAILQ_INSERT_TAIL(&dues->by_age, due, entry);
	dues->count++;
}
