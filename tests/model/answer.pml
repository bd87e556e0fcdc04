/*
 * answer.pml - the values of one answer: own owner, domain's owner, login key
 *
 * One node answers for the address x. Its owner is that of its own key; else,
 * where a login key leads to the account a, that of a's own key; else that of
 * the domain that x and a share. Anybody changes any of these keys, CHANGES
 * times in all, without waiting for anybody.
 *
 * THE CLAIM, as src/map answers (fetch.c, cache.c, map.c):
 *   1. an answer that was fetched was true at some moment between question and
 *      answer: it is never mixed from values of several moments;
 *   2. an entry that is remembered is right whenever no invalidation is under
 *      way: so after a change of the domain's owner all entries of the domain are
 *      unknown, and an account without a key of its own has the new owner.
 *
 * What is remembered depends on names, not keys: "x" (own, login), "a", "@d",
 * and each has a stamp; an invalidation moves it. Stamps are noted when a
 * round is sent. A round is one EXEC; where it finds a login key whose target
 * was not among its keys, another round reads everything again.
 *
 * Not here: sessions, leases, confirmation (fence.pml); holds, which are read in
 * the same EXEC and concern the same names.
 */
#ifndef CHANGES
#define CHANGES 3
#endif
#define CAP 3

/* ---- the elements of the protocol */
#ifndef ONE_EXEC
#define ONE_EXEC 1	/* the values of a round come from one EXEC; 0: from two, own keys and the domain's */
#endif
#ifndef READ_AGAIN
#define READ_AGAIN 1	/* a second round reads the login key too; 0: believes the first */
#endif
#ifndef NOTE_AT_SENDING
#define NOTE_AT_SENDING 1 /* stamps are noted when a round is sent; 0: when its reply is in */
#endif
#ifndef STAMP_OWN
#define STAMP_OWN 1	/* an answer depends on x, whichever key decided */
#endif
#ifndef STAMP_TARGET
#define STAMP_TARGET 1	/* and on the target of a login key */
#endif
#ifndef STAMP_DOMAIN
#define STAMP_DOMAIN 1	/* and on the domain */
#endif
#ifndef UNKNOWN
#define UNKNOWN 1	/* an invalidated key means "ask again"; 0: "absent", the domain's owner as remembered */
#endif
#ifndef REACH
#define REACH 0		/* 1: a target is reached and remembered; 2: an answer after three changes; 3: the claim's "at some moment" matters */
#endif

#define OLD 0
#define NEW 1
#define NONE 2
#define EMPTY 3
#define X 1		/* names: bits */
#define A 2
#define AT 4

byte ownx = NONE, owna = NONE, dom = OLD; bool login;	/* Redis */
byte pend;						/* names that changed in this turn */
chan T = [CAP] of { byte };
byte step;						/* the fetch: 0 none, 1 sent, 2 half read, 3 read */
bool second, poison;					/* second: a's keys are in the list */
byte rx, ra, rd; bool rl;				/* what it read; rl: the login key */
byte was;						/* what was true since the question: 1 OLD, 2 NEW */
byte cache = EMPTY, names, olddom = EMPTY;		/* the entry, the names it depends on */
byte n, x;

#define VIA(o, l, a, d) ((o) != NONE -> (o) : ((l) && (a) != NONE -> (a) : (d)))
#define TRUTH VIA(ownx, login, owna, dom)
#define NAMES(s) ((STAMP_OWN -> X : 0) + (STAMP_DOMAIN -> AT : 0) + ((s) && STAMP_TARGET -> A : 0))

inline see() { was = was | (1 + TRUTH) }
inline send() { step = 1; poison = 0; rx = 0; ra = 0; rd = 0; if :: READ_AGAIN || !second -> rl = 0 :: else fi }
inline read_own() { rx = ownx; if :: second -> ra = owna :: else fi; if :: READ_AGAIN || !second -> rl = login :: else fi }
inline take() {
	if
	:: poison -> send()
	:: !poison && rx == NONE && rl && !second -> second = 1; send()
	:: else ->
		x = VIA(rx, (rl && second), ra, rd);
		assert((was & (1 + x)) != 0); /* THE CLAIM, 1 */
		cache = x; names = NAMES(second); olddom = rd;
		step = 0; second = 0; rl = 0; rx = 0; ra = 0; rd = 0; was = 0; x = 0
	fi
}
inline hear() {
	T?x;
	if :: step != 0 && NOTE_AT_SENDING && (x & NAMES(second)) != 0 -> poison = 1 :: else fi;
	if
	:: cache != EMPTY && (x & names) != 0 ->
		if :: UNKNOWN || (x & AT) != 0 -> cache = EMPTY; names = 0; olddom = EMPTY :: else -> cache = olddom fi
	:: else
	fi;
	x = 0
}
#define CHANGE(key, value, name) \
 :: n < CHANGES && key != value -> d_step { n++; key = value; pend = pend | name; if :: step != 0 -> see() :: else fi }

active proctype all() {
	do
	:: pend == 0 && empty(T) && cache != EMPTY && cache != TRUTH -> assert(false) /* THE CLAIM, 2 */
#if REACH==1
	:: cache == NEW && (names & A) != 0 && login && owna == NEW && dom == OLD -> assert(false)
#elif REACH==2
	:: n == CHANGES && step == 3 && second && !poison && pend == 0 && empty(T) -> assert(false)
#elif REACH==3
	:: cache != EMPTY && cache != TRUTH -> assert(false)
#endif
	:: n == CHANGES && pend == 0 && empty(T) && step == 0 && cache != EMPTY -> break
	CHANGE(ownx, NONE, X) CHANGE(ownx, OLD, X) CHANGE(ownx, NEW, X)
	CHANGE(login, 0, X) CHANGE(login, 1, X)
	CHANGE(owna, NONE, A) CHANGE(owna, OLD, A) CHANGE(owna, NEW, A)
	CHANGE(dom, OLD, AT) CHANGE(dom, NEW, AT)
	:: pend != 0 && nfull(T) -> d_step { T!pend; pend = 0 }
	:: nempty(T) -> d_step { hear() }
	:: cache == EMPTY && step == 0 -> d_step { see(); send() }
	:: step == 1 && ONE_EXEC -> d_step { read_own(); rd = dom; step = 3 }
	:: step == 1 && !ONE_EXEC -> d_step { rd = dom; step = 2 }
	:: step == 2 -> d_step { read_own(); step = 3 }
	:: step == 3 -> d_step { take() }
	od
}
