/*
 * sentinel.h - where the master is, by those who watch it             (driver)
 *
 * Sentinels are asked one after the other until one names an address. It is a
 * hint and no more: a sentinel that was cut off names yesterday's master, and
 * one that is still alive answers there. So whoever connects asks for its ROLE,
 * and says sentinel_doubt() when the address was of no use.
 *
 * On the side one of them is listened to, which announces that a master has
 * moved. Nothing depends on it: sessions end by themselves when their master
 * does not answer, and this only tells of one that still does. So its connection
 * comes and goes as it likes.
 */
#ifndef MAP_SENTINEL_H
#define MAP_SENTINEL_H

#include "base/settings.h"
#include "net/endpoint.h"
#include "net/loop.h"

struct sentinel;

/* From redis.sentinels, of which there are some. NULL and *fault_r where a password cannot be read.
 */
struct sentinel *sentinel_new(struct loop *loop, const struct settings *settings,
    struct fault *fault_r);
void sentinel_free(struct sentinel **sentinel); /* nothing is called any more */

/* NULL: no sentinel named an address, and why has what each of them said. Lent for the call. */
typedef void sentinel_answer_fn(void *ctx, const struct endpoint *address, const struct fault *why);

/* One question at a time. fn is called once, never from inside; each sentinel has 200 ms. */
void sentinel_ask(struct sentinel *sentinel, sentinel_answer_fn *fn, void *ctx);
void sentinel_cancel(struct sentinel *sentinel); /* the answer will not come, if one was to */

/* The last address was of no use, or no longer is: ask another one first the next time. */
void sentinel_doubt(struct sentinel *sentinel);

/*
 * Our master has moved there, says a sentinel, which is then asked first. May come at
 * any time and any number of times, also for where it has been all along.
 */
typedef void sentinel_hint_fn(void *ctx, const struct endpoint *address);
void sentinel_listen(struct sentinel *sentinel, sentinel_hint_fn *fn, void *ctx);

#endif
