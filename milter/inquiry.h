/*
 * inquiry.h - what the milter and policyd say to each other             (pure)
 *
 * The milter reads no map. It asks policyd over its Unix socket, in socketmap,
 * by two names that no map of the settings can have:
 *
 *	=ask ADDRESS		OK {"verdict": "found", "account": "ann@example.org",
 *				"owner": "new", "hold": "mail", "unknown": false,
 *				"epoch": 4711}
 *	=arrived {...}		OK {"kept": 2}
 *
 * ADDRESS is any bytes, as it came with RCPT. verdict is "found", "absent",
 * "temp" or "perm" (base/fault.h), and the fields of a finding follow where it
 * is "found"; "reason" where it is "temp" or "perm". Fields that are not named
 * here are a newer policyd's and mean nothing. Every other reply, and none in
 * time, is TEMP: policyd's trouble is the sender's "later", never a guess.
 *
 * =arrived reports the accounts that one message was accepted for:
 *
 *	{"id": "<random, of this message>", "lost": 0, "from": "mx1.example.org",
 *	"accounts": [["ann@example.org", "new", false], ...]}
 *
 * with the owner at RCPT, and whether it arrived at a side that is not the
 * owner's. "kept" says that they stand in policyd's file. A report that is sent
 * again (no answer, another connection) has its old id, so that it is counted
 * once. "lost" counts the messages for which no report was kept since the last
 * one that was: policyd then marks the counts as unknown. A report without accounts
 * is taken too, for who has nothing else to say.
 */
#ifndef MILTER_INQUIRY_H
#define MILTER_INQUIRY_H

#include "base/buf.h"
#include "base/fault.h"
#include "map/finding.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	INQUIRY_REPLY_MOST = 100000, /* the netstring's content, as for Postfix */
	INQUIRY_REPORT_MOST = 100000, /* a request's; policyd hangs up above 131,072 */
	INQUIRY_FROM_MOST = 255, /* policyd keeps no report from a longer name */
	INQUIRY_REASON_MOST = 200,
	INQUIRY_ID_BYTES = 16
};

/* What policyd has said of an address. The strs are in store. */
struct inquiry {
	enum verdict verdict;
	struct str account; /* FOUND: canonical, without extension, behind login keys */
	struct str owner; /* FOUND */
	enum hold hold; /* FOUND */
	bool is_unknown; /* nobody, in a complete domain: see map/finding.h */
	uint64_t epoch;
	struct str reason; /* TEMP, PERM: a sentence for the log */
	struct buf store;
};

void inquiry_init(struct inquiry *inquiry);
void inquiry_fini(struct inquiry *inquiry);

/* The request, a netstring, appended to out. The address is at most ACCOUNT_MAX_BYTES. */
void inquiry_ask(struct buf *out, struct str address);

/* The content of the reply's netstring. What is no answer is TEMP with a reason. */
void inquiry_read(struct inquiry *inquiry, struct str reply);

/* One managed recipient of a message that was accepted. */
struct arrival {
	struct str account, owner; /* as policyd had said at RCPT */
	bool is_stray; /* arrived at a side that is not the owner's */
};

/*
 * How many of these arrivals, from the first on, fit into one report; not 0 where count
 * is not. Those of a message with a great many recipients are reported in several, each
 * with an id of its own and "lost" in the first: policyd counts arrivals, not messages.
 */
size_t inquiry_fits(const struct arrival *arrivals, size_t count);

/* The report of a message, a netstring, appended to out; lost is as above. */
void inquiry_arrived(struct buf *out, const unsigned char id[static INQUIRY_ID_BYTES],
    struct str from, uint64_t lost, const struct arrival *arrivals, size_t count);

/* Does this reply, the content of a netstring, say that all "count" were kept? */
bool inquiry_kept(struct str reply, size_t count);

/* What inquiry_read() would say of trouble of our own: no connection, no reply in time. */
void inquiry_trouble(struct inquiry *inquiry, const char *reason);

#endif
