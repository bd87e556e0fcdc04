/*
 * fuzz_arrivals.c - any bytes as the fields of a hash: "field TAB value LF" and so on
 */
#include "base/mem.h"
#include "map/arrivals.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is written is read as the same. */
static void
again(const struct arrivals *arrivals)
{
	struct str fields[2 * ARRIVALS_FIELDS_MOST];
	struct arrivals_texts texts;
	struct arrivals read = {0};
	size_t count = arrivals_write(arrivals, &texts, fields);

	for (size_t i = 0; i < count; i += 2)
		arrivals_take(&read, fields[i], fields[i + 1]);
	must(strcmp(read.owner, arrivals->owner) == 0 && read.messages == arrivals->messages);
	must(read.strays == arrivals->strays);
	must(strcmp(read.unknown, arrivals->unknown) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_make((const char *)data, size);
	const struct arrivals_message message = {
	    .owner = STR("new"), .from = STR("mx1"), .at_s = 1763730000, .is_stray = true};
	struct arrivals arrivals = {0};
	struct arrivals_all all = {0};
	struct arrivals_told told;
	struct arrivals_place place;

	arrivals_place_read(rest, &place);
	while (rest.len > 0) {
		size_t end = str_find(rest, '\n');
		struct str line = str_make(rest.ptr, end);
		size_t tab = str_find(line, '\t');

		if (tab < line.len) {
			arrivals_take(&arrivals, str_make(line.ptr, tab), str_from(line, tab + 1));
			arrivals_all_take(&all, str_make(line.ptr, tab), str_from(line, tab + 1));
		}
		rest = str_from(rest, end < rest.len ? end + 1 : end);
	}
	arrivals_tell(&told, &arrivals, &all, STR("new"), 1763730000);
	must((told.state == ARRIVALS_UNKNOWN) == (told.reason != NULL));
	if (arrivals.messages < INT64_MAX && arrivals.strays < INT64_MAX) {
		must(arrivals_add(&arrivals, &message, STR("new")));
		again(&arrivals);
	}
	return 0;
}
