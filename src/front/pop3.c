/*
 * pop3.c - POP3, as the drivers see it                              (machine)
 */
#include "front/pop3.h"

#include "front/pop3_back.h"
#include "front/pop3_follow.h"
#include "front/pop3_front.h"

static const char *const alpn[] = {"pop3", NULL};

enum {
	IN_MAX_BYTES = 16 * 1024, /* the longest line of SASL, and something behind it */
	PARK_MS = 25 * 1000, /* in silence: clients give up at 30 s */
	IDLE_LEAST_MS = 11 * 60 * 1000, /* RFC 1939, section 3, and a minute */
};

const struct dialect dialect_pop3 = {
    .name = "pop3",
    .alpn = alpn,
    .port = 110,
    .tls_port = 995,
    .in_max_bytes = IN_MAX_BYTES,
    .park_ms = PARK_MS,
    .idle_least_ms = IDLE_LEAST_MS,
    .front =
	{
	    .new = pop3_front_new,
	    .free = pop3_front_free,
	    .greet = pop3_front_greet,
	    .next = pop3_front_next,
	    .tls = pop3_front_tls,
	    .challenge = pop3_front_challenge,
	    .accept = pop3_front_accept,
	    .refuse = pop3_front_refuse,
	    .wait = pop3_front_wait,
	    .bye = pop3_front_bye,
	},
    .back =
	{
	    .new = pop3_back_new,
	    .free = pop3_back_free,
	    .next = pop3_back_next,
	    .tls = pop3_back_tls,
	    .respond = pop3_back_respond,
	    .quit = pop3_back_quit,
	},
    .follow =
	{
	    .new = pop3_follow_new,
	    .free = pop3_follow_free,
	    .pass = pop3_follow_pass,
	    .end = pop3_follow_end,
	    .break_off = pop3_follow_break_off,
	    .is_idle = pop3_follow_is_idle,
	},
};
