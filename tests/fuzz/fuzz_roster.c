/*
 * fuzz_roster.c - any bytes as what a node says of itself
 */
#include "map/roster.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	struct roster_entry entry;
	struct roster_beat beat;
	struct fault fault;
	char *written;

	if (roster_entry_read(text, &entry, &fault) == 0)
		must(entry.grace_ms <= GRACE_MOST_MS && entry.drain_ms <= DRAIN_MOST_MS);
	if (roster_beat_read(text, &beat, &fault) == 0) {
		written = roster_beat_text(&beat);
		must(roster_beat_read(str_of(written), &beat, &fault) == 0);
		free(written);
	}
	return 0;
}
