/*
 * sieve.c - ManageSieve, as the drivers see it                      (machine)
 */
#include "front/sieve.h"

#include "front/sieve_back.h"
#include "front/sieve_follow.h"
#include "front/sieve_front.h"

static const char *const alpn[] = {"managesieve", NULL};

enum {
	/* The longest command before login with its literals, and something behind it. */
	IN_MAX_BYTES = 28 * 1024,
	PARK_MS = 25 * 1000, /* in silence: clients give up at 30 s */
	IDLE_LEAST_MS = 31 * 60 * 1000, /* RFC 5804, section 1.2, and a minute */
};

const struct dialect dialect_sieve = {
    .name = "sieve",
    .alpn = alpn,
    .port = 4190,
    .in_max_bytes = IN_MAX_BYTES,
    .park_ms = PARK_MS,
    .idle_least_ms = IDLE_LEAST_MS,
    .front =
	{
	    .new = sieve_front_new,
	    .free = sieve_front_free,
	    .greet = sieve_front_greet,
	    .next = sieve_front_next,
	    .tls = sieve_front_tls,
	    .challenge = sieve_front_challenge,
	    .accept = sieve_front_accept,
	    .refuse = sieve_front_refuse,
	    .wait = sieve_front_wait,
	    .bye = sieve_front_bye,
	},
    .back =
	{
	    .new = sieve_back_new,
	    .free = sieve_back_free,
	    .next = sieve_back_next,
	    .tls = sieve_back_tls,
	    .respond = sieve_back_respond,
	    .quit = sieve_back_quit,
	},
    .follow =
	{
	    .new = sieve_follow_new,
	    .free = sieve_follow_free,
	    .pass = sieve_follow_pass,
	    .end = sieve_follow_end,
	    .break_off = sieve_follow_break_off,
	    .is_idle = sieve_follow_is_idle,
	},
};
