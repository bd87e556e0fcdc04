/*
 * clock.h - how much time has passed                                  (driver)
 *
 * CLOCK_BOOTTIME, because CLOCK_MONOTONIC stops while the machine is suspended
 * and a lease must not. No wall clock takes part in any decision.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ms(void); /* milliseconds since boot */
uint64_t clock_us(void); /* microseconds since boot */

#endif
