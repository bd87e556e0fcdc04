/*
 * calls.h - libmilter's callbacks, carried to a session and back      (driver)
 *
 * Thin: a callback finds its session (smfi_getpriv), hands over bytes, asks
 * policyd where the session wants it, and says the reply. All that is decided is
 * decided in session.c.
 *
 *	libmilter	does
 *	negotiate	asks for SMFIF_ADDHDRS | SMFIF_CHGHDRS, and for no step but those
 *			below: no CONNECT, HELO, DATA, body, unknown commands, rejected
 *			recipients. No reply is wanted to headers (SMFIP_NR_HDR) nor at MAIL
 *			(SMFIP_NR_MAIL). A client that cannot do that is refused, and who
 *			comes when there are max_sessions.
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
 * A callback that waits for policyd has a thread to itself. libmilter starts another
 * for whoever comes meanwhile, but where two come in the same moment it may leave the
 * second without one until any is free: for policyd's time-out at most.
 *
 * A session is made by the first callback that needs one and is its own only:
 * libmilter never runs two callbacks of one connection at once, but it does
 * change threads, so nothing of it is thread-local.
 */
#ifndef MILTER_CALLS_H
#define MILTER_CALLS_H

#include "milter/numbers.h"
#include "milter/policyd.h"
#include "milter/terms.h"

#include <libmilter/mfapi.h>

/* What libmilter is to be told of us. */
extern const struct smfiDesc calls_desc;

/*
 * Before the first callback and from any thread later: the terms of messages that
 * begin from now on, which are the calls' own afterwards. policyd and numbers are
 * lent until calls_stop().
 */
void calls_start(struct terms *terms, struct policyd *policyd, struct numbers *numbers,
    unsigned sessions_most);
void calls_take_terms(struct terms *terms, unsigned sessions_most);

/* No session begins any more. False: some go on, so nothing of it is freed. */
bool calls_stop(void);

#endif
