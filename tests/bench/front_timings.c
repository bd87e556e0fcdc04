/* front_timings.c - times that were measured, and their percentiles */
#include "front_load.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { ROOM_FIRST = 4096 };

void
timings_add(struct timings *timings, uint64_t took_ns)
{
	if (timings->count == timings->room) {
		timings->room = timings->room == 0 ? ROOM_FIRST : 2 * timings->room;
		timings->took_ns =
		    reallocarray(timings->took_ns, timings->room, sizeof(*timings->took_ns));
		if (timings->took_ns == NULL)
			err(EX_OSERR, "%zu timings", timings->room);
	}
	timings->took_ns[timings->count++] = took_ns;
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double
percentile_us(const struct timings *timings, double part)
{
	size_t at = (size_t)((double)timings->count * part);

	if (timings->count == 0)
		return 0;
	return (double)timings->took_ns[at < timings->count ? at : timings->count - 1] / 1000.0;
}

void
timings_print(struct timings *timings)
{
	if (timings->count > 0)
		qsort(timings->took_ns, timings->count, sizeof(*timings->took_ns), by_value);
	printf("\"count\": %zu, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, "
	       "\"p999_us\": %.1f, \"most_us\": %.1f",
	    timings->count, percentile_us(timings, 0.50), percentile_us(timings, 0.90),
	    percentile_us(timings, 0.99), percentile_us(timings, 0.999), percentile_us(timings, 1));
	timings->count = 0;
}

void
timings_free(struct timings *timings)
{
	free(timings->took_ns);
	*timings = (struct timings){0};
}
