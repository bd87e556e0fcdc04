/*
 * hold.pml - moving an account: the hold, its expiry, and the guarded flip
 *
 * Two movers want to move one account from OLD to NEW: set a hold, have it
 * confirmed, let deliveries that are under way end (drain), copy what is on the
 * old side, flip the owner. Meanwhile mail is delivered.
 *
 * THE CLAIM: when the owner is NEW, nothing lies on the old side that was not
 * copied, and nothing more arrives there.
 *
 * Redis ends a hold whenever it likes (its clock is not ours), or a person does.
 * So an operation is recognised by its id: the flip is one transaction guarded
 * by the hold's being mine; renewing is guarded too and never sets; a hold that
 * lapsed is never set again under its id: new id, and copying from the start.
 *
 * A failover may bring a hold back that had lapsed: the end of a hold is the
 * only thing that happens without anybody's WAIT, so the promoted replica may
 * not know of it. Therefore a hold is good only at the server process at which
 * it was confirmed (its run id): after another, new id. A change that was
 * confirmed is on every member and cannot come back (fence.pml).
 *
 * What a node knows of the record is as fence.pml has it: something that was
 * true at some time, but nothing from before a change that was confirmed.
 * "Mail" stands for sessions under an `all` hold as well.
 *
 * Not here: what the copy does on the new side, rollback, verifying.
 */
#ifndef TRIES
#define TRIES 2		/* how often a mover begins */
#endif
#ifndef FAILOVERS
#define FAILOVERS 1
#endif

/* ---- the elements of the protocol */
#ifndef CONFIRMED
#define CONFIRMED 1	/* a hold is waited for until nobody can know the time before it */
#endif
#ifndef DRAIN
#define DRAIN 1		/* deliveries that were under way have ended before the copy begins */
#endif
#ifndef GUARD
#define GUARD 1		/* the flip needs 1: my hold, 2: any hold, 0: nothing */
#endif
#ifndef ATOMIC
#define ATOMIC 1	/* guard and flip are one transaction; 0: first one, then the other */
#endif
#ifndef NEW_ID
#define NEW_ID 1	/* who begins again has a new id; 0: two processes that resume the same operation set its hold again */
#endif
#ifndef NEW_START
#define NEW_START 1	/* and copies from the start; 0: goes on where it was */
#endif
#ifndef RENEW_SETS
#define RENEW_SETS 0	/* 1: renewing is SET, whatever is there */
#endif
#ifndef SET_IF_NONE
#define SET_IF_NONE 1	/* a hold is set where there is none; 0: it replaces another's */
#endif
#ifndef RUN_ID
#define RUN_ID 1	/* a flip needs the server process at which the hold was confirmed */
#endif
#ifndef REACH
#define REACH 0		/* 1: flipped; 2: by a second try, mail having arrived after a lapse; 3: after a failover */
#endif

#define OLD 0
#define NEW 1

bool owner; byte hold;			/* the record; hold: the operation's id, 0 none */
bool rowner; byte rhold;		/* as the replica has it that may be promoted */
byte server;				/* which process is the master */
bool known_owner, known_held;		/* what a node knows */
bool way;				/* a delivery to the old side is under way */
bool uncopied, during[2];		/* mail on the old side: not copied; arrived since this mover's copy began */
bool lapsed, arrived;			/* for REACH */
byte step[2], try[2], id[2], at[2]; bool fresh[2];
/* step: 0 to begin, 1 hold set, 2 confirmed, 3 drained and copying, 4 copied, 5 guard seen (ATOMIC 0), 6 done, 7 gave up */

inline land() { /* at the old side */
	assert(owner == OLD); /* THE CLAIM, second half */
	way = 0; uncopied = 1; during[0] = 1; during[1] = 1; if :: lapsed -> arrived = 1 :: else fi
}
inline begin(m) {
	try[m]++; id[m] = (NEW_ID -> m * TRIES + try[m] : 1); hold = id[m]; at[m] = server; fresh[m] = 0;
	if :: NEW_START || step[m] == 0 -> step[m] = 1 :: else fi
}
inline again(m) { step[m] = (try[m] < TRIES -> 0 : 7) }
inline flip(m) {
	assert(!uncopied); /* THE CLAIM, first half */
	owner = NEW; hold = 0; step[m] = 6
}
#define MINE(m) (owner == OLD && (GUARD == 0 || (GUARD == 1 && hold == id[m]) || (GUARD == 2 && hold != 0)) && (!RUN_ID || server == at[m]))

#define MOVER(m) \
 :: step[m] == 0 && try[m] < TRIES && owner == OLD && (hold == 0 || !SET_IF_NONE) -> d_step { begin(m) } \
 :: step[m] == 1 && (fresh[m] || !CONFIRMED) && rhold == hold && rowner == owner && server == at[m] -> step[m] = 2 \
 :: step[m] == 1 && hold != id[m] -> again(m) \
 :: step[m] == 2 && (!way || !DRAIN) -> d_step { step[m] = 3; during[m] = 0 } \
 :: step[m] == 3 -> d_step { if :: !during[m] -> uncopied = 0 :: else fi; step[m] = 4 } \
 :: step[m] == 4 -> d_step { if :: MINE(m) -> if :: ATOMIC -> flip(m) :: else -> step[m] = 5 fi :: else -> again(m) fi } \
 :: step[m] == 5 -> d_step { flip(m) } \
 :: step[m] > 0 && step[m] < 6 && RENEW_SETS && owner == OLD -> hold = id[m] \
 :: !NEW_START && step[m] > 1 && step[m] < 5 && hold == 0 && try[m] < TRIES && owner == OLD -> d_step { begin(m) }

active proctype all() {
	do
#if REACH==1
	:: owner == NEW -> assert(false)
#elif REACH==2
	:: owner == NEW && arrived && try[0] == 2 -> assert(false)
#elif REACH==3
	:: owner == NEW && server > 0 && arrived -> assert(false)
#endif
	:: owner == NEW && known_owner == NEW && !way -> break
	:: step[0] >= 6 && step[1] >= 6 && !way -> break
	MOVER(0)
	MOVER(1)
	/* a node learns, mail is sent, mail arrives */
	:: known_owner != owner || known_held != (hold != 0) || !fresh[0] || !fresh[1] -> d_step { known_owner = owner; known_held = (hold != 0); fresh[0] = 1; fresh[1] = 1 }
	:: known_owner == OLD && !known_held && !way -> way = 1
	:: way -> d_step { land() }
	/* Redis */
	:: hold != 0 -> d_step { hold = 0; lapsed = 1 }
	:: rhold != hold || rowner != owner -> d_step { rhold = hold; rowner = owner }
	:: server < FAILOVERS && owner == OLD && rowner == OLD -> d_step { server++; hold = rhold }
	od
}
