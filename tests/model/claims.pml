/*
 * claims.pml - what outlives the memory of a node: claims, and the grace
 *
 * A claim is something that a node has begun on an answer and that goes on by
 * itself: a session, a delivery. One account changes its owner, OLD -> NEW, by
 * one writer; one node, one Redis (failover: fence.pml). Claims end whenever
 * they like, early or late; a node can only ask them to.
 *
 * THE CLAIM: once the change is confirmed, the node has no claim to the former
 * owner and cannot get a new one.
 *
 * The node answers from memory until the lease and then its grace are over; "life" is
 * what is left of both. When life is over every claim is ended within drain_ms
 * (D), because nobody would tell any more. A claim is *sure* while the node knows
 * that the record still says so: not after an invalidation, nor in a new session,
 * before it has been fetched again. A barrier is acknowledged when no claim is
 * unsure. The writer waits for the acknowledgement, or until the node has sent
 * no heartbeat for as long as its life and drain can last, by a clock that is
 * late at the rate of one tick in RATE.
 *
 * The grace may be raised and lowered while all this goes on: it is declared in
 * the roster first, and counts for leases from heartbeats that were sent later;
 * the writer reads the roster again with every look at the heartbeats. The
 * same holds for a longer lease: to the writer both are the node's life.
 *
 * Not here: failover and the members' WAIT (fence.pml), the snapshot
 * (snapshot.pml), several accounts: nothing in the acknowledgement of one
 * refers to another's claims.
 */
#ifndef L
#define L 2		/* the lease, ticks */
#endif
#ifndef G
#define G 1		/* the grace, where one is declared */
#endif
#ifndef D
#define D 1		/* drain_ms */
#endif
#define RATE 3		/* a node's clock misses at most one tick in so many */
#define LATE(n) (((n) + RATE - 2) / (RATE - 1))	/* so n ticks of it may last n + LATE(n) */
#define CAP 3

/* ---- the elements of the protocol */
#ifndef CLAIMS_AGREE
#define CLAIMS_AGREE 1	/* the acknowledgement waits for claims that are not sure */
#endif
#ifndef CLAIM_AT_ANSWER
#define CLAIM_AT_ANSWER 1 /* the claim begins with the answer; 0: some time later */
#endif
#ifndef UNSURE_ON_CHANGE
#define UNSURE_ON_CHANGE 1 /* an invalidation makes claims unsure; 0: only entries unknown */
#endif
#ifndef UNSURE_ON_SESSION
#define UNSURE_ON_SESSION 1 /* so does a new session: it has not heard what happened before */
#endif
#ifndef POISON
#define POISON 1	/* a fetch that an invalidation has overtaken makes nothing sure */
#endif
#ifndef END_AT_E
#define END_AT_E 1	/* claims are ended when life is over */
#endif
#ifndef WAIT_DRAIN
#define WAIT_DRAIN 1	/* the writer waits for drain_ms too */
#endif
#ifndef WAIT_GRACE
#define WAIT_GRACE 1	/* and for the declared grace */
#endif
#ifndef LATE_SUM
#define LATE_SUM 1	/* the allowance for clocks is on the whole wait; 0: on the lease alone */
#endif
#ifndef ONLY_SILENT
#define ONLY_SILENT 1	/* by time only where there are no heartbeats; 0: since the barrier, whoever beats */
#endif
#ifndef DECLARE_FIRST
#define DECLARE_FIRST 1	/* a grace is used after it was declared; 0: before */
#endif
#ifndef GRACE_LATER
#define GRACE_LATER 1	/* for heartbeats sent after the declaration; 0: for the running lease too */
#endif
#ifndef ROSTER_AGAIN
#define ROSTER_AGAIN 1	/* the writer reads the roster again with every look; 0: once, before the barrier */
#endif
#ifndef LOWER_LAST
#define LOWER_LAST 1	/* a lower grace is declared when no lease with the higher one runs; 0: at once */
#endif
#ifndef REACH
#define REACH 0		/* shows that the model gets there: 1 confirmed by acknowledgement, 2 by time, 3 with grace by time */
#endif

#define OLD 0
#define NEW 1
#define EMPTY 3
#define INV 1
#define PONG 2
#define BAR 3
#define PONG2 4

bool val, pend;				/* Redis */
chan T = [CAP] of { byte };
bool sess, live, left, poison;		/* the node */
byte cache = EMPTY, fetch, life, age, pst, hst, bp;
bool claim, sure, told;			/* told: answered, the claim is still to begin */
byte over;				/* ticks since life was over */
byte useg, hbg, declared;		/* the grace: used, of the heartbeat on its way, in the roster */
bool longer, raised, lowered;		/* longer: the running life contains a grace */
byte fst, ftimer, fg, ran = RATE - 1;	/* the writer: step, silence, the highest grace seen; ran: ticks since one was missed */
bool acked, confirmed, bytime;
byte x;

#define WAITG (WAIT_GRACE * fg)
#define WAITD (WAIT_DRAIN * D)
#define ENOUGH (L + WAITG + WAITD + (LATE_SUM -> LATE(L + WAITG + WAITD) : LATE(L)))
#define WMAX (L + G + D + LATE(L + G + D))

inline drop() {
	sess = 0; do :: nempty(T) -> T?x :: empty(T) -> break od; x = 0;
	live = 0; fetch = 0; poison = 0; pst = 0; hst = 0; bp = 0; age = 0; hbg = 0
}
inline push(m) { if :: full(T) -> drop() :: nfull(T) -> T!m fi }
inline forget() { cache = EMPTY; life = 0; left = 0; longer = 0 }
inline hear() {
	T?x;
	if
	:: x == INV -> cache = EMPTY; if :: UNSURE_ON_CHANGE -> sure = 0 :: else fi; if :: POISON && fetch != 0 -> poison = 1 :: else fi
	:: x == PONG -> pst = 3
	:: x == BAR -> if :: left -> forget() :: else fi; bp = 1
	:: x == PONG2 -> bp = 3
	fi;
	x = 0
}
inline grant() {
	if :: left -> cache = EMPTY; left = 0 :: else fi;
	live = 1;
	if
	:: age < L + hbg && L + hbg - age >= life -> life = L + hbg - age; longer = (hbg > 0)
	:: else
	fi;
	pst = 0; hst = 0; age = 0; hbg = 0
}
inline got() {
	if
	:: poison -> x = 0
	:: else -> cache = fetch - 2; if :: fetch - 2 == OLD -> sure = claim :: else fi
	fi;
	fetch = 0; poison = 0
}
inline nodetick() {
	if
	:: life > 0 -> life--; over = 0
	:: life == 0 && claim && END_AT_E -> over++; if :: over >= D -> claim = 0; sure = 0; over = 0 :: else fi
	:: else
	fi;
	if :: life == 0 -> longer = 0 :: else fi;
	if :: (pst != 0 || hst != 0) && age < L + G -> age++ :: else fi
}
inline look() { if :: ROSTER_AGAIN && declared > fg -> fg = declared :: else fi }
#define WTICK if :: fst == 3 && ftimer < WMAX -> ftimer++ :: else fi

#define BAD (claim || told || (life > 0 && cache == OLD))

active proctype all() {
	do
	:: confirmed && BAD -> assert(false) /* THE CLAIM */
#if REACH==1
	:: confirmed && !bytime -> assert(false)
#elif REACH==2
	:: confirmed && bytime && sess && live -> assert(false)
#elif REACH==3
	:: confirmed && bytime && fg == G && declared == G && cache == OLD && !acked -> assert(false)
#endif
	/* the node and its session */
	:: !sess -> d_step { sess = 1; if :: UNSURE_ON_SESSION -> sure = 0 :: else fi; if :: cache != EMPTY && life != 0 -> left = 1 :: else -> forget() fi }
	:: sess -> d_step { drop() }
	:: nempty(T) -> d_step { hear() }
	:: sess && pst == 0 && hst == 0 -> d_step { pst = 1; hst = 1; age = 0; hbg = useg }
	:: pst == 1 -> d_step { pst = 2; push(PONG) }
	:: hst == 1 -> d_step { hst = 2; if :: ONLY_SILENT -> ftimer = 0 :: else fi; if :: fst == 3 -> look() :: else fi }
	:: pst == 3 && hst == 2 -> d_step { grant() }
	:: live && fetch == 0 && (cache == EMPTY || (claim && !sure)) -> d_step { fetch = 1; poison = 0 }
	:: fetch == 1 -> fetch = 2 + val
	:: fetch >= 2 -> d_step { got() }
	:: bp == 1 && !pend -> d_step { bp = 2; push(PONG2) }
	:: bp == 3 && (!CLAIMS_AGREE || !claim || sure) -> d_step { bp = 0; acked = 1 }
	:: d_step { drop(); forget(); claim = 0; sure = 0; told = 0; over = 0 } /* restarted: its sockets are closed */
	/* claims */
	:: life > 0 && cache == OLD && !claim -> d_step { if :: CLAIM_AT_ANSWER -> claim = 1; over = 0; sure = (sess && live) :: else -> told = 1 fi }
	:: told -> d_step { told = 0; claim = 1; over = 0; sure = (sess && live && cache == OLD) }
	:: claim -> d_step { claim = 0; sure = 0; over = 0 }
	/* the grace */
	:: sess && !raised && DECLARE_FIRST -> d_step { raised = 1; declared = G }
	:: !raised && !DECLARE_FIRST -> d_step { raised = 1; useg = G }
	:: !DECLARE_FIRST && raised && declared == 0 && sess && !lowered -> declared = G
	:: sess && declared == G && useg == 0 && !lowered -> d_step { useg = G; if :: !GRACE_LATER && life > 0 && !longer -> life = life + G; longer = 1 :: else fi }
	:: useg == G && declared == G && !lowered -> d_step { useg = 0; lowered = 1 }
	:: lowered && declared == G && sess && (!LOWER_LAST || (!longer && hbg == 0)) -> declared = 0
	/* Redis and the writer */
	:: pend -> d_step { pend = 0; if :: sess -> push(INV) :: else fi }
	:: fst == 0 -> d_step { val = NEW; pend = 1; fst = 1 }
	:: fst == 1 && !pend -> fst = 2
	:: fst == 2 -> d_step { fst = 3; ftimer = 0; fg = declared; if :: sess -> push(BAR) :: else fi }
	:: fst == 3 && sess && empty(T) && bp == 0 && !acked -> T!BAR /* again and again */
	:: fst == 3 && acked -> d_step { confirmed = 1; fst = 4 }
	:: fst == 3 -> d_step { look(); if :: ftimer >= ENOUGH -> confirmed = 1; bytime = 1; fst = 4 :: else fi }
	/* time */
	:: d_step { if :: ran < RATE - 1 -> ran++ :: else fi; nodetick(); WTICK }
	:: ran >= RATE - 1 -> d_step { ran = 0; WTICK }
	od
}
