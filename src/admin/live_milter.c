/*
 * live_milter.c - splitmx check --live: is the milter there?          (driver)
 *
 * Each of its listeners is spoken to as Postfix begins a session: it says what it can
 * do for a milter, the milter says what it wants of that (SMFIC_OPTNEG), and that is
 * the end (SMFIC_QUIT). No message is begun, and policyd is not asked: it has listeners
 * of its own. The numbers are libmilter's (mfdef.h), which this command does without.
 */
#include "admin/live.h"

#include "admin/probe.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MILTER_VERSION = 6,
	OFFERED_ACTIONS = 0x1ff, /* what Postfix offers: changes of a message, */
	OFFERED_STEPS = 0x1fffff, /* and steps that can be left out, or not be answered */
	OUR_ACTIONS = 0x11, /* what splitmx-milter wants: to add headers and to change them */
	NUMBER_BYTES = 4, /* the high one first; a packet begins with its length */
	NEGOTIATION_BYTES = 1 + 3 * NUMBER_BYTES, /* 'O', version, actions, steps */
	PACKET_MOST = 1024, /* behind them may stand the macros that are wanted */
	QUOTED_MOST = 100
};

static void
add_number(struct buf *out, uint32_t number)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_add_byte(out, (char)(unsigned char)(number >> shift));
}

static uint32_t
number_at(struct str bytes, size_t at)
{
	uint32_t number = 0;

	for (size_t i = 0; i < NUMBER_BYTES; i++)
		number = number << 8 | (unsigned char)bytes.ptr[at + i];
	return number;
}

/* The first line of it, if it is one. */
static int
is_another(struct str said, struct fault *fault_r)
{
	said.len = said.len < QUOTED_MOST ? said.len : QUOTED_MOST;
	said.len = str_find(said, '\r');
	said.len = str_find(said, '\n');
	return fault_set(fault_r, VERDICT_PERM, "does not speak the milter protocol: it says %s",
	    log_quote(said));
}

static int
has_closed(struct fault *fault_r)
{
	return fault_set(fault_r, VERDICT_PERM,
	    "closes the connection without an answer: it is no milter, or has "
	    "milter.max_sessions");
}

/* ---- the answer */

/* 1 it is whole, 0 more is needed, -1 it is none. */
static int
packet_is_whole(struct str in)
{
	uint32_t len;

	if (in.len < NUMBER_BYTES)
		return 0;
	len = number_at(in, 0);
	if (len < NEGOTIATION_BYTES || len > PACKET_MOST ||
	    (in.len > NUMBER_BYTES && in.ptr[NUMBER_BYTES] != 'O'))
		return -1;
	return in.len >= NUMBER_BYTES + len;
}

/* 1 something has come; 0 nothing more will, or not in time; -1 and errno. */
static int
read_more(int fd, struct buf *in, uint64_t until_ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	ssize_t got;

	do {
		uint64_t now_ms = clock_ms();

		got = poll(&ready, 1, now_ms < until_ms ? (int)(until_ms - now_ms) : 0);
		if (got == 0)
			errno = EAGAIN;
		if (got == 1)
			got = recv(fd, buf_room(in, PACKET_MOST), PACKET_MOST, 0);
		else
			got = -1;
	} while (got == -1 && errno == EINTR);
	if (got > 0)
		buf_added(in, (size_t)got);
	return got > 0 ? 1 : (int)got;
}

static int
read_answer(int fd, struct buf *in, struct fault *fault_r)
{
	uint64_t until_ms = clock_ms() + PROBE_TIMEOUT_MS;
	int whole, rc = 1;

	while ((whole = packet_is_whole(buf_str(in))) == 0 && rc == 1)
		rc = read_more(fd, in, until_ms);
	if (whole == 1)
		return 0;
	if (buf_len(in) > 0)
		return is_another(buf_str(in), fault_r);
	if (rc == 0 || errno == ECONNRESET)
		return has_closed(fault_r);
	if (errno == EAGAIN)
		return fault_set(fault_r, VERDICT_TEMP, "takes the connection and says nothing");
	return fault_set_errno(fault_r, VERDICT_TEMP, "reading the answer");
}

/* ---- a session */

static int
say(int fd, const struct buf *packet, struct fault *fault_r)
{
	struct str bytes = buf_str(packet);

	if (send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL) == (ssize_t)bytes.len)
		return 0;
	if (errno == EPIPE || errno == ECONNRESET)
		return has_closed(fault_r);
	return fault_set_errno(fault_r, VERDICT_TEMP, "asking");
}

static int
negotiate(int fd, uint32_t *version_r, struct fault *fault_r)
{
	struct buf offer = BUF_INIT, in = BUF_INIT;
	int rc;

	add_number(&offer, NEGOTIATION_BYTES);
	buf_add_byte(&offer, 'O');
	add_number(&offer, MILTER_VERSION);
	add_number(&offer, OFFERED_ACTIONS);
	add_number(&offer, OFFERED_STEPS);
	rc = say(fd, &offer, fault_r);
	if (rc == 0)
		rc = read_answer(fd, &in, fault_r);
	if (rc == 0) {
		uint32_t actions = number_at(buf_str(&in), NUMBER_BYTES + 1 + NUMBER_BYTES);

		*version_r = number_at(buf_str(&in), NUMBER_BYTES + 1);
		if (actions != OUR_ACTIONS)
			rc = fault_set(fault_r, VERDICT_PERM,
			    "is another milter: it wants to do 0x%" PRIx32
			    " to messages, and not to add and change headers (0x%x)",
			    actions, OUR_ACTIONS);
	}
	buf_fini(&offer);
	buf_fini(&in);
	return rc;
}

static int
quit(int fd, struct fault *fault_r)
{
	struct buf packet = BUF_INIT;
	int rc;

	add_number(&packet, 1);
	buf_add_byte(&packet, 'Q');
	rc = say(fd, &packet, fault_r);
	buf_fini(&packet);
	return rc;
}

static int
probe_milter(const char *address, uint32_t *version_r, struct fault *fault_r)
{
	struct endpoint endpoint;
	int fd, rc;

	if (endpoint_parse(address, &endpoint, fault_r) == -1 ||
	    (fd = probe_connect(&endpoint, fault_r)) == -1)
		return -1;
	rc = negotiate(fd, version_r, fault_r);
	if (rc == 0)
		rc = quit(fd, fault_r);
	close(fd);
	return rc;
}

void
live_milter(struct live *live)
{
	const struct milter_settings *milter = &live->admin->settings->milter;

	for (size_t i = 0; i < milter->listen_count; i++) {
		const char *address = milter->listen[i];
		struct fault fault;
		uint32_t version;

		if (probe_milter(address, &version, &fault) == 0)
			live_say(live, LIVE_GOOD, "milter", NULL,
			    "at %s: protocol version %" PRIu32, address, version);
		else
			live_say(live, LIVE_BAD, "milter",
			    fault.verdict == VERDICT_PERM
				? "nobody but splitmx-milter may listen there: see milter.listen"
				: "is splitmx-milter running? see \"splitmx status\" and its log",
			    "at %s: %s", address, fault.text);
	}
}
