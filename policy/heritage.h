/*
 * heritage.h - what was left by workers that do not come back         (driver)
 *
 * A slot may stay empty: there are fewer workers than before, or a new binary took the
 * next one. What is in its ledger would never be counted, and if its host went down
 * meanwhile nobody would say that it may lack something. So whoever has nothing else to
 * count looks at the ledgers of the other slots, and takes over what nobody holds.
 */
#ifndef POLICY_HERITAGE_H
#define POLICY_HERITAGE_H

#include "policy/ledger.h"

enum { HERITAGE_SLOTS_MOST = 64 }; /* as many as there can be workers */

/*
 * path and id are our own: "STATE_DIR/nodes/policyd-0", "mx1/policyd/0". The next ledger
 * that has something to say, and *id_r, its node's (the caller's, as the ledger is).
 * NULL: there is none.
 */
struct ledger *heritage_next(const char *path, const char *id, int64_t now_s, char **id_r);

#endif
