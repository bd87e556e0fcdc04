/*
 * preload.c - the whole map, read in the background                   (driver)
 *
 *	OFF		the settings want none
 *	AWAY		no session
 *	SIZING		may we, and how many keys are there?
 *	LOADING		SCAN goes round
 *	COMPLETE	what has changed is read again, what is gone is swept out
 *	TOO_LARGE	more keys than the settings allow
 *	REFUSED		the Redis user may not
 *	RESTING		sessions have ended over it; a later one tries again
 */
#include "map/preload_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/scan.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	SWEEP_US = 300, /* in one turn */
	LOSSES_MOST = 3, /* sessions that end while we read, in a row, and we rest */
	REST_MS = 600000,
};

static const char *const state_names[] = {
    [PRELOAD_OFF] = "off",
    [PRELOAD_AWAY] = "away",
    [PRELOAD_SIZING] = "sizing",
    [PRELOAD_LOADING] = "loading",
    [PRELOAD_COMPLETE] = "complete",
    [PRELOAD_TOO_LARGE] = "too large",
    [PRELOAD_REFUSED] = "refused",
    [PRELOAD_RESTING] = "resting",
};
_Static_assert(ARRAY_LEN(state_names) == PRELOAD_STATES, "a state lacks a name");

/* ---- states */

void
preload_enter(struct preload *preload, enum preload_state state)
{
	log_debug("preload_state", "from=%s to=%s", state_names[preload->state],
	    state_names[state]);
	preload->state = state;
}

void
preload_step_soon(struct preload *preload, uint64_t pause_ms)
{
	if (preload->asking == 0 && !timer_is_running(preload->timer))
		timer_start(preload->timer, pause_ms);
}

void
preload_too_large(struct preload *preload, const char *why)
{
	preload_enter(preload, PRELOAD_TOO_LARGE);
	log_info("preload", "state=too_large why=%s keys=%" PRIu64 " most=%" PRIu64, why,
	    preload->of, preload->keys_most);
	preload_step_soon(preload, 0); /* what an older session has left is swept out */
}

/* ---- what is due */

/* What is gone, or of no use any more; true while there is more. */
static bool
sweep(struct preload *preload)
{
	uint64_t begun_us = clock_us();

	while (mirror_sweep(preload->mirror)) {
		if (clock_us() - begun_us >= SWEEP_US)
			return true;
	}
	return false;
}

static void
step(void *ctx)
{
	struct preload *preload = ctx;
	bool more;

	if (preload->state == PRELOAD_LOADING)
		preload_load(preload);
	if (preload->asking != 0)
		return;
	switch (preload->state) {
	case PRELOAD_COMPLETE:
		if (mirror_is_full(preload->mirror)) {
			preload_too_large(preload, "it has grown");
		} else if (!mirror_is_open(preload->mirror)) {
			preload_size_up(preload);
		} else if (!preload_again(preload)) {
			more = sweep(preload);
			if (more || mirror_has_due(preload->mirror))
				preload_step_soon(preload, 0);
		}
		return;
	case PRELOAD_OFF:
	case PRELOAD_TOO_LARGE:
	case PRELOAD_REFUSED:
		if (sweep(preload))
			preload_step_soon(preload, 0);
		return;
	case PRELOAD_RESTING:
		preload_size_up(preload);
		return;
	case PRELOAD_AWAY:
	case PRELOAD_SIZING:
	case PRELOAD_LOADING:
	case PRELOAD_STATES:
		break;
	}
}

/* ---- from outside */

struct preload *
preload_new(struct loop *loop, struct link *link, const char *prefix, uint64_t keys_most)
{
	struct preload *preload = xnew(struct preload);

	preload->link = link;
	preload->mirror = mirror_new();
	preload->prefix = xasprintf("%s:", prefix);
	preload->prefix_len = strlen(preload->prefix);
	scan_escape(&preload->pattern, str_of(preload->prefix));
	buf_add_byte(&preload->pattern, '*');
	preload->timer = timer_new(loop, step, preload);
	preload->keys_most = keys_most;
	preload->state = keys_most > 0 ? PRELOAD_AWAY : PRELOAD_OFF;
	return preload;
}

void
preload_free(struct preload **preloadp)
{
	struct preload *preload = *preloadp;

	*preloadp = NULL;
	if (preload == NULL)
		return;
	timer_free(&preload->timer);
	mirror_free(&preload->mirror);
	for (size_t i = 0; i < FOUND_MOST; i++)
		batch_fini(&preload->found[i]);
	batch_fini(&preload->reading);
	batch_fini(&preload->storing);
	buf_fini(&preload->pattern);
	free(preload->prefix);
	free(preload);
}

struct mirror *
preload_mirror(struct preload *preload)
{
	return preload->mirror;
}

void
preload_anew(struct preload *preload)
{
	uint64_t rested_ms = clock_ms() - preload->lost_ms;

	preload->asking = 0;
	preload->is_outdated = false;
	timer_stop(preload->timer);
	if (preload->keys_most == 0) {
		preload_enter(preload, PRELOAD_OFF);
		preload_step_soon(preload, 0);
	} else if (!link_is_live(preload->link)) {
		preload_enter(preload, PRELOAD_AWAY);
	} else if (preload->losses >= LOSSES_MOST && rested_ms < REST_MS) {
		preload_enter(preload, PRELOAD_RESTING);
		log_warning("preload", "state=resting sessions_lost=%u", preload->losses);
		preload_step_soon(preload, REST_MS - rested_ms);
	} else {
		preload_size_up(preload);
	}
}

void
preload_start(struct preload *preload)
{
	mirror_change_all(preload->mirror);
	preload_anew(preload);
}

void
preload_stop(struct preload *preload)
{
	if (preload->asking != 0) {
		preload->losses++;
		preload->lost_ms = clock_ms();
	}
	preload->asking = 0;
	preload->is_outdated = false;
	timer_stop(preload->timer);
	if (preload->state != PRELOAD_OFF)
		preload_enter(preload, PRELOAD_AWAY);
	else
		preload_step_soon(preload, 0);
}

void
preload_set_most(struct preload *preload, uint64_t keys_most)
{
	if (keys_most == preload->keys_most)
		return;
	preload->keys_most = keys_most;
	mirror_change_all(preload->mirror);
	if (preload->asking != 0)
		preload->is_outdated = true;
	else
		preload_anew(preload);
}

void
preload_change(struct preload *preload, struct str key)
{
	if (!preload_own_key(preload, key, &key))
		return;
	mirror_change(preload->mirror, key);
	if (preload->state == PRELOAD_COMPLETE)
		preload_step_soon(preload, 0);
}

void
preload_change_all(struct preload *preload)
{
	mirror_change_all(preload->mirror);
	if (preload->state == PRELOAD_COMPLETE)
		preload_step_soon(preload, 0);
	else if (preload->state == PRELOAD_TOO_LARGE)
		preload_anew(preload); /* it may be small now */
}

/* ---- what an earlier process has saved */

bool
preload_restore_begin(struct preload *preload)
{
	if (preload->state != PRELOAD_AWAY || mirror_is_open(preload->mirror))
		return false;
	mirror_begin(preload->mirror, (size_t)preload->keys_most * RECORDS_FACTOR);
	preload->restored = mirror_now(preload->mirror);
	return true;
}

bool
preload_restore(struct preload *preload, struct str key, enum mirror_what what, struct str value)
{
	mirror_put(preload->mirror, key, what, value, preload->restored);
	return preload->state == PRELOAD_AWAY && mirror_is_open(preload->mirror);
}

bool
preload_restore_end(struct preload *preload)
{
	return preload->state == PRELOAD_AWAY && mirror_end(preload->mirror, preload->restored);
}

json_t *
preload_status(const struct preload *preload)
{
	struct mirror_counters count;
	uint64_t ms = preload->took_ms;

	mirror_count(preload->mirror, &count);
	if (preload->state == PRELOAD_LOADING)
		ms = clock_ms() - preload->begun_ms;
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "state",
	    state_names[preload->state], "loaded", (json_int_t)count.records, "of",
	    (json_int_t)preload->of, "most", (json_int_t)preload->keys_most, "unknown",
	    (json_int_t)count.unknown, "used_bytes", (json_int_t)count.used_bytes, "ms",
	    (json_int_t)ms);
}
