/*
 * lease.c - how long what we remember may be believed                 (machine)
 */
#include "map/lease.h"

#include "base/mem.h"

void
lease_session(struct lease *lease, uint64_t now_ms)
{
	lease->sent = lease->echoed = lease->confirmed = lease->granted = 0;
	lease->heard_ms = now_ms;
}

uint64_t
lease_beat(struct lease *lease, uint64_t now_ms)
{
	if (lease->sent - lease->granted >= LEASE_BEATS_MOST)
		return 0;
	lease->sent++;
	lease->beats[lease->sent % LEASE_BEATS_MOST].sent_ms = now_ms;
	return lease->sent;
}

static bool
lease_grant(struct lease *lease)
{
	uint64_t both = lease->echoed < lease->confirmed ? lease->echoed : lease->confirmed;
	bool renewed = false;
	uint64_t until_ms;

	while (lease->granted < both) {
		unsigned slot = ++lease->granted % LEASE_BEATS_MOST;

		if (lease->beats[slot].length_ms == 0)
			continue;
		until_ms = lease->beats[slot].sent_ms + lease->beats[slot].length_ms;
		if (until_ms > lease->until_ms)
			lease->until_ms = until_ms;
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
lease_confirm(struct lease *lease, uint32_t length_ms)
{
	must(lease->confirmed < lease->sent);
	lease->confirmed++;
	lease->beats[lease->confirmed % LEASE_BEATS_MOST].length_ms = length_ms;
	return lease_grant(lease);
}

bool
lease_runs(const struct lease *lease, uint64_t now_ms)
{
	return now_ms < lease->until_ms;
}

uint64_t
lease_left_ms(const struct lease *lease, uint64_t now_ms)
{
	return lease_runs(lease, now_ms) ? lease->until_ms - now_ms : 0;
}

uint64_t
lease_silence_ms(const struct lease *lease, uint64_t now_ms)
{
	return now_ms - lease->heard_ms;
}
