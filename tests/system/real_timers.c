/*
 * real_timers.c - gives timerfd_settime(2) back to the kernel
 *
 * libfaketime takes every absolute time for one of the wall clock, also that of
 * a timer on CLOCK_BOOTTIME, which it does not fake. Loaded before it
 * (test_clock.py).
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

int
timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
	return (int)syscall(SYS_timerfd_settime, fd, flags, value, old);
}
