/*
 * domains.pml - the list of managed domains: what is not in it is unmanaged
 *
 * One domain d, not managed at first: who asks for it is told so, and Postfix
 * routes its mail as if there were no splitmx. One change gives it an owner, and
 * it is confirmed as fence.pml has it. One node, one Redis.
 *
 * THE CLAIM: once that change is confirmed, the node does not answer "unmanaged"
 * for d while its lease runs; nor, lease or none, once it has acknowledged it.
 *
 * As in domains.c: d is in the table or not, and if it is, it is sure, or to be
 * looked at (EXISTS), or changed while it was looked at. The table is complete
 * after a whole survey (SCAN) of this session; what is not in a complete table
 * is unmanaged. Between sessions the last complete table stays in use. SCAN is
 * a step that reads d at some moment between begin and end.
 *
 * A limit that is meant: without a lease "unmanaged" is still answered from the
 * last complete table, because most of what Postfix asks is about the rest of
 * the world, and it must not wait for a Redis that is away. So a node that was
 * cut off before d became managed says "unmanaged" until it hears of it, after
 * any time (ALWAYS). The setting "domains" is for whoever cannot have that.
 *
 * Not here: the owner's value (fence.pml, answer.pml), failover, several domains.
 */
#ifndef L
#define L 2		/* the lease, ticks */
#endif
#ifndef W
#define W L		/* how long the writer waits (clocks: fence.pml) */
#endif
#define CAP 3

/* ---- the elements of the protocol */
#ifndef SESSION_ENDS
#define SESSION_ENDS 1	/* a session's first lease ends the list of older ones; 0: only while the session lasts */
#endif
#ifndef ALL_ENDS
#define ALL_ENDS 1	/* so does "everything may have changed"; 0: only while the session lasts */
#endif
#ifndef BARRIER_ENDS
#define BARRIER_ENDS 1	/* so does a barrier before the first lease, which is acknowledged without one */
#endif
#ifndef CHANGE_ADDS
#define CHANGE_ADDS 1	/* a change puts d into the table, to be looked at */
#endif
#ifndef LOOK_AGAIN
#define LOOK_AGAIN 1	/* what changed while it was looked at is looked at again */
#endif
#ifndef SURVEY_KEEPS
#define SURVEY_KEEPS 1	/* the end of a survey removes only what is sure; 0: all that it did not see */
#endif
#ifndef DUE_AGAIN
#define DUE_AGAIN 1	/* a survey that "everything" has overtaken completes nothing */
#endif
#ifndef D_ORDER
#define D_ORDER 1	/* survey and looks read on one connection: what was sent first is answered first */
#endif
#ifndef NEW_SURVEY
#define NEW_SURVEY 1	/* a new session's list is read anew; 0: the old one is complete at once */
#endif
#ifndef ALWAYS
#define ALWAYS 0	/* 1: the claim without lease and acknowledgement */
#endif
#ifndef REACH
#define REACH 0		/* 1: confirmed by acknowledgement while a survey runs; 2: by time; 3: unmanaged by a list of this session */
#endif

#define ABSENT 0	/* d in the table */
#define SURE 1
#define QUEUED 2
#define LOOKING 3
#define CHANGED 4
#define INV 1		/* messages on T */
#define ALL 2
#define PONG 3
#define BAR 4
#define PONG2 5

bool val, pend;				/* Redis: d has an owner */
chan T = [CAP] of { byte };
bool sess, live, complete, was = 1, due, surveying, scanned, seen, before; /* before: a look was sent before the survey */
byte d, look, lease, age, pst, bp;	/* look: 1 sent, 2 found nothing, 3 found d */
byte fst, ftimer, alls; bool blip;
bool acked, confirmed, bytime;
byte x;

#define COMPLETE (live -> complete : was)
#define UNMANAGED (d == ABSENT && COMPLETE)

inline drop() {
	sess = 0; do :: nempty(T) -> T?x :: empty(T) -> break od; x = 0;
	live = 0; surveying = 0; scanned = 0; seen = 0; before = 0; look = 0; pst = 0; bp = 0; age = 0
}
inline push(m) { if :: full(T) -> drop() :: nfull(T) -> T!m fi }
inline change() {
	if
	:: !CHANGE_ADDS -> x = 0
	:: CHANGE_ADDS && (d == ABSENT || d == SURE) -> d = QUEUED
	:: CHANGE_ADDS && d == LOOKING -> if :: LOOK_AGAIN -> d = CHANGED :: else fi
	:: else
	fi
}
inline begin() { /* domains_session() */
	live = 1; complete = !NEW_SURVEY; due = 1; if :: SESSION_ENDS -> was = 0 :: else fi;
	if :: d == LOOKING || d == CHANGED -> d = QUEUED :: else fi
}
inline grant() {
	if :: !live -> begin() :: else fi;
	if :: age < L && L - age > lease -> lease = L - age :: else fi;
	pst = 0; age = 0
}
inline hear() {
	T?x;
	if
	:: x == INV -> change()
	:: x == ALL -> complete = 0; due = 1; if :: ALL_ENDS -> was = 0 :: else fi
	:: x == PONG -> grant()
	:: x == BAR -> bp = 1; if :: !live -> lease = 0; if :: BARRIER_ENDS -> was = 0 :: else fi :: else fi
	:: x == PONG2 -> bp = 0; acked = 1
	fi;
	x = 0
}
inline survey_end() {
	surveying = 0;
	if
	:: due && DUE_AGAIN -> seen = 0
	:: else ->
		if
		:: !seen && (d == SURE || (!SURVEY_KEEPS && d != ABSENT)) -> d = ABSENT
		:: else
		fi;
		complete = 1; was = 1
	fi;
	scanned = 0; seen = 0
}
inline settle() {
	if
	:: d == CHANGED -> d = QUEUED
	:: d == LOOKING && look == 3 -> d = SURE; seen = 1 /* the survey that runs counts it as seen */
	:: d == LOOKING && look == 2 -> d = ABSENT
	:: else
	fi;
	look = 0; before = 0
}
#define BAD (UNMANAGED && ((confirmed && (lease > 0 || ALWAYS)) || (acked && fst >= 3)))

active proctype all() {
	do
	:: BAD -> assert(false) /* THE CLAIM */
#if REACH==1
	:: confirmed && acked && surveying && live && d == ABSENT -> assert(false)
#elif REACH==2
	:: confirmed && bytime && lease > 0 && d == QUEUED -> assert(false)
#elif REACH==3
	:: live && complete && UNMANAGED && val && alls == 1 -> assert(false)
#endif
	/* the node, its session */
	:: !sess -> sess = 1
	:: sess -> d_step { drop() }
	:: nempty(T) -> d_step { hear() }
	:: sess && pst == 0 -> d_step { pst = 1; age = 0 }
	:: pst == 1 -> d_step { if :: fst == 3 -> ftimer = 0 :: else fi; pst = 2; push(PONG) }
	:: bp == 1 && !pend -> d_step { bp = 2; push(PONG2) }
	/* the survey, and looks */
	:: live && due && !surveying -> d_step { due = 0; surveying = 1; scanned = 0; seen = 0; before = (D_ORDER && look != 0) }
	:: surveying && !scanned && !before -> d_step { scanned = 1; if :: val -> seen = 1; if :: d == ABSENT -> d = SURE :: else fi :: else fi }
	:: surveying && scanned -> d_step { survey_end() }
	:: live && d == QUEUED && look == 0 -> d_step { d = LOOKING; look = 1 }
	:: look == 1 -> look = 2 + val
	:: look >= 2 -> d_step { settle() }
	/* restarted: nothing is remembered */
	:: d_step { drop(); lease = 0; d = ABSENT; complete = 0; was = 0; due = 0 }
	/* Redis and the writer */
	:: pend -> d_step { pend = 0; if :: sess -> push(INV) :: else fi }
	:: pend && alls < 1 -> d_step { pend = 0; alls++; if :: sess -> push(ALL) :: else fi } /* in a message that is not understood */
	:: !pend && alls < 1 && sess -> d_step { alls++; push(ALL) }
	:: fst == 0 && !blip -> d_step { blip = 1; pend = 1 } /* d got an owner and lost it */
	:: fst == 0 -> d_step { val = 1; pend = 1; fst = 1 }
	:: fst == 1 && !pend -> fst = 2
	:: fst == 2 -> d_step { fst = 3; ftimer = 0; if :: sess -> push(BAR) :: else fi }
	:: fst == 3 && sess && empty(T) && bp == 0 && !acked -> T!BAR
	:: fst == 3 && acked -> d_step { confirmed = 1; fst = 4 }
	:: fst == 3 && ftimer >= W -> d_step { confirmed = 1; bytime = 1; fst = 4 }
	/* time */
	:: d_step {
		if :: lease > 0 -> lease-- :: else fi;
		if :: pst != 0 && age < L -> age++ :: else fi;
		if :: fst == 3 && ftimer < W -> ftimer++ :: else fi
	}
	od
}
