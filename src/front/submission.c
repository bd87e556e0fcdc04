/*
 * submission.c - submission, as the drivers see it                   (machine)
 */
#include "front/submission.h"

#include "front/smtp_back.h"
#include "front/smtp_follow.h"
#include "front/smtp_front.h"

static const char *const alpn[] = {"smtp", NULL};

enum {
	/* The longest line of a login, and something behind it. */
	IN_MAX_BYTES = 16 * 1024,
	/* RFC 5321, section 4.5.3.2: 10 minutes behind the final dot, and a minute. */
	IDLE_LEAST_MS = 11 * 60 * 1000,
};

const struct dialect dialect_submission = {
    .name = "submission",
    .alpn = alpn,
    .port = 587,
    .tls_port = 465,
    .in_max_bytes = IN_MAX_BYTES,
    .park_ms = 0,
    .park_word_ms = 0,
    .idle_least_ms = IDLE_LEAST_MS,
    .front =
	{
	    .new = smtp_front_new,
	    .free = smtp_front_free,
	    .greet = smtp_front_greet,
	    .next = smtp_front_next,
	    .tls = smtp_front_tls,
	    .challenge = smtp_front_challenge,
	    .accept = smtp_front_accept,
	    .refuse = smtp_front_refuse,
	    .wait = smtp_front_wait,
	    .bye = smtp_front_bye,
	},
    .back =
	{
	    .new = smtp_back_new,
	    .free = smtp_back_free,
	    .next = smtp_back_next,
	    .tls = smtp_back_tls,
	    .respond = smtp_back_respond,
	    .quit = smtp_back_quit,
	},
    .follow =
	{
	    .new = smtp_follow_new,
	    .free = smtp_follow_free,
	    .learn = smtp_follow_learn,
	    .pass = smtp_follow_pass,
	    .end = smtp_follow_end,
	    .break_off = smtp_follow_break_off,
	    .is_idle = smtp_follow_is_idle,
	},
};
