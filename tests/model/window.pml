/*
 * window.pml - the length of the lease changes: `window open`, `window close`
 *
 * The head of the map says how long a lease is (lease_ms), and how long one that
 * still runs may be (lease_most_ms). `window open` makes it short, so that a node
 * that does not answer is waited for briefly; `window close` makes it long again.
 * Two operators give such commands, which may be killed between any two steps and
 * given again; meanwhile a third writer changes one account's owner, OLD -> NEW.
 * One node, one Redis; with -DFO=1 another server of it lags behind, and is promoted
 * once: what had not reached it is gone, sessions and commands end, the writer goes
 * on there if his change had. (More of failover: fence.pml).
 *
 * THE CLAIM: once the change of the owner is confirmed, the node has no running
 * lease together with OLD, in memory or in the snapshot that a restart would use.
 *
 * Opening: one transaction lowers lease_ms, leaves lease_most_ms at the highest
 * of both, and puts a mark of its own into the head. Then a barrier; the node cuts
 * what is left of its lease, and of its snapshot's, before it acknowledges. When
 * it has, or the old length is over, another transaction lowers lease_most_ms,
 * if the head still bears the mark. Closing: one transaction raises
 * lease_most_ms, with a mark of its own; when every server has that, another raises
 * lease_ms, if the head still bears the mark, with a new one. Whoever changes an owner waits for nodes that are silent for
 * the highest of all lengths that the head said while it waited.
 *
 * The node knows the length from the head as its heartbeats read it, so it may
 * know the old one when it hears the barrier: it reads the head again before it
 * acknowledges, and a heartbeat that has read an older head grants no more than
 * the newer one says; of several such the shortest. (Built: no more than that
 * after the acknowledgement, which is what the cut leaves of a running lease too.)
 * And a heartbeat may read the head long after it was sent and
 * echoed, when a change was confirmed by the short wait and the lease made long
 * again: so it grants nothing if the mark is not the one that the node knew when
 * it sent it; the next one does.
 *
 * One change is one invalidation, so T is no queue here: it matters only whether
 * a PONG was queued before the invalidation or after it (iafter, bafter).
 *
 * Three commands and no lost session (-DCMDS=3 -DLOSSES=0): the claim holds, and
 * MARK is needed. OPEN_KEEPS is not, here: lease_most_ms is always there, and in a
 * real map an absent one means lease_ms, which opening makes short.
 *
 * Not here: the second round trip and poison (fence.pml), grace (claims.pml), the
 * roster (roster.pml).
 */
#ifndef S
#define S 1		/* the short lease, ticks */
#endif
#ifndef L
#define L 2		/* the long one */
#endif
#ifndef DRIFT
#define DRIFT 0		/* ticks that the node's clock may miss */
#endif
#ifndef CMDS
#define CMDS 2		/* commands in all; one that was killed counts */
#endif
#ifndef KILLS
#define KILLS 0		/* how often the node is killed */
#endif
#ifndef LOSSES
#define LOSSES 1	/* 1: sessions are lost, at any time */
#endif
#ifndef FO
#define FO 0		/* 1: another server is promoted */
#endif
#ifndef OPEN
#define OPEN 0		/* 1: at first the window is open */
#endif

/* ---- the elements of the protocol */
#ifndef MOST
#define MOST 1		/* a writer waits for both lengths; 0: for lease_ms alone; 2: for lease_most_ms alone */
#endif
#ifndef LOWER_LAST
#define LOWER_LAST 1	/* lease_most_ms is lowered when the opening is confirmed; 0: with lease_ms */
#endif
#ifndef OLD_LENGTH
#define OLD_LENGTH 1	/* an opening that is not acknowledged waits for the old length; 0: for the new one */
#endif
#ifndef CUT
#define CUT 1		/* an acknowledgement cuts the running lease */
#endif
#ifndef CUT_FRESH
#define CUT_FRESH 1	/* to what the head says since the barrier; 0: as the last heartbeat read it */
#endif
#ifndef CUT_BEATS
#define CUT_BEATS 1	/* and what heartbeats grant that read an older head */
#endif
#ifndef CAP_LEAST
#define CAP_LEAST 1	/* the shortest of several such; 0: the last */
#endif
#ifndef CUT_SNAPSHOT
#define CUT_SNAPSHOT 1	/* and the end of the snapshot on disk */
#endif
#ifndef BEAT_KNOWS
#define BEAT_KNOWS 1	/* a heartbeat grants only what the head said already when it was sent */
#endif
#ifndef HEAD_ON_H
#define HEAD_ON_H 0	/* 1: that reading goes through H behind the heartbeats: they need no CUT_BEATS then */
#endif
#ifndef MARK
#define MARK 1		/* lease_most_ms is lowered under one's own mark; 0: whatever the head says; 2: if lease_ms is short */
#endif
#ifndef AGAIN
#define AGAIN 1		/* an opening that finds lease_ms short begins anew; 0: believes that the first was confirmed */
#endif
#ifndef CLOSE_STEPS
#define CLOSE_STEPS 1	/* closing has two steps, and every server has the first; 2: whoever has it; 0: one step */
#endif
#ifndef CLOSE_BOTH
#define CLOSE_BOTH 1	/* closing raises both; 0: lease_ms alone */
#endif
#ifndef OPEN_KEEPS
#define OPEN_KEEPS 1	/* opening leaves lease_most_ms at the highest of both; 0: as it was */
#endif
#ifndef HEAD_AGAIN
#define HEAD_AGAIN 1	/* the writer reads the head again with every look; 0: once, at the barrier */
#endif
#ifndef REACH
#define REACH 0		/* 1: short wait while nothing was acknowledged; 2: a restarted node answers, lease_most_ms is lowered; 3: closed while a flip waits */
#endif

#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define MIN(a, b) ((a) < (b) -> (a) : (b))

/* Redis: the change was made, the head and its mark (which grows: an epoch) */
bool new; byte ms = (OPEN -> S : L), most = (OPEN -> S : L), mark;
/* the server that may be promoted: what has reached it */
bool promoted, rnew; byte rms = (OPEN -> S : L), rmost = (OPEN -> S : L), rmark;
#define BEHIND (rms != ms || rmost != most || rmark != mark || rnew != new)
#define REACHED (!FO || promoted || !BEHIND)
/* the node: OLD in memory, left there by an older session, OLD on disk */
bool sess, live, old = 1, left, disk; byte lease, dlife;
bool inv;				/* the invalidation is on its way */
byte pst, hst, age, hlen, hmark, smark; bool iafter; /* the heartbeat: 1 sent, 2 at the server; what it read, the mark known at sending */
byte bst; bool bafter, b0, b1, bf;	/* a barrier: whose, 1 heard and PING sent, 2 PONG on its way */
bool cread; byte clen, cmark;		/* the head as read for the acknowledgement */
byte caplen, capmark; bool behind;	/* the newest such; a heartbeat before the barrier is not in */
byte kmark, klen = (OPEN -> S : L);	/* the head as last read */
byte kills, missed;
/* the operators: 1 lowered and published, 2 confirmed, 3 closing announced; go: every server has it; the writer: step, silence, the longest length seen */
byte ost[2], otime[2], omark[2], oold[2]; bool oack[2], ogo[2]; byte cmds;
byte fst, ftime, fw; bool fgo, facked, confirmed, bytime;
byte x;

inline quiet() { bst = 0; bafter = 0; b0 = 0; b1 = 0; bf = 0; cread = 0; clen = 0; cmark = 0; behind = 0 }
inline drop() {
	sess = 0; live = 0; inv = 0; pst = 0; hst = 0; iafter = 0; hlen = 0; hmark = 0; smark = 0; kmark = 0; age = 0; caplen = 0; capmark = 0; quiet()
}
inline clear() { disk = 0; dlife = 0 }
inline forget() { old = 0; lease = 0; left = 0; clear() }
inline grant() { /* the first of a session drops what an older one left */
	if :: !live -> old = 0; left = 0; clear() :: else fi;
	live = 1;
#if !CUT_FRESH
	klen = hlen;
#endif
	if :: hmark < capmark -> hlen = MIN(hlen, caplen) :: else fi;
	if :: age < hlen && hlen - age > lease -> lease = hlen - age :: else fi;
	kmark = MAX(kmark, hmark);
	pst = 0; hst = 0; age = 0; hlen = 0; hmark = 0; smark = 0; iafter = 0; behind = 0; caplen = 0; capmark = 0
}
inline acknowledge() {
	x = (CUT_FRESH -> clen : klen);
	if :: CUT -> lease = MIN(lease, x); if :: CUT_SNAPSHOT && dlife > x -> dlife = x :: else fi; if :: CUT_BEATS && !HEAD_ON_H && (pst != 0 || hst != 0) -> caplen = (CAP_LEAST && capmark != 0 -> MIN(caplen, clen) : clen); capmark = cmark :: else fi; kmark = MAX(kmark, cmark) :: else fi;
	x = 0;
	if :: b0 && ost[0] == 1 -> oack[0] = 1 :: else fi;
	if :: b1 && ost[1] == 1 -> oack[1] = 1 :: else fi;
	if :: bf -> facked = 1 :: else fi;
	quiet()
}
#define LENGTH (MOST == 0 -> ms : (MOST == 2 -> most : MAX(ms, most)))
inline look() { if :: HEAD_AGAIN -> fw = MAX(fw, LENGTH) :: else fi }
inline finish(o) { ost[o] = 0; otime[o] = 0; omark[o] = 0; oold[o] = 0; oack[o] = 0; ogo[o] = 0; if :: o == 0 -> b0 = 0 :: else -> b1 = 0 fi } /* an answer to it is for nobody else */
#define MINE(o) (MARK == 0 || (MARK == 1 && mark == omark[o]) || (MARK == 2 && ms == S))
#define WAITS(o) (ost[o] == 1 && ogo[o] && !oack[o])
#define FLIPS (fst == 1 && fgo && !facked)

#define OPERATOR(o) \
 :: cmds < CMDS && ost[o] == 0 && (o == 0 || ost[0] != 0) -> d_step { /* open */ \
	cmds++; \
	if \
	:: !AGAIN && ms == S -> most = S \
	:: else -> \
		mark++; omark[o] = mark; \
		if :: OPEN_KEEPS -> most = MAX(ms, most) :: else fi; \
		oold[o] = MAX(ms, most); ms = S; ost[o] = 1; ogo[o] = !FO || promoted; \
		if :: !LOWER_LAST -> most = S :: else fi \
	fi } \
 :: o == 0 && CLOSE_STEPS == 0 && cmds < CMDS && (ms != L || most != L) -> d_step { cmds++; mark++; ms = L; if :: CLOSE_BOTH -> most = L :: else fi } /* close */ \
 :: CLOSE_STEPS != 0 && cmds < CMDS && ost[o] == 0 && (o == 0 || ost[0] != 0) && (ms != L || most != L) -> d_step { \
	cmds++; mark++; if :: CLOSE_BOTH -> most = L :: else fi; omark[o] = mark; ost[o] = 3; ogo[o] = !FO || promoted || CLOSE_STEPS == 2 } \
 :: ost[o] == 3 && ogo[o] -> d_step { if :: mark == omark[o] -> mark++; ms = L :: else fi; finish(o) } \
 :: (ost[o] == 1 || ost[o] == 3) && !ogo[o] && REACHED -> d_step { ogo[o] = 1 } \
 :: ost[o] == 1 && ogo[o] && (oack[o] || otime[o] >= (OLD_LENGTH -> oold[o] : S) + DRIFT) -> d_step { ost[o] = 2; otime[o] = 0; oold[o] = 0; oack[o] = 0 } \
 :: ost[o] == 2 -> d_step { if :: MINE(o) -> most = S :: else fi; finish(o) } \
 :: ost[o] != 0 -> d_step { finish(o) } /* killed */

inline nodetick() {
	if :: lease > 0 -> lease-- :: else fi;
	if :: dlife > 0 -> dlife-- :: else fi;
	if :: dlife == 0 -> disk = 0 :: else fi;
	if :: lease == 0 && !live -> old = 0; left = 0 :: else fi;
	if :: (pst != 0 || hst != 0) && age < L -> age++ :: else fi
}
inline othertick() {
	if :: ost[0] == 1 && ogo[0] && otime[0] < L + DRIFT -> otime[0]++ :: else fi;
	if :: ost[1] == 1 && ogo[1] && otime[1] < L + DRIFT -> otime[1]++ :: else fi;
	if :: fst == 1 && fgo && ftime < L + DRIFT -> ftime++ :: else fi
}
#define BAD ((lease > 0 && old) || (dlife > 0 && disk))

/* Nothing is left that could break it: only a PONG from before the invalidation renews OLD. */
#define OVER (new && !disk && !(old && lease > 0) && (!old || (fst == 2 && !(live && pst == 2 && !iafter))))

active proctype all() {
	do
	:: OVER -> break
	:: atomic { !OVER -> if
	:: confirmed && BAD -> assert(false) /* THE CLAIM */
#if REACH==1
	:: confirmed && bytime && fw == S && old && cmds > 0 && sess -> assert(false)
#elif REACH==2
	:: !sess && kills == 1 && left && lease > 0 && most == S && ms == S && mark == 2 -> assert(false)
#elif REACH==3
	:: confirmed && bytime && fw == L && most == L && mark == 2 && old -> assert(false)
#endif
	/* the node and its session */
	:: !sess -> d_step { sess = 1; kmark = mark; if :: old && lease != 0 -> left = 1 :: else -> forget() fi }
	:: LOSSES && sess -> d_step { drop() }
	:: inv -> d_step { inv = 0; old = 0; left = 0; clear() }
	:: sess && pst == 0 && hst == 0 -> d_step { pst = 1; hst = 1; age = 0; smark = kmark }
	:: pst == 1 -> d_step { pst = 2; iafter = inv }
	:: hst == 1 -> d_step { hst = 2; hmark = mark; hlen = (BEAT_KNOWS && mark != smark -> 0 : ms); smark = 0; if :: fst == 1 -> ftime = 0; look() :: else fi }
	:: pst == 2 && hst == 2 && !(iafter && inv) -> d_step { grant() }
	:: live && !old && !new -> old = 1
	:: sess && bst == 0 && (WAITS(0) || WAITS(1) || FLIPS) -> d_step {
		if :: !live -> forget() :: else fi;
		b0 = WAITS(0); b1 = WAITS(1); bf = FLIPS; bst = 1; behind = (HEAD_ON_H && (pst != 0 || hst != 0)) }
	:: bst == 1 -> d_step { bst = 2; bafter = inv }
	:: CUT_FRESH && bst != 0 && !cread -> d_step { cread = 1; clen = ms; cmark = mark }
	:: bst == 2 && !(bafter && inv) && (cread || !CUT_FRESH) && !behind -> d_step { acknowledge() }
	/* the snapshot; killed and started again */
	:: kills < KILLS && old && lease > 0 && !left && !(disk && dlife == lease) -> d_step { disk = 1; dlife = lease }
	:: kills < KILLS -> d_step { kills++; drop(); old = disk; lease = dlife; left = disk }
	/* the operators, the writer */
	OPERATOR(0) OPERATOR(1)
	:: fst == 0 -> d_step { new = 1; inv = sess; fst = 1; fgo = !FO || promoted; fw = LENGTH }
	:: fst == 1 && !fgo && REACHED -> d_step { fgo = 1; ftime = 0; fw = LENGTH }
	:: fst == 1 && facked -> d_step { confirmed = 1; fst = 2 }
	:: fst == 1 && fgo -> d_step { look(); if :: ftime >= fw + DRIFT -> confirmed = 1; bytime = 1; fst = 2 :: else fi }
	/* the other server */
	:: FO && !promoted && BEHIND -> d_step { rms = ms; rmost = most; rmark = mark; rnew = new }
	:: FO && !promoted -> d_step {
		promoted = 1; ms = rms; most = rmost; mark = rmark; new = rnew; rms = 0; rmost = 0; rmark = 0; rnew = 0;
		drop(); finish(0); finish(1);
		if :: fst == 1 -> facked = 0; ftime = 0; fw = LENGTH; fgo = new; if :: !new -> fst = 0; fw = 0 :: else fi :: else fi }
	/* time */
	:: d_step { nodetick(); othertick() }
	:: missed < DRIFT -> d_step { missed++; othertick() }
	fi }
	od
}
