/*
 * fuzz_entry.c - any bytes as what stands in the audit stream
 */
#include "admin/entry.h"

#include "base/mem.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(const struct entry *entry, struct str text)
{
	struct entry_walk walk;
	struct entry_change change;

	entry_walk_begin(&walk, entry);
	while (entry_walk_next(&walk, entry, &change)) {
		must(change.name.len > 0 && change.after.len > 0);
		must(change.name.ptr >= text.ptr && change.after.ptr < text.ptr + text.len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	char room[ENTRY_TIME_BYTES];

	walk(&(struct entry){.changes = text}, text);
	walk(&(struct entry){.found = text}, text);
	must(entry_time(text, room) == room);
	return 0;
}
