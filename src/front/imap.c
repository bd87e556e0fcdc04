/*
 * imap.c - IMAP, as the drivers see it                               (machine)
 */
#include "front/imap.h"

#include "front/imap_back.h"
#include "front/imap_follow.h"
#include "front/imap_front.h"

static const char *const alpn[] = {"imap", NULL};

enum {
	/* The longest command before login with its literals, and something behind it. */
	IN_MAX_BYTES = 20 * 1024,
	PARK_MS = 120 * 1000,
	PARK_WORD_MS = 20 * 1000, /* clients begin to doubt at 30 s */
	IDLE_LEAST_MS = 31 * 60 * 1000, /* RFC 9051, section 5.4, and a minute */
};

const struct dialect dialect_imap = {
    .name = "imap",
    .alpn = alpn,
    .port = 143,
    .tls_port = 993,
    .in_max_bytes = IN_MAX_BYTES,
    .park_ms = PARK_MS,
    .park_word_ms = PARK_WORD_MS,
    .idle_least_ms = IDLE_LEAST_MS,
    .front =
	{
	    .new = imap_front_new,
	    .free = imap_front_free,
	    .greet = imap_front_greet,
	    .next = imap_front_next,
	    .tls = imap_front_tls,
	    .challenge = imap_front_challenge,
	    .accept = imap_front_accept,
	    .refuse = imap_front_refuse,
	    .wait = imap_front_wait,
	    .bye = imap_front_bye,
	    .id = imap_front_id,
	},
    .back =
	{
	    .new = imap_back_new,
	    .free = imap_back_free,
	    .next = imap_back_next,
	    .tls = imap_back_tls,
	    .respond = imap_back_respond,
	    .quit = imap_back_quit,
	},
    .follow =
	{
	    .new = imap_follow_new,
	    .free = imap_follow_free,
	    .pass = imap_follow_pass,
	    .end = imap_follow_end,
	    .break_off = imap_follow_break_off,
	    .is_idle = imap_follow_is_idle,
	},
};
