/*
 * clock.c - how much time has passed                                  (driver)
 */
#include "base/clock.h"

#include "base/mem.h"

#include <time.h>

uint64_t
clock_us(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t
clock_ms(void)
{
	return clock_us() / 1000;
}
