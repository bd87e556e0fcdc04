/*
 * lease.c - how long what we remember may be believed                 (machine)
 */
#include "map/lease.h"

#include "base/mem.h"

void
lease_session(struct lease *lease, uint64_t now_ms, uint64_t mark)
{
	lease->sent = lease->echoed = lease->confirmed = lease->granted = 0;
	lease->heard_ms = now_ms;
	lease->mark = mark;
}

uint64_t
lease_beat(struct lease *lease, uint64_t now_ms, uint32_t grace_ms)
{
	unsigned slot;

	if (lease->sent - lease->granted >= LEASE_BEATS_MOST)
		return 0;
	lease->sent++;
	slot = lease->sent % LEASE_BEATS_MOST;
	lease->beats[slot].sent_ms = now_ms;
	lease->beats[slot].most_ms = UINT64_MAX;
	lease->beats[slot].mark = lease->mark;
	lease->beats[slot].grace_ms = lease->grace_ms = grace_ms;
	return lease->sent;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool
lease_grant(struct lease *lease)
{
	uint64_t both = least(lease->echoed, lease->confirmed);
	bool renewed = false;
	uint64_t until_ms;

	while (lease->granted < both) {
		unsigned slot = ++lease->granted % LEASE_BEATS_MOST;

		if (lease->beats[slot].length_ms == 0)
			continue;
		until_ms = least(lease->beats[slot].sent_ms + lease->beats[slot].length_ms,
		    lease->beats[slot].most_ms);
		if (until_ms > lease->until_ms)
			lease->until_ms = until_ms;
		if (until_ms + lease->beats[slot].grace_ms > lease->grace_until_ms)
			lease->grace_until_ms = until_ms + lease->beats[slot].grace_ms;
		lease->heard_ms = lease->beats[slot].sent_ms;
		renewed = true;
	}
	return renewed;
}

bool
lease_echo(struct lease *lease, uint64_t number, bool *right_r)
{
	*right_r = number == lease->echoed + 1 && number <= lease->sent;
	if (!*right_r)
		return false;
	lease->echoed++;
	return lease_grant(lease);
}

bool
lease_confirm(struct lease *lease, uint32_t length_ms, uint64_t mark)
{
	unsigned slot;

	must(lease->confirmed < lease->sent);
	slot = ++lease->confirmed % LEASE_BEATS_MOST;
	lease->beats[slot].length_ms = lease->beats[slot].mark == mark ? length_ms : 0;
	if (lease->beats[slot].mark == lease->mark)
		lease->mark =
		    mark; /* read after what we knew, so also if somebody lowered it by hand */
	else
		lease_teach(lease, mark);
	return lease_grant(lease);
}

void
lease_teach(struct lease *lease, uint64_t mark)
{
	if (mark > lease->mark)
		lease->mark = mark;
}

void
lease_cut(struct lease *lease, uint64_t until_ms)
{
	lease->until_ms = least(lease->until_ms, until_ms);
	lease->grace_until_ms = least(lease->grace_until_ms, until_ms + lease->grace_ms);
	for (uint64_t i = lease->granted + 1; i <= lease->sent; i++) {
		unsigned slot = i % LEASE_BEATS_MOST;

		lease->beats[slot].most_ms = least(lease->beats[slot].most_ms, until_ms);
	}
}

void
lease_end(struct lease *lease)
{
	lease->until_ms = lease->grace_until_ms = 0;
}

void
lease_restore(struct lease *lease, uint64_t grace_until_ms)
{
	lease->grace_until_ms = grace_until_ms;
}

bool
lease_runs(const struct lease *lease, uint64_t now_ms)
{
	return now_ms < lease->until_ms;
}

bool
lease_grace_runs(const struct lease *lease, uint64_t now_ms)
{
	return now_ms < lease->grace_until_ms;
}

uint64_t
lease_left_ms(const struct lease *lease, uint64_t now_ms)
{
	return lease_runs(lease, now_ms) ? lease->until_ms - now_ms : 0;
}

uint64_t
lease_grace_left_ms(const struct lease *lease, uint64_t now_ms)
{
	return lease_grace_runs(lease, now_ms) ? lease->grace_until_ms - now_ms : 0;
}

uint64_t
lease_silence_ms(const struct lease *lease, uint64_t now_ms)
{
	return now_ms - lease->heard_ms;
}

uint64_t
lease_wait_ms(uint32_t length_ms)
{
	return (uint64_t)length_ms * 101 / 100 + 100;
}
