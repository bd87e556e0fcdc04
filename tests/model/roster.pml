/*
 * roster.pml - who is waited for: entering the roster, leaving it, two of one id
 *
 * One node id, on one host or (HOSTS=2) on two that were given the same instance
 * name. Processes start, are killed, start again; leave; are taken off by
 * `node rm`. The roster is replicated like everything else: there is a member
 * that may be promoted once, with whatever it has by then. Each process draws a
 * run; roster entry, beat and acknowledgement name it. One account changes its
 * owner, OLD -> NEW, by one writer.
 *
 * THE CLAIM: once the change is confirmed, no process has a running lease
 * together with OLD: no change is confirmed while a node that answers has neither
 * acknowledged it nor is waited for.
 *
 * Entering: write the entry, WAIT for all members, write "entered on all members"
 * into the node file; only then heartbeats, acknowledgements, leases. A restart
 * that finds its host's entry and such a file need not wait; if it must, the file
 * is taken back before the entry is written. An entry or a beat
 * of a run that is not of this host is a second holder: it is adopted, with WAIT
 * for all, when that beat has stood still for as long as a lease may last. A
 * heartbeat that finds entry or beat to be of another run ends the lease. Leaving:
 * the lease ends, then the file goes, then the entry, if it is still one's own (a
 * node that refuses the map's schema leaves in the same way, and enters again
 * later). `node rm` watches the beat stand still for as long, then removes the
 * entry if the beat has not moved since.
 *
 * Built otherwise, and not searched: another's entry is adopted after five seconds
 * of standing still already, but acknowledgements are held back until as long as a
 * lease may last (link_enter.c); whoever changes something waits that long for it,
 * because it beats and does not acknowledge.
 *
 * What a process knows of the value is as fence.pml has it; T is no queue here,
 * because there is one invalidation (as in window.pml). The third member, which
 * acknowledges what a heartbeat writes, and superseded masters: fence.pml.
 *
 * With two hosts only searches without a failover have ended: ADOPT_WAITS, and
 * STILL_SERVER for adopting, are not shown to be needed, nor is ACK_HELD.
 *
 * Not here: grace, claims (claims.pml), the snapshot, which node rm waits for too
 * (snapshot.pml), changes of the lease's length (window.pml).
 */
#ifndef HOSTS
#define HOSTS 1
#endif
#ifndef L
#define L 1		/* the lease, ticks; clocks: fence.pml */
#endif
#ifndef W
#define W L
#endif
#ifndef STARTS
#define STARTS 2	/* runs that are drawn in all */
#endif
#ifndef FO
#define FO 1		/* the member may be promoted */
#endif
#ifndef RM
#define RM 0		/* 1: node rm, once */
#endif
#ifndef LEAVES
#define LEAVES 0	/* how often a node leaves */
#endif

/* ---- the elements of the protocol */
#ifndef ENTER_WAITS
#define ENTER_WAITS 1	/* entering waits for all members */
#endif
#ifndef FILE_LAST
#define FILE_LAST 1	/* the node file is written after that; 0: before */
#endif
#ifndef NEEDS_FILE
#define NEEDS_FILE 1	/* a restart without the file waits for all members; 0: an entry that is there is enough */
#endif
#ifndef NEEDS_ENTRY
#define NEEDS_ENTRY 1	/* so does one that finds no entry, whatever the file says */
#endif
#ifndef FILE_FIRST
#define FILE_FIRST 1	/* the file is taken back before an entry is written that must be waited for */
#endif
#ifndef FILE_GOES
#define FILE_GOES 1	/* who leaves removes the file first */
#endif
#ifndef LEASE_GOES
#define LEASE_GOES 1	/* and ends its lease before that */
#endif
#ifndef LEAVE_MINE
#define LEAVE_MINE 1	/* and removes only an entry of its own run */
#endif
#ifndef BEAT_ENTRY
#define BEAT_ENTRY 1	/* a heartbeat that finds another's entry, or none, grants nothing; 0: only none; 2: nothing is looked at */
#endif
#ifndef BEAT_BEAT
#define BEAT_BEAT 1	/* nor one that finds another's beat */
#endif
#ifndef STILL
#define STILL 1		/* another's beat has stood still before it is adopted; 0: at once */
#endif
#ifndef STILL_SERVER
#define STILL_SERVER 1	/* at one server: after a change of master the watch begins anew, also that of node rm */
#endif
#ifndef ADOPT_GUARD
#define ADOPT_GUARD 1	/* adopting is one transaction with the last look */
#endif
#ifndef ADOPT_WAITS
#define ADOPT_WAITS 1	/* adopting waits for all members, whatever the file says */
#endif
#ifndef ACK_HELD
#define ACK_HELD 1	/* only who has entered acknowledges; 0: whoever hears the barrier */
#endif
#ifndef ACK_RUN
#define ACK_RUN 1	/* an acknowledgement counts for the run that it names; 0: for the id */
#endif
#ifndef RM_WAITS
#define RM_WAITS 1	/* node rm waits first; 0: removes, and then waits */
#endif
#ifndef RM_GUARD
#define RM_GUARD 1	/* and removes in one transaction with the last look */
#endif
#ifndef CLONE
#define CLONE 0		/* 1: the hosts' state directories are copies: each takes the other's runs for its own */
#endif
#ifndef REACH
#define REACH 0		/* 1: an adopted id answers; 2: without WAIT after a restart, promoted; 3: taken off, entered again */
#endif

#define NOBODY 0	/* runs are 1 and more */
/* Redis: the master, the entry, the last beat, the value; what the member has of the first and the last */
bool m; byte ent, beat, bent, bbeat; bool new, bnew;
/* processes: the run (0: down), OLD in memory, lease, the file */
byte ran[HOSTS], lease[HOSTS]; bool old[HOSTS], file[HOSTS];
/* sessions: 0 none, 1 looks, 2 decided, 3 entry written, 4 entered; how long the other's beat stood still, has it moved since the last look */
byte sess[HOSTS], still[HOSTS]; bool moved[HOSTS], adopts[HOSTS], live[HOSTS], inv[HOSTS];
byte pst[HOSTS], hst[HOSTS], age[HOSTS]; bool iafter[HOSTS];	/* hst 3: refused */
byte bst[HOSTS]; bool bafter[HOSTS], going[HOSTS];
byte hostof[STARTS + 1], starts, leaves;
/* node rm: 1 watches, 2 decided; the writer: 1 changed, 2 waits for members, 3 for nodes */
byte rst, rtime; bool rmoved, rdone;
byte fst, ftime, fent, facked; bool confirmed;
byte k;

inline drop(h) {
	sess[h] = 0; still[h] = 0; moved[h] = 0; adopts[h] = 0; live[h] = 0; inv[h] = 0; pst[h] = 0; hst[h] = 0; age[h] = 0; iafter[h] = 0; bst[h] = 0; bafter[h] = 0
}
inline forget(h) { old[h] = 0; lease[h] = 0 }
#define KNOWN(h, r) ((r) == NOBODY || hostof[r] == h || CLONE)
#define FOREIGN(h) (!KNOWN(h, ent) || !KNOWN(h, beat))
inline sync() { bent = ent; bbeat = beat; bnew = new }
#define SYNCED (m || (bent == ent && bbeat == beat && bnew == new))
inline beaten(h) { /* a beat was written */
	beat = ran[h]; k = 0;
	do :: k < HOSTS -> if :: k != h && sess[k] != 0 && sess[k] < 3 -> moved[k] = 1 :: else fi; k++ :: k >= HOSTS -> break od; k = 0;
	if :: rst != 0 -> rmoved = 1 :: else fi;
	if :: fst == 3 -> ftime = 0 :: else fi
}
inline decide(h) { /* what a session finds */
	if
	:: FOREIGN(h) && STILL && (moved[h] || still[h] < W) -> if :: moved[h] -> still[h] = 0; moved[h] = 0 :: else fi
	:: else -> sess[h] = 2; adopts[h] = FOREIGN(h)
	fi
}
inline enter(h) {
	if
	:: adopts[h] && ADOPT_GUARD && moved[h] -> sess[h] = 1; still[h] = 0; moved[h] = 0; adopts[h] = 0
	:: !adopts[h] && FOREIGN(h) -> sess[h] = 1; still[h] = 0; moved[h] = 0
	:: else ->
		if
		:: ((ent != NOBODY || !NEEDS_ENTRY) && (file[h] || !NEEDS_FILE) && !(adopts[h] && ADOPT_WAITS)) || !ENTER_WAITS -> sess[h] = 4
		:: else -> sess[h] = 3; if :: !FILE_LAST -> file[h] = 1 :: FILE_LAST && FILE_FIRST -> file[h] = 0 :: else fi
		fi;
		ent = ran[h]; beaten(h); still[h] = 0; moved[h] = 0; adopts[h] = 0
	fi
}
#define REFUSED(h) ((BEAT_ENTRY == 1 && ent != ran[h]) || (BEAT_ENTRY == 0 && ent == NOBODY) || (BEAT_BEAT && !(beat == NOBODY || beat == ran[h])))
inline reply(h) {
	if
	:: hst[h] == 3 -> forget(h); drop(h)
	:: hst[h] == 2 ->
		if :: !live[h] -> old[h] = 0 :: else fi;
		live[h] = 1;
		if :: age[h] < L && L - age[h] > lease[h] -> lease[h] = L - age[h] :: else fi;
		pst[h] = 0; hst[h] = 0; age[h] = 0; iafter[h] = 0
	fi
}
inline acknowledge(h) {
	if :: fst == 3 -> facked = ran[h] :: else fi; bst[h] = 0; bafter[h] = 0
}
inline promote() {
	m = 1; ent = bent; beat = bbeat; new = bnew;
	k = 0; do :: k < HOSTS -> drop(k); k++ :: k >= HOSTS -> break od; k = 0;
	if :: STILL_SERVER && rst != 0 -> rst = 1; rtime = 0; rmoved = 0 :: !STILL_SERVER -> rmoved = 0 :: else fi;
	if
	:: fst == 0 || fst == 4
	:: fst != 0 && fst != 4 && new -> fst = 1; ftime = 0; facked = 0; fent = 0
	:: fst != 0 && fst != 4 && !new -> fst = 5 /* not confirmed: nothing was promised */
	fi
}
#define CAN(h) (h < HOSTS && ran[h] != 0 && !going[h])
#define HOST(h) \
 :: h < HOSTS && ran[h] == 0 && starts < STARTS -> d_step { starts++; ran[h] = starts; hostof[starts] = h } \
 :: h < HOSTS && ran[h] != 0 -> d_step { drop(h); forget(h); ran[h] = 0; going[h] = 0 } /* killed */ \
 :: CAN(h) && sess[h] == 0 -> d_step { sess[h] = 1; if :: lease[h] == 0 -> old[h] = 0 :: else fi } \
 :: CAN(h) && sess[h] != 0 -> d_step { drop(h) } \
 :: h < HOSTS && inv[h] -> d_step { inv[h] = 0; old[h] = 0 } \
 :: CAN(h) && sess[h] == 1 -> d_step { decide(h) } \
 :: CAN(h) && sess[h] == 2 -> d_step { enter(h) } \
 :: CAN(h) && sess[h] == 3 && SYNCED -> d_step { sess[h] = 4; file[h] = 1 } \
 :: CAN(h) && sess[h] == 4 && pst[h] == 0 && hst[h] == 0 -> d_step { pst[h] = 1; hst[h] = 1; age[h] = 0 } \
 :: h < HOSTS && pst[h] == 1 -> d_step { pst[h] = 2; iafter[h] = inv[h] } \
 :: h < HOSTS && hst[h] == 1 -> d_step { hst[h] = (REFUSED(h) -> 3 : 2); beaten(h) } \
 :: h < HOSTS && (hst[h] == 3 || (pst[h] == 2 && hst[h] == 2 && !(iafter[h] && inv[h]))) -> d_step { reply(h) } \
 :: h < HOSTS && live[h] && lease[h] > 0 && !old[h] && !new -> old[h] = 1 \
 :: CAN(h) && sess[h] != 0 && (sess[h] == 4 || !ACK_HELD) && bst[h] == 0 && fst == 3 && facked != ran[h] -> d_step { bst[h] = 1; if :: !live[h] -> forget(h) :: else fi } \
 :: h < HOSTS && bst[h] == 1 -> d_step { bst[h] = 2; bafter[h] = inv[h] } \
 :: h < HOSTS && bst[h] == 2 && !(bafter[h] && inv[h]) -> d_step { acknowledge(h) } \
 :: CAN(h) && sess[h] != 0 && leaves < LEAVES -> d_step { \
	leaves++; going[h] = 1; drop(h); if :: LEASE_GOES -> forget(h) :: else fi; if :: FILE_GOES -> file[h] = 0 :: else fi } \
 :: h < HOSTS && going[h] -> d_step { going[h] = 0; if :: !LEAVE_MINE || ent == ran[h] -> ent = NOBODY :: else fi }

inline tick() {
	k = 0;
	do
	:: k < HOSTS ->
		if :: lease[k] > 0 -> lease[k]-- :: else fi;
		if :: lease[k] == 0 && !live[k] -> old[k] = 0 :: else fi;
		if :: (pst[k] != 0 || hst[k] != 0) && age[k] < L -> age[k]++ :: else fi;
		if :: sess[k] == 1 && still[k] < W -> still[k]++ :: else fi;
		k++
	:: k >= HOSTS -> break
	od;
	k = 0;
	if :: rst == 1 && rtime < W -> rtime++ :: else fi;
	if :: fst == 3 && ftime < W -> ftime++ :: else fi
}
#define BAD(h) (lease[h] > 0 && old[h])
/* Nothing is left that could break it: nobody has OLD, or the change was given up. */
#define OVER (fst == 5 || (new && (bnew || m) && !old[0] && !old[HOSTS - 1]))

active proctype all() {
	do
	:: OVER -> break
	:: atomic { !OVER -> if
	:: confirmed && (BAD(0) || BAD(HOSTS - 1)) -> assert(false) /* THE CLAIM */
#if REACH==1
	:: ran[0] != 0 && BAD(0) && ent == ran[0] && hostof[1] == 1 && starts == 2 -> assert(false)
#elif REACH==2
	:: m && starts == 2 && ran[0] == 2 && BAD(0) && fst == 3 && ent == 2 -> assert(false)
#elif REACH==3
	:: rdone && ent == ran[0] && BAD(0) && fst == 3 -> assert(false)
#endif
	HOST(0)
#if HOSTS>1
	HOST(1)
#endif
	/* the member */
	:: !SYNCED -> d_step { sync() }
	:: FO && !m -> d_step { promote() }
	/* node rm */
	:: RM && rst == 0 && !rdone && ent != NOBODY -> d_step { if :: RM_WAITS -> rst = 1; rtime = 0; rmoved = 0 :: else -> rdone = 1; ent = NOBODY fi }
	:: rst == 1 -> d_step { if :: rmoved -> rmoved = 0; rtime = 0 :: !rmoved && rtime >= W -> rst = 2 :: else fi }
	:: rst == 2 -> d_step { if :: RM_GUARD && rmoved -> rst = 1; rmoved = 0; rtime = 0 :: else -> ent = NOBODY; rst = 0; rtime = 0; rmoved = 0; rdone = 1 fi }
	/* the writer */
	:: fst == 0 -> d_step { new = 1; fst = 1; k = 0; do :: k < HOSTS -> inv[k] = (sess[k] != 0); k++ :: k >= HOSTS -> break od; k = 0 }
	:: fst == 1 && (m || bnew) -> d_step { fst = 3; ftime = 0; facked = 0; fent = ent; if :: ent == NOBODY -> confirmed = 1; fst = 4 :: else fi }
	:: fst == 3 -> d_step { /* a look: who is in the roster now, and how long has it been silent */
		fent = ent;
		if
		:: fent == NOBODY || (facked != 0 && (facked == fent || !ACK_RUN)) || ftime >= W -> confirmed = 1; fst = 4
		:: else
		fi }
	/* time */
	:: d_step { tick() }
	fi }
	od
}
