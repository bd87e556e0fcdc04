/*
 * arena.c - the memory where one login keeps its secrets              (driver)
 *
 * Slots are cut out of slabs that are mapped as they are needed and stay until
 * the end; the free ones are a list. What describes a slot is in ordinary memory,
 * so that a slot holds secrets and nothing else.
 */
#include "front/arena.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>

enum { SLAB_SLOTS = 64, SLAB_BYTES = SLAB_SLOTS * ARENA_BYTES };

struct arena {
	SLIST_ENTRY(arena) free_entry;
	struct arenas *arenas;
	char *slot;
	size_t used; /* bytes behind that have never been written since the last wipe */
};

struct slab {
	SLIST_ENTRY(slab) entry;
	char *memory;
	struct arena slots[SLAB_SLOTS];
};

SLIST_HEAD(slab_list, slab);
SLIST_HEAD(arena_list, arena);

struct arenas {
	struct slab_list slabs;
	struct arena_list free;
	size_t most, lent;
	bool warned; /* of memory that could not be had, or not be protected */
};

/* Nothing here can be changed by trying again, so it is said once. */
static void
warn(struct arenas *arenas, const char *what)
{
	int error = errno;

	if (arenas->warned)
		return;
	arenas->warned = true;
	log_warning("secret_memory", "call=%s bytes=%d error=%s", what, (int)SLAB_BYTES,
	    log_quote_text(strerror(error)));
}

struct arenas *
arenas_new(size_t most)
{
	struct arenas *arenas = xnew(struct arenas);

	SLIST_INIT(&arenas->slabs);
	SLIST_INIT(&arenas->free);
	arenas->most = most;
	return arenas;
}

void
arenas_set_most(struct arenas *arenas, size_t most)
{
	arenas->most = most;
}

void
arenas_free(struct arenas **arenas)
{
	struct slab *slab;

	if (*arenas == NULL)
		return;
	must((*arenas)->lent == 0);
	while ((slab = SLIST_FIRST(&(*arenas)->slabs)) != NULL) {
		SLIST_REMOVE_HEAD(&(*arenas)->slabs, entry);
		must(munmap(slab->memory, SLAB_BYTES) == 0);
		free(slab);
	}
	free(*arenas);
	*arenas = NULL;
}

/* A login with a password in memory that may be swapped is better than none. */
static void
add_slab(struct arenas *arenas)
{
	char *memory =
	    mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct slab *slab;

	if (memory == MAP_FAILED) {
		warn(arenas, "mmap");
		return;
	}
	if (madvise(memory, SLAB_BYTES, MADV_DONTDUMP) == -1)
		warn(arenas, "madvise");
	if (mlock(memory, SLAB_BYTES) == -1) /* RLIMIT_MEMLOCK */
		warn(arenas, "mlock");
	slab = xnew(struct slab);
	slab->memory = memory;
	SLIST_INSERT_HEAD(&arenas->slabs, slab, entry);
	for (size_t i = 0; i < SLAB_SLOTS; i++) {
		slab->slots[i].arenas = arenas;
		slab->slots[i].slot = memory + i * ARENA_BYTES;
		SLIST_INSERT_HEAD(&arenas->free, &slab->slots[i], free_entry);
	}
}

struct arena *
arena_borrow(struct arenas *arenas)
{
	struct arena *arena;

	if (arenas->lent >= arenas->most)
		return NULL;
	if (SLIST_EMPTY(&arenas->free))
		add_slab(arenas);
	if ((arena = SLIST_FIRST(&arenas->free)) == NULL)
		return NULL;
	SLIST_REMOVE_HEAD(&arenas->free, free_entry);
	arenas->lent++;
	return arena;
}

void
arena_return(struct arena **arena)
{
	struct arenas *arenas;

	if (*arena == NULL)
		return;
	arenas = (*arena)->arenas;
	arena_wipe(*arena);
	SLIST_INSERT_HEAD(&arenas->free, *arena, free_entry);
	arenas->lent--;
	*arena = NULL;
}

char *
arena_room(struct arena *arena, size_t len)
{
	char *room = arena->slot + arena->used;

	if (len > ARENA_BYTES - arena->used)
		return NULL;
	arena->used += len;
	return room;
}

bool
arena_copy(struct arena *arena, struct str bytes, struct str *copy_r)
{
	char *room = arena_room(arena, bytes.len);

	if (room == NULL)
		return false;
	if (bytes.len > 0)
		memcpy(room, bytes.ptr, bytes.len);
	*copy_r = str_make(room, bytes.len);
	return true;
}

void
arena_wipe(struct arena *arena)
{
	if (arena == NULL)
		return;
	sodium_memzero(arena->slot, arena->used);
	arena->used = 0;
}
