/*
 * driver.h - libmilter's callbacks, carried to a session and back     (driver)
 *
 * Thin: a callback finds its session (smfi_getpriv), hands over bytes, asks
 * policyd where the session wants it, and says the reply (smfi_setreply, with
 * each % doubled). All that is decided is decided in session.c.
 *
 *	libmilter	does
 *	negotiate	asks for SMFIF_ADDHDRS | SMFIF_CHGHDRS, and for no step but those
 *			below: no CONNECT, HELO, DATA, body, unknown commands, rejected
 *			recipients. No reply is wanted to headers (SMFIP_NR_HDR) nor at MAIL
 *			(SMFIP_NR_MAIL). A client that cannot do that is refused.
 *	envfrom		session_mail(), with the terms in force now
 *	envrcpt		session_rcpt(), policyd_ask(), session_answer()
 *	header		session_header()
 *	eom		session_end(); smfi_chgheader(NULL) for each removal; smfi_insheader(0)
 *			where there is a header; policyd_arrived(); then the reply. Where
 *			libmilter refuses one of the changes: SMFIS_TEMPFAIL
 *	abort		session_abort(); it may come for a message that never began, and
 *			more than once
 *	close		session_free(); abort is not sure to have come before
 *
 * A session is made by the first callback that needs one and is its own only:
 * libmilter never runs two callbacks of one connection at once, but it does
 * change threads, so nothing of it is thread-local.
 *
 * Terms are shared by the messages that began under them, counted, and freed by
 * the last: a reload swaps the pointer and disturbs nobody (keys included).
 */
#ifndef MILTER_DRIVER_H
#define MILTER_DRIVER_H

#include "base/fault.h"
#include "base/settings.h"

#include <stdint.h>

enum {
	DRIVER_BACKLOG = 512, /* Postfix connects in bursts, and a full queue refuses */
	DRIVER_TIMEOUT_S = 7210 /* libmilter's own: the longest idle SMTP session, and a little */
};

/*
 * Listen where the settings say and serve until driver_stop(); returns when the
 * last session has ended or the drain time is over. libmilter has one listener
 * in a process, so a second address is a second process of the master's.
 * A socket file that a crash has left is removed before (smfi_opensocket(true)).
 * -1 and *fault_r when it could not begin.
 *
 * libmilter takes SIGTERM, SIGINT and SIGHUP for itself in a thread: they are
 * blocked before, and the master's words come over the channel instead.
 */
int driver_run(const struct settings *settings, struct fault *fault_r);

/* From another thread. New settings count for messages that begin after it returns. */
int driver_reload(const struct settings *settings, struct fault *fault_r);
void driver_stop(uint64_t drain_ms);

/* For status and metrics; a counter for each "why" of a session_reply. */
struct driver_numbers {
	uint64_t sessions, messages, recipients;
	uint64_t unknown, held, trouble, too_many, loop_young, loop_endless, disorder;
	uint64_t malformed, foreign, forged; /* headers with the name of ours */
};

struct driver_numbers driver_numbers(void);

#endif
