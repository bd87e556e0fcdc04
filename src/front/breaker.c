/*
 * breaker.c - do not run against a closed door                       (machine)
 */
#include "front/breaker.h"

bool
breaker_allows(struct breaker *breaker, uint64_t now_ms, bool *is_trial_r)
{
	*is_trial_r = false;
	if (breaker->pause_ms == 0)
		return true;
	if (now_ms < breaker->until_ms || breaker->is_tried)
		return false;
	*is_trial_r = breaker->is_tried = true;
	return true;
}

void
breaker_left(struct breaker *breaker)
{
	breaker->is_tried = false;
}

void
breaker_worked(struct breaker *breaker)
{
	*breaker = (struct breaker){0};
}

void
breaker_failed(struct breaker *breaker, bool is_trial, uint64_t now_ms, uint32_t spread)
{
	if (is_trial)
		breaker->is_tried = false;
	if (++breaker->failures < BREAKER_FAILURES || (breaker->pause_ms != 0 && !is_trial))
		return;
	if (breaker->pause_ms == 0)
		breaker->pause_ms = BREAKER_LEAST_MS;
	else if ((breaker->pause_ms *= 2) > BREAKER_MOST_MS)
		breaker->pause_ms = BREAKER_MOST_MS;
	breaker->until_ms = now_ms + breaker->pause_ms + spread % (breaker->pause_ms / 4 + 1);
}
