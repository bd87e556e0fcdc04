/*
 * policyd.c - asking policyd, from any thread, with a deadline        (driver)
 *
 * What is said on a connection; which one, and who may have it, is policyd_pool.c's.
 */
#include "milter/policyd_inside.h"

#include "base/mem.h"
#include "milter/exchange.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- a question */

static void
say_why(struct asking *asking, enum exchange_end end, const char *doing)
{
	int error = errno;
	char room[128];
	const char *text = "its reply is no netstring, or not the only one";

	if (end == EXCHANGE_LATE) {
		asking_late(asking);
		return;
	}
	if (end == EXCHANGE_CLOSED)
		text = "it closed the connection";
	else if (error != 0)
		text = strerror_r(error, room, sizeof(room));
	snprintf(asking->why, sizeof(asking->why), "while %s policyd: %s", doing, text);
}

static bool
open_link(struct asking *asking, struct link *link)
{
	struct sockaddr_un where = link_aim(asking->policyd, link);
	enum exchange_end end;

	if (link->fd != -1)
		close(link->fd);
	link->was_idle = false;
	if ((link->fd = exchange_connect(&where, asking->until_ms, &end)) != -1)
		return true;
	say_why(asking, end, "connecting to");
	return false;
}

/* Where policyd has closed it while nobody asked, it was started anew: then on a new one. */
static bool
ask_on(struct asking *asking, struct link *link, struct str request, struct buf *in,
    struct str *reply_r)
{
	enum exchange_end end;

	if ((link->fd == -1 || !exchange_is_quiet(link->fd)) && !open_link(asking, link))
		return false;
	end = exchange_ask(link->fd, request, in, asking->until_ms, reply_r);
	if (end == EXCHANGE_CLOSED && link->was_idle) {
		if (!open_link(asking, link))
			return false;
		end = exchange_ask(link->fd, request, in, asking->until_ms, reply_r);
	}
	if (end == EXCHANGE_DONE)
		return true;
	say_why(asking, end, "asking");
	return false;
}

static bool
talk(struct asking *asking, struct str request, struct buf *in, struct str *reply_r)
{
	struct link *link = link_take(asking);
	bool is_good;

	if (link == NULL)
		return false;
	is_good = ask_on(asking, link, request, in, reply_r);
	link_give_back(asking->policyd, link, is_good);
	return is_good;
}

void
policyd_ask(struct policyd *policyd, struct str address, struct inquiry *inquiry)
{
	struct buf request = BUF_INIT, in = BUF_INIT;
	struct asking asking;
	struct str reply;
	bool answered = false;

	policyd->asked++;
	if (asking_begin(&asking, policyd)) {
		inquiry_ask(&request, address);
		answered = talk(&asking, buf_str(&request), &in, &reply);
		asking_leave(&asking);
	}
	if (answered)
		inquiry_read(inquiry, reply);
	else
		inquiry_trouble(inquiry, asking.why);
	if (inquiry->verdict == VERDICT_TEMP)
		policyd->troubles++;
	buf_fini(&request);
	buf_fini(&in);
}

/* ---- arrivals */

static bool
report(struct asking *asking, struct str from, const struct arrival *arrivals, size_t count)
{
	struct unreported *unreported = asking->policyd->unreported;
	uint64_t lost = unreported_take(unreported);
	struct buf request = BUF_INIT, in = BUF_INIT;
	unsigned char id[INQUIRY_ID_BYTES];
	struct str reply;
	bool kept;

	randombytes_buf(id, sizeof(id));
	inquiry_arrived(&request, id, from, lost, arrivals, count);
	kept = talk(asking, buf_str(&request), &in, &reply) && inquiry_kept(reply, count);
	if (kept)
		unreported_told(unreported, lost);
	else
		unreported_not_told(unreported, lost);
	buf_fini(&request);
	buf_fini(&in);
	return kept;
}

bool
policyd_arrived(struct policyd *policyd, struct str from, const struct arrival *arrivals,
    size_t count)
{
	struct asking asking;
	bool kept = asking_begin(&asking, policyd);

	if (kept) {
		for (size_t n; kept && count > 0; arrivals += n, count -= n) {
			n = inquiry_fits(arrivals, count);
			kept = report(&asking, from, arrivals, n);
		}
		asking_leave(&asking);
	}
	if (kept) {
		policyd->reported++;
	} else {
		unreported_add(policyd->unreported);
		policyd->lost++;
	}
	return kept;
}

struct policyd_numbers
policyd_numbers(const struct policyd *policyd)
{
	return (struct policyd_numbers){.asked = policyd->asked,
	    .troubles = policyd->troubles,
	    .timeouts = policyd->timeouts,
	    .refused = policyd->refused,
	    .reported = policyd->reported,
	    .lost = policyd->lost,
	    .connections = policyd->connections,
	    .waiting = policyd->waiting};
}
