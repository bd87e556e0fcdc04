/*
 * loop.h - one thread's events: timers, signals, descriptors          (driver)
 *
 * The only place, with conn.c, listener.c, metrics.c and resolve.c, that knows
 * libevent. Nothing that runs in a loop may block. Nothing is freed inside its own
 * callback: it is buried, and freed after the turn.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct timer;
struct watch;

struct loop *loop_new(void);
void loop_free(struct loop **loop); /* timers and watches must be gone before */

/* Runs turns until loop_stop(), which lets the current turn end; at once if that came before. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/*
 * For commands, which have nothing else to do: run until done(ctx) is true
 * (returns true) or timeout_ms have passed (false). done is asked after every
 * turn. Not to be called from inside a callback.
 */
bool loop_run_until(struct loop *loop, bool (*done)(void *ctx), void *ctx, uint64_t timeout_ms);

/*
 * Is anything left that nobody owns: connections that were finished with
 * conn_finish() and still have to send? loop_free() cuts them off.
 */
bool loop_has_orphans(const struct loop *loop);

/* Calls free_fn(object) after the current turn; at loop_free() at the latest. */
void loop_bury(struct loop *loop, void *object, void (*free_fn)(void *object));

/* One-shot timers, never early; started anew they move. ms = 0 fires in the next turn. */
typedef void timer_fn(void *ctx);
struct timer *timer_new(struct loop *loop, timer_fn *fn, void *ctx);
void timer_start(struct timer *timer, uint64_t ms);
void timer_stop(struct timer *timer);
bool timer_is_running(const struct timer *timer);
void timer_free(struct timer **timer);

/* A handler for a signal, called from the loop, not from the signal. */
typedef void signal_fn(int signo, void *ctx);
void loop_on_signal(struct loop *loop, int signo, signal_fn *fn, void *ctx);

/* A descriptor that is not a connection; the descriptor stays the caller's. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
typedef void watch_fn(int ready, void *ctx);
struct watch *watch_new(struct loop *loop, int fd, watch_fn *fn, void *ctx);
void watch_set(struct watch *watch, int interest); /* WATCH_ bits, 0 = nothing */
void watch_free(struct watch **watch); /* allowed in its own callback */

#endif
