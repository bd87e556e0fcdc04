/*
 * loop.c - is this message going in a circle?                           (pure)
 */
#include "milter/loop.h"

static bool
is_first_of_its_nonce(const struct trace *traces, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (memcmp(traces[i].nonce, traces[at].nonce, TRACE_NONCE_BYTES) == 0)
			return false;
	}
	return true;
}

/* How far from now, on either side. */
static uint64_t
distance(uint64_t time_s, uint64_t now_s)
{
	return time_s > now_s ? time_s - now_s : now_s - time_s;
}

/* Add a visit to what is known of a recipient. */
static void
visit(struct loop *loop, uint64_t time_s, uint64_t now_s, struct loop_limits limits)
{
	uint64_t age_s = time_s > now_s ? 0 : now_s - time_s;

	if (loop->visits++ == 0 || age_s < loop->age_s)
		loop->age_s = age_s;
	if (distance(time_s, now_s) < limits.young_s && loop->verdict == LOOP_NONE)
		loop->verdict = LOOP_YOUNG;
	if (loop->visits >= limits.visits_most)
		loop->verdict = LOOP_ENDLESS;
}

struct loop
loop_decide(const struct trace *traces, size_t trace_count, struct str instance,
    const struct str *recipients, size_t recipient_count, uint64_t now_s, struct loop_limits limits)
{
	struct loop worst = {.verdict = LOOP_NONE};

	for (size_t r = 0; r < recipient_count && worst.verdict != LOOP_ENDLESS; r++) {
		struct loop loop = {.verdict = LOOP_NONE, .recipient = r};

		for (size_t i = 0; i < trace_count; i++) {
			if (str_is(instance, traces[i].instance) &&
			    trace_claims(&traces[i], recipients[r]) &&
			    is_first_of_its_nonce(traces, i))
				visit(&loop, traces[i].time_s, now_s, limits);
		}
		if (loop.verdict > worst.verdict)
			worst = loop;
	}
	return worst;
}

void
loop_path(const struct trace *traces, size_t trace_count, struct str instance, struct buf *out)
{
	size_t shown = 0, bytes = 0;

	while (shown < trace_count && shown < LOOP_PATH_MOST) {
		bytes += strlen(traces[shown].instance) + strlen(", ");
		if (bytes > LOOP_PATH_BYTES_MOST)
			break;
		shown++;
	}
	if (shown < trace_count)
		buf_add_text(out, "..., ");
	for (size_t i = shown; i > 0; i--)
		buf_addf(out, "%s, ", traces[i - 1].instance);
	buf_add_str(out, instance);
}
