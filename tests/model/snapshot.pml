/*
 * snapshot.pml - what a node keeps on disk, and answers after a restart
 *
 * One account changes its owner, OLD -> NEW; one node, one Redis. The node saves
 * what it remembers with the end of its life (lease and grace: one length here),
 * is killed, loses power, starts again and answers from the snapshot until that
 * end.
 *
 * THE CLAIM: once the change is confirmed, the node does not answer OLD, not
 * after any number of restarts either.
 *
 * The disk is three things: what a process has in its own buffers (gone when it
 * is killed), what it has written (stays; gone with the power), what is fsync'd.
 * The end of life is a time of CLOCK_BOOTTIME, which begins anew with each boot:
 * under another boot id it says nothing, in the worst case for ever "not yet".
 * A disk that fails may forget what was written and not yet fsync'd without a
 * new boot (LOSSY); only fsync tells.
 *
 * Whatever makes an entry in memory unknown is a tombstone in the snapshot: an
 * invalidation, a new session's first lease, a barrier before that. One that
 * comes while a new snapshot is being saved belongs into that one too. A barrier
 * is acknowledged when all tombstones are fsync'd. Who leaves the roster removes
 * the snapshot first.
 *
 * Not here: failover (fence.pml), claims, grace that changes (claims.pml).
 */
#ifndef L
#define L 2		/* lease and grace, ticks */
#endif
#ifndef DRIFT
#define DRIFT 1
#endif
#ifndef W
#define W (L + DRIFT)
#endif
#ifndef KILLS
#define KILLS 1		/* how often the node is killed, or its machine */
#endif
#ifndef SAVES
#define SAVES 1
#endif
#define CAP 2

/* ---- the elements of the protocol */
#ifndef TOMB
#define TOMB 2		/* the acknowledgement waits until tombstones are 0: noted, 1: written, 2: fsync'd */
#endif
#ifndef FSYNC_CHECKED
#define FSYNC_CHECKED 1	/* an fsync that failed acknowledges nothing; 0: its status is not looked at */
#endif
#ifndef TOMB_SESSION
#define TOMB_SESSION 1	/* the first lease of a session is a tombstone for what is older */
#endif
#ifndef TOMB_BARRIER
#define TOMB_BARRIER 1	/* so is a barrier before that */
#endif
#ifndef TOMB_SAVING
#define TOMB_SAVING 1	/* a tombstone goes into a snapshot that is just being saved too */
#endif
#ifndef START_SYNC
#define START_SYNC 1	/* a start fsyncs what it has read before it acknowledges: whoever wrote it may not have */
#endif
#ifndef BOOT_ID
#define BOOT_ID 1	/* under another boot id entries are not used */
#endif
#ifndef END_SAVED
#define END_SAVED 1	/* a snapshot ends with the lease it was saved under; 0: a restart begins a new one */
#endif
#ifndef LEAVE_REMOVES
#define LEAVE_REMOVES 1	/* who leaves the roster removes the snapshot first; 0: leaves it for the next start */
#endif
#ifndef RM_WAITS
#define RM_WAITS 1	/* `node rm` waits for the whole life, snapshot and all; 0: takes the node off at once */
#endif
/* ---- what may go wrong */
#ifndef LOSSY
#define LOSSY 1		/* the disk may forget what was written and not fsync'd */
#endif
#ifndef POWER
#define POWER 1		/* the machine may boot again */
#endif
#ifndef REACH
#define REACH 0		/* 1: a restarted node answers from its snapshot; 2: a restarted node acknowledges; 3: by time */
#endif

#define OLD 0
#define NEW 1
#define EMPTY 3
#define INV 1
#define PONG 2
#define BAR 3
#define PONG2 4
#define UNENDING 15	/* the end of life as another boot reads it */

bool val, pend;				/* Redis */
bool roster = 1;
chan T = [CAP] of { byte };
bool up = 1, sess, live, left, poison;	/* the node; left: entries of an older session, or from disk */
byte cache = EMPTY, fetch, life, age, pst, bp;
byte tomb;				/* 3: to be written, 2: written, 1: fsync failed, 0: none */
bool saving; byte sval = EMPTY, slife;	/* the snapshot that is being saved */
byte wval = EMPTY, wlife;		/* the one in place, as written */
byte fval = EMPTY, flife;		/* the one in place, as fsync'd */
bool oldboot;				/* they are of another boot */
byte kills, missed, fst, ftimer, saves, leaves;
bool acked, confirmed, bytime, restarted, removed;
byte x;

inline drop() {
	sess = 0; do :: nempty(T) -> T?x :: empty(T) -> break od; x = 0;
	live = 0; fetch = 0; poison = 0; pst = 0; bp = 0; age = 0
}
inline push(m) { if :: full(T) -> drop() :: nfull(T) -> T!m fi }
inline bury() { tomb = 3; if :: TOMB_SAVING && saving -> sval = EMPTY; slife = 0 :: else fi }
inline forget() { cache = EMPTY; life = 0; left = 0 }
inline grant() {
	if :: !live -> cache = EMPTY; left = 0; if :: TOMB_SESSION -> bury() :: else fi :: else fi;
	live = 1;
	if :: age < L && L - age > life -> life = L - age :: else fi;
	pst = 0; age = 0
}
inline hear() {
	T?x;
	if
	:: x == INV -> cache = EMPTY; bury(); if :: fetch != 0 -> poison = 1 :: else fi
	:: x == PONG -> grant()
	:: x == BAR -> if :: left -> forget(); if :: TOMB_BARRIER -> bury() :: else fi :: else fi; bp = 1
	:: x == PONG2 -> bp = 3
	fi;
	x = 0
}
inline got() { if :: poison -> x = 0 :: else -> cache = fetch - 2 fi; fetch = 0; poison = 0 }
/* The process is gone, with all that it had not written. */
inline gone() { drop(); forget(); up = 0; tomb = 0; saving = 0; sval = EMPTY; slife = 0 }
inline start() {
	up = 1; restarted = 1; tomb = (START_SYNC -> 2 : 0);
	if
	:: wval != EMPTY && wlife > 0 && (!oldboot || !BOOT_ID) -> cache = wval; left = 1; if :: END_SAVED -> life = wlife :: else -> life = L fi
	:: else
	fi
}
#define FADE(e) if :: e > 0 && e != UNENDING -> e-- :: else fi
inline nodetick() {
	FADE(life); FADE(slife); FADE(wlife); FADE(flife);
	if :: life == 0 -> cache = EMPTY; left = 0 :: else fi;
	if :: pst != 0 && age < L -> age++ :: else fi
}
#define WTICK if :: fst == 3 && ftimer < W -> ftimer++ :: else fi
#define IS_CLEAN (cache != OLD && fetch != 2 + OLD && sval != OLD && wval != OLD && fval != OLD)
#define BAD (up && life > 0 && cache == OLD)

active proctype all() {
	do
	:: confirmed && BAD -> assert(false) /* THE CLAIM */
	:: confirmed && IS_CLEAN -> break /* and nothing is left that could break it */
#if REACH==1
	:: restarted && BAD && !sess && fst > 0 -> assert(false)
#elif REACH==2
	:: restarted && confirmed && !bytime -> assert(false)
#elif REACH==3
	:: restarted && confirmed && bytime -> assert(false)
#endif
	/* the node and its session */
	:: up && !sess && !(removed && !roster) -> d_step { sess = 1; roster = 1; if :: cache != EMPTY && life != 0 -> left = 1 :: else -> forget() fi }
	:: sess -> d_step { drop() }
	:: nempty(T) -> d_step { hear() }
	:: sess && pst == 0 -> d_step { pst = 1; age = 0 }
	:: pst == 1 -> d_step { ftimer = 0; if :: roster -> pst = 2; push(PONG) :: else -> drop() fi }
	:: live && fetch == 0 && cache == EMPTY -> d_step { fetch = 1; poison = 0 }
	:: fetch == 1 -> fetch = 2 + val
	:: fetch >= 2 -> d_step { got() }
	:: bp == 1 && !pend -> d_step { bp = 2; push(PONG2) }
	:: bp == 3 && (tomb == 0 || (TOMB < 2 && tomb == 2) || TOMB == 0) -> d_step { bp = 0; acked = 1 }
	/* the disk */
	:: up && !saving && saves < SAVES && cache != EMPTY && life > 0 && tomb == 0 -> d_step { saves++; saving = 1; sval = cache; slife = life }
	:: saving -> d_step { /* fsync, rename, fsync of the directory */
		saving = 0; wval = sval; wlife = slife; fval = sval; flife = slife; oldboot = 0; sval = EMPTY; slife = 0; if :: tomb != 0 && TOMB_SAVING -> tomb = 0 :: else fi }
	:: tomb == 3 -> d_step { wval = EMPTY; wlife = 0; tomb = 2 }
	:: tomb == 2 -> d_step { fval = wval; flife = wlife; tomb = 0 }
	:: LOSSY && tomb == 2 -> d_step { wval = fval; wlife = flife; tomb = (FSYNC_CHECKED && TOMB == 2 -> 1 : 0) }
	:: tomb == 1 -> tomb = 3 /* try again */
	/* killed, booted, started */
	:: up && kills < KILLS -> d_step { kills++; gone() }
	:: POWER && kills < KILLS -> d_step { kills++; gone(); wval = fval; oldboot = 1; if :: fval != EMPTY -> wlife = UNENDING; flife = UNENDING :: else fi }
	:: !up -> d_step { start() }
	/* a clean stop that leaves the roster, and `node rm` of one that is down */
	:: up && sess && leaves < 1 -> d_step { leaves++; if :: LEAVE_REMOVES -> wval = EMPTY; wlife = 0; fval = EMPTY; flife = 0 :: else fi; gone(); roster = 0 }
	:: !up && roster && leaves < 1 && (!RM_WAITS || (wlife == 0 && flife == 0) || (BOOT_ID && oldboot)) -> d_step { leaves++; roster = 0; removed = 1 }
	/* Redis and the writer */
	:: pend -> d_step { pend = 0; if :: sess -> push(INV) :: else fi }
	:: fst == 0 -> d_step { val = NEW; pend = 1; fst = 1 }
	:: fst == 1 && !pend -> fst = 2
	:: fst == 2 -> d_step { fst = 3; ftimer = 0; if :: !roster -> confirmed = 1; fst = 4 :: else -> if :: sess -> push(BAR) :: else fi fi }
	:: fst == 3 && sess && empty(T) && bp == 0 && !acked -> T!BAR
	:: fst == 3 && acked -> d_step { confirmed = 1; fst = 4 }
	:: fst == 3 && ftimer >= W -> d_step { confirmed = 1; bytime = 1; fst = 4 }
	/* time */
	:: d_step { nodetick(); WTICK }
	:: missed < DRIFT -> d_step { missed++; WTICK }
	od
}
