/*
 * fence.pml - nobody answers a stale owner: leases, acknowledgement, failover
 *
 * One account, one change of owner OLD -> NEW by one writer, ND nodes, three
 * Redis members, a hostile Sentinel. Messages are delayed without bound,
 * sessions end at any time, nodes restart, clocks drift. A partition is a
 * session whose messages stay undelivered, or one that has ended.
 *
 * THE CLAIM: once the change is confirmed, no node has a running lease together
 * with the former owner in memory. (A fetched answer passes through memory, so
 * answers from a fetch are covered.)
 *
 * As in src/map: a session is live from its first heartbeat that succeeded;
 * until then what an older session left, entries and lease, stays usable, and
 * nothing is read (link.c). An entry whose stamps moved is no hit, a fetch whose
 * stamps moved while it was in flight is no answer (cache.c): one bit each here.
 * A lease counts from the sending of the heartbeat and never gets shorter
 * (lease.c). With them the rest of the protocol: the permanent roster, the
 * barrier and its acknowledgement, the write in the heartbeat and its WAIT, the
 * writer that waits for all members and then for all nodes.
 *
 * Not here: several accounts and the domain's owner (answer.pml), holds
 * (hold.pml), claims, grace and changes of the lease's length (claims.pml), what
 * is on disk (snapshot.pml); members that are added; heartbeats that overlap
 * (each grants at most what it would grant alone).
 *
 * Each element of the protocol is a switch; the defaults are the design.
 */
#ifndef ND
#define ND 1		/* nodes: 1 or 2 */
#endif
#ifndef L
#define L 2		/* the lease, ticks */
#endif
#ifndef DRIFT
#define DRIFT 1		/* ticks that a node's clock may miss */
#endif
#ifndef W
#define W (L + DRIFT)	/* how long the writer waits for nodes that do not acknowledge */
#endif
#ifndef CAP
#define CAP 3		/* output buffer of a tracking connection, messages; overflow: the server closes it */
#endif

/* ---- the elements of the protocol */
#ifndef FLIP_ALL
#define FLIP_ALL 1	/* the writer's WAIT is for all other members; 0: for one */
#endif
#ifndef HB_WRITE
#define HB_WRITE 1	/* a heartbeat contains a write and WAIT HBQ; 0: it only reads */
#endif
#ifndef HBQ
#define HBQ 1
#endif
#ifndef POISON
#define POISON 1	/* an invalidation counts for fetches in flight too */
#endif
#ifndef FROM_SENDING
#define FROM_SENDING 1	/* the lease counts from the sending of the heartbeat; 0: from its reply */
#endif
#ifndef ECHO
#define ECHO 1		/* a barrier is acknowledged after PING and PONG on T */
#endif
#ifndef SECOND_TRIP
#define SECOND_TRIP 1	/* the writer has the reply to a second request before it goes on */
#endif
#ifndef PIPELINED
#define PIPELINED 0	/* 1: the barrier is published in the same turn of Redis as the change */
#endif
#ifndef ONE_SERVER
#define ONE_SERVER 1	/* D reads from the process that T tracks; 0: from any */
#endif
#ifndef OLD_ENTRIES
#define OLD_ENTRIES 1	/* of the last session: dropped 0: at connecting, 1: at the first lease (as built), 2: never */
#endif
#ifndef BAR_DROPS
#define BAR_DROPS 1	/* a barrier drops what is left of the last session before it is acknowledged */
#endif
#ifndef FETCH_EARLY
#define FETCH_EARLY 0	/* 1: a session reads before it is live */
#endif
#ifndef ROSTER_TTL
#define ROSTER_TTL 0	/* 1: entries of the roster expire */
#endif
#ifndef USE_LEASE
#define USE_LEASE 1	/* 0: a node answers while it believes in its session; only connected ones are waited for */
#endif
#ifndef MAP_ID
#define MAP_ID 1	/* 0: an absent key is the default, OLD, even where the map's id is gone */
#endif
#ifndef EPOCH
#define EPOCH 0		/* 1: who saw an epoch refuses a map with a lower one */
#endif

/* ---- what may go wrong */
#ifndef FO
#define FO 2		/* how many promotions and changes of master */
#endif
#ifndef STICKY_ACK
#define STICKY_ACK 0	/* 1: WAIT counts replicas one by one, and has not noticed who left since */
#endif
#ifndef SANE
#define SANE 0		/* 1: nobody is made replica of a master that was superseded */
#endif
#ifndef DECLARED
#define DECLARED 0	/* 1: member 0 may be declared dead; it may be alive, but is never promoted and gets no replicas */
#endif
#ifndef CRASH_EMPTY
#define CRASH_EMPTY 0	/* 1: a member comes back empty, once */
#endif
#ifndef CRASH_OLD
#define CRASH_OLD 0	/* 1: a member comes back with what it had before the change, once */
#endif
#ifndef REPLICAS
#define REPLICAS 0	/* 1: sessions to replicas */
#endif

#define N 3
#define NONE 3		/* no session */
#define OLD 0		/* values, and what a node remembers */
#define NEW 1
#define ABSENT 2
#define EMPTY 3
#define INV 1		/* messages on T */
#define PONG 2
#define BAR 3
#define PONG2 4

#define NOTHING x = 0
#if EPOCH
#define SEEN(d) seen[d] = 1
#else
#define SEEN(d) x = 0
#endif
#define FORGET(d) cache[d] = EMPTY; lease[d] = 0; left[d] = 0

/* Redis: whose replica (its own: master), the value, invalidations not sent yet */
byte mof[N]; byte val[N]; bool pend[N]; bool stale[N]; bool barq[N];
/* nodes: session, entry, is it of an older session, fetch (1 sent, 2+ value read), lease, the heartbeat's age and halves */
byte sess[ND]; bool live[ND]; byte cache[ND]; bool left[ND]; byte fetch[ND]; bool poison[ND]; byte lease[ND]; byte age[ND];
byte pst[ND]; byte wst[ND]; byte bp[ND]; bool acked[ND]; byte missed[ND]; bool roster[ND]; bool seen[ND]; bool half[ND];
chan T[ND] = [CAP] of { byte };
/* the writer: step (9: gave up, nothing was promised), its master, its clock */
byte fst, fm, ftimer, fo, crashes; bool wa1, wa2, dead0, confirmed;
byte k, x;

inline drop(d) {
	sess[d] = NONE; do :: nempty(T[d]) -> T[d]?x :: empty(T[d]) -> break od; x = 0;
	live[d] = 0; fetch[d] = 0; poison[d] = 0; pst[d] = 0; wst[d] = 0; bp[d] = 0; age[d] = 0; half[d] = 0;
#if USE_LEASE==0
	lease[d] = 0; cache[d] = EMPTY;
#endif
}
inline push(d, m) { if :: full(T[d]) -> drop(d) :: nfull(T[d]) -> T[d]!m fi }
inline tell(i, m) { k = 0; do :: k < ND -> if :: sess[k] == i && !half[k] -> push(k, m) :: else fi; k++ :: k >= ND -> break od; k = 0 }
inline killc(i) { k = 0; do :: k < ND -> if :: sess[k] == i -> drop(k) :: else fi; k++ :: k >= ND -> break od; k = 0 }
inline sync(j, i) { if :: val[j] != val[i] -> val[j] = val[i]; pend[j] = 1 :: else fi } /* j takes the state of i */

#define OTHER1(i) ((i + 1) % N)
#define OTHER2(i) ((i + 2) % N)
#define MASTER(i) (mof[i] == i)
/* A replica acknowledges after the turn that applied the write, so after its own invalidations. */
#define HAS(j, i) (mof[j] == i && val[j] == val[i] && !pend[j])
#define NEED(j, i) (HAS(j, i) || (dead0 && j == 0))
#define ALL_HAVE(i) (!(dead0 && i == 0) && NEED(OTHER1(i), i) && NEED(OTHER2(i), i))
#define ONE_HAS(i) (HAS(OTHER1(i), i) || HAS(OTHER2(i), i))

/* ---- a node */

inline connect(d, i) {
	if
	:: (MASTER(i) || REPLICAS) ->
		sess[d] = i;
		if
		:: OLD_ENTRIES == 0 || (OLD_ENTRIES == 1 && (cache[d] == EMPTY || lease[d] == 0)) -> FORGET(d)
		:: OLD_ENTRIES == 1 && cache[d] != EMPTY && lease[d] != 0 -> left[d] = 1
		:: else
		fi
#if USE_LEASE==0
		; lease[d] = 1
#endif
	:: else
	fi
}
inline hear(d) {
	T[d]?x;
	if
	:: x == INV -> cache[d] = EMPTY; if :: POISON && fetch[d] != 0 -> poison[d] = 1 :: else fi
	:: x == PONG -> pst[d] = 3
	:: x == BAR -> if :: BAR_DROPS && left[d] -> FORGET(d) :: else fi; if :: ECHO -> bp[d] = 1 :: else -> acked[d] = 1; SEEN(d) fi
	:: x == PONG2 -> bp[d] = 0; acked[d] = 1; SEEN(d)
	fi;
	x = 0
}
inline grant(d) { /* the first of a session drops what an older one left; the longer lease counts */
	if :: left[d] -> cache[d] = EMPTY; left[d] = 0 :: else fi;
	live[d] = 1;
#if FROM_SENDING
	if :: age[d] < L && L - age[d] > lease[d] -> lease[d] = L - age[d] :: else fi;
#else
	lease[d] = L;
#endif
	pst[d] = 0; wst[d] = 0; age[d] = 0
}
inline got(d) {
	if
	:: poison[d] -> NOTHING
	:: else ->
		if
		:: fetch[d] - 2 == ABSENT -> if :: MAP_ID -> NOTHING :: else -> cache[d] = OLD fi
		:: fetch[d] - 2 == OLD && EPOCH && seen[d] -> lease[d] = 0 /* the map went back */
		:: else -> cache[d] = fetch[d] - 2; if :: cache[d] == NEW -> SEEN(d) :: else fi
		fi
	fi;
	fetch[d] = 0; poison[d] = 0
}
#define UP(d) d < ND && fst != 9 && sess[d] != NONE
#define NODE(d) \
 :: d < ND && fst != 9 && sess[d] == NONE -> d_step { connect(d, 0) } \
 :: d < ND && fst != 9 && sess[d] == NONE -> d_step { connect(d, 1) } \
 :: d < ND && fst != 9 && sess[d] == NONE -> d_step { connect(d, 2) } \
 :: UP(d) -> d_step { drop(d) } \
 :: UP(d) && nempty(T[d]) -> d_step { hear(d) } \
 :: UP(d) && pst[d] == 0 && wst[d] == 0 -> d_step { pst[d] = 1; age[d] = 0; if :: HB_WRITE -> wst[d] = 1 :: else -> wst[d] = 3 fi } \
 :: UP(d) && pst[d] == 1 -> d_step { pst[d] = 2; push(d, PONG) } \
 :: UP(d) && wst[d] == 1 -> d_step { if :: MASTER(sess[d]) -> if :: HBQ == 0 -> wst[d] = 3 :: else -> wst[d] = 2 fi :: else -> drop(d) fi } \
 :: UP(d) && wst[d] == 2 && MASTER(sess[d]) && mof[OTHER1(sess[d])] == sess[d] -> d_step { sync(OTHER1(sess[d]), sess[d]); wst[d] = 3 } \
 :: UP(d) && wst[d] == 2 && MASTER(sess[d]) && mof[OTHER2(sess[d])] == sess[d] -> d_step { sync(OTHER2(sess[d]), sess[d]); wst[d] = 3 } \
 :: UP(d) && pst[d] == 3 && wst[d] == 3 -> d_step { grant(d) } \
 :: UP(d) && (live[d] || FETCH_EARLY) && fetch[d] == 0 && cache[d] == EMPTY -> d_step { fetch[d] = 1; poison[d] = 0 } \
 :: UP(d) && fetch[d] == 1 -> d_step { fetch[d] = 2 + val[sess[d]] } \
 :: !ONE_SERVER && UP(d) && fetch[d] == 1 -> d_step { fetch[d] = 2 + val[OTHER1(sess[d])] } \
 :: UP(d) && fetch[d] >= 2 -> d_step { got(d) } \
 :: UP(d) && bp[d] == 1 && !pend[sess[d]] -> d_step { bp[d] = 2; push(d, PONG2) } \
 :: d < ND -> d_step { drop(d); FORGET(d) } /* restarted */ \
 :: USE_LEASE == 0 && d < ND && sess[d] != NONE && !half[d] -> half[d] = 1 /* the server lost us, we do not know */ \
 :: ROSTER_TTL && d < ND && fst != 9 && roster[d] -> roster[d] = 0

/* ---- a member of Redis, and Sentinel */

#define MAY(i) fst != 9 && fo < FO && !(dead0 && i == 0)
inline promote(i) { fo++; mof[i] = i; stale[i] = 0; if :: SANE -> supersede(i) :: else fi }
inline supersede(i) { k = 0; do :: k < N -> if :: k != i && mof[k] == k -> stale[k] = 1 :: else fi; k++ :: k >= N -> break od; k = 0 }
#define MEMBER(i) \
 :: mof[i] != i && val[i] != val[mof[i]] -> d_step { sync(i, mof[i]) } \
 :: pend[i] -> d_step { pend[i] = 0; tell(i, INV) } \
 :: barq[i] && mof[i] == fm && val[i] == NEW -> d_step { barq[i] = 0; tell(i, BAR) } \
 :: MAY(i) && mof[i] != i -> d_step { promote(i) } \
 :: MAY(i) && mof[i] != i -> d_step { promote(i); killc(i) } \
 :: MAY(OTHER1(i)) && mof[i] != OTHER1(i) && MASTER(OTHER1(i)) && !stale[OTHER1(i)] -> d_step { fo++; mof[i] = OTHER1(i); stale[i] = 0 } \
 :: MAY(OTHER2(i)) && mof[i] != OTHER2(i) && MASTER(OTHER2(i)) && !stale[OTHER2(i)] -> d_step { fo++; mof[i] = OTHER2(i); stale[i] = 0; killc(i) } \
 :: CRASH_EMPTY && crashes < 1 && val[i] != ABSENT -> d_step { crashes++; val[i] = ABSENT; pend[i] = 0; killc(i) } \
 :: CRASH_OLD && crashes < 1 && val[i] == NEW -> d_step { crashes++; val[i] = OLD; pend[i] = 0; killc(i) }

/* ---- the writer, and time */

#define DONE(d) (d >= ND || acked[d] || !roster[d] || (USE_LEASE == 0 && (sess[d] != fm || half[d])))
#define FLIP(i) \
 :: fst == 0 && MASTER(i) && val[i] == OLD -> d_step { val[i] = NEW; pend[i] = 1; fm = i; fst = 1; if :: PIPELINED -> tell(i, BAR) :: else fi }

/* A tick of every clock but that of node e. */
inline tick(e) {
	k = 0;
	do
	:: k < ND ->
		if :: k != e && USE_LEASE && lease[k] > 0 -> lease[k]-- :: else fi;
		if :: k != e && (pst[k] != 0 || wst[k] != 0) && age[k] < L -> age[k]++ :: else fi;
		k++
	:: k >= ND -> break
	od;
	k = 0;
	if :: fst >= 3 && fst < 5 && ftimer < W -> ftimer++ :: else fi
}

#define BAD(d) (lease[d] > 0 && cache[d] == OLD)

proctype all() {
	do
	:: fst == 9 -> break
	:: confirmed && (BAD(0) || BAD(ND - 1)) -> assert(false) /* THE CLAIM */
	NODE(0)
#if ND>1
	NODE(1)
#endif
	MEMBER(0) MEMBER(1) MEMBER(2)
	FLIP(0) FLIP(1) FLIP(2)
	:: DECLARED && !dead0 && fst != 9 -> dead0 = 1
	:: fst == 1 && (!SECOND_TRIP || !pend[fm]) -> fst = 2
	:: fst == 1 && !MASTER(fm) -> fst = 9
	:: fst == 2 && MASTER(fm) && val[fm] == NEW && ((FLIP_ALL && (ALL_HAVE(fm) || (wa1 && wa2))) || (!FLIP_ALL && ONE_HAS(fm))) -> d_step { fst = 3; ftimer = 0 }
	:: STICKY_ACK && fst == 2 && !wa1 && HAS(OTHER1(fm), fm) -> wa1 = 1
	:: STICKY_ACK && fst == 2 && !wa2 && HAS(OTHER2(fm), fm) -> wa2 = 1
	:: fst == 2 && !MASTER(fm) -> fst = 9
	:: fst == 3 -> d_step { fst = 4; if :: !PIPELINED -> tell(fm, BAR) :: else fi; if :: REPLICAS -> barq[OTHER1(fm)] = 1; barq[OTHER2(fm)] = 1 :: else fi }
	:: fst == 4 && ((DONE(0) && DONE(1)) || (USE_LEASE && ftimer >= W)) -> d_step { confirmed = 1; fst = 5 }
	:: d_step { tick(ND) }
#if DRIFT>0
	:: missed[0] < DRIFT -> d_step { missed[0]++; tick(0) }
#if ND>1
	:: missed[1] < DRIFT -> d_step { missed[1]++; tick(1) }
#endif
#endif
	od
}

init {
	d_step {
		k = 0; do :: k < N -> mof[k] = 0; k++ :: k >= N -> break od;
		k = 0; do :: k < ND -> sess[k] = NONE; cache[k] = EMPTY; roster[k] = 1; k++ :: k >= ND -> break od;
		k = 0
	}
	run all()
}
