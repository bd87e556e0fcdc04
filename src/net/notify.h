/*
 * notify.h - tell systemd how we are                                  (driver)
 *
 * The protocol of sd_notify(3) is one datagram of lines to the socket named in
 * NOTIFY_SOCKET, so no library is needed. Without systemd every call is a
 * no-op.
 */
#ifndef NET_NOTIFY_H
#define NET_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STATUS=...\nMAINPID=17"; never blocks, a lost word is no fault. */
void notify_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How often the watchdog wants to hear WATCHDOG=1 at the latest; 0 = never. */
uint64_t notify_watchdog_ms(void);

#endif
