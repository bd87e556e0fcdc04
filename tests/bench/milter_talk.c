/*
 * milter_talk.c - a session of one message, by SMTP and as a milter is told of it
 *
 * To a milter goes what Postfix would send after the negotiation that all in this
 * comparison want: no connect, no HELO, no body, and nobody answers MAIL and headers.
 */
#include "milter_load.h"
#include "milter_steps.h"

#include <arpa/inet.h>
#include <err.h>
#include <inttypes.h>
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { PROTOCOL = 6, LENGTH_BYTES = 4 };

const char *const step_names[STEPS] = {
    [STEP_BEGIN] = "the beginning",
    [STEP_HELLO] = "HELO",
    [STEP_MAIL] = "MAIL",
    [STEP_RCPT] = "RCPT",
    [STEP_DATA] = "DATA",
    [STEP_END] = "the end of the message",
    [STEP_QUIT] = "QUIT",
};

static const struct {
	const char *name, *value;
} headers[] = {
    {"From", "<someone@foreign.invalid>"},
    {"To", "undisclosed-recipients:;"},
    {"Date", "Sat, 21 Nov 2026 20:00:00 +0000"},
    {"Message-ID", "<bench@foreign.invalid>"},
    {"Subject", "A message like many others"},
};

#define ACCOUNT "<user%09" PRIu64 "@example.org>"
#define SENDER "<someone@foreign.invalid>"
#define HEADER_COUNT (sizeof(headers) / sizeof(headers[0]))

/* ---- SMTP */

static size_t
smtp_hello(uint64_t account, char *out)
{
	return (size_t)sprintf(out, "HELO client.lab.invalid\r\n");
}

static size_t
smtp_mail(uint64_t account, char *out)
{
	return (size_t)sprintf(out, "MAIL FROM:" SENDER "\r\n");
}

static size_t
smtp_rcpt(uint64_t account, char *out)
{
	return (size_t)sprintf(out, "RCPT TO:" ACCOUNT "\r\n", account);
}

static size_t
smtp_data(uint64_t account, char *out)
{
	return (size_t)sprintf(out, "DATA\r\n");
}

static size_t
smtp_end(uint64_t account, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < HEADER_COUNT; i++)
		len += (size_t)sprintf(out + len, "%s: %s\r\n", headers[i].name, headers[i].value);
	return len + (size_t)sprintf(out + len, "\r\nHello.\r\n.\r\n");
}

static size_t
smtp_quit(uint64_t account, char *out)
{
	return (size_t)sprintf(out, "QUIT\r\n");
}

/* One line: nobody is asked by EHLO. */
static bool
smtp_is_whole(struct peer *peer)
{
	if (peer->got == 0 || peer->in[peer->got - 1] != '\n')
		return false;
	if (peer->in[0] != '2' && peer->in[0] != '3')
		errx(EX_UNAVAILABLE, "at %s it says: %s", step_names[peer->step], peer->in);
	return true;
}

const struct talk talk_smtp = {
    .say = {[STEP_HELLO] = smtp_hello,
	[STEP_MAIL] = smtp_mail,
	[STEP_RCPT] = smtp_rcpt,
	[STEP_DATA] = smtp_data,
	[STEP_END] = smtp_end,
	[STEP_QUIT] = smtp_quit},
    .is_answered = {true, true, true, true, true, true, true},
    .is_whole = smtp_is_whole,
};

/* ---- packets */

static uint32_t
number_at(const char *bytes)
{
	uint32_t number;

	memcpy(&number, bytes, sizeof(number));
	return ntohl(number);
}

static size_t
put_number(char *out, size_t number)
{
	uint32_t bytes = htonl((uint32_t)number);

	memcpy(out, &bytes, sizeof(bytes));
	return sizeof(bytes);
}

/* A command, then what "len" bytes there are. */
static size_t
put_packet(char *out, char command, const char *data, size_t len)
{
	put_number(out, len + 1);
	out[LENGTH_BYTES] = command;
	if (len > 0)
		memcpy(out + LENGTH_BYTES + 1, data, len);
	return LENGTH_BYTES + 1 + len;
}

static size_t
packet_begin(uint64_t account, char *out)
{
	char data[3 * LENGTH_BYTES];

	put_number(data, PROTOCOL);
	put_number(data + LENGTH_BYTES, 0x1ff); /* all that Postfix 3.7 offers */
	put_number(data + 2 * LENGTH_BYTES, 0x1fffff);
	return put_packet(out, SMFIC_OPTNEG, data, sizeof(data));
}

static size_t
packet_mail(uint64_t account, char *out)
{
	static const char macros[] = "M{mail_addr}\0someone@foreign.invalid\0{mail_host}\0"
				     "foreign.invalid\0{mail_mailer}\0smtp";
	size_t len = put_packet(out, SMFIC_MACRO, macros, sizeof(macros));

	return len + put_packet(out + len, SMFIC_MAIL, SENDER, sizeof(SENDER));
}

static size_t
packet_rcpt(uint64_t account, char *out)
{
	char macros[256], who[64];
	size_t len = (size_t)sprintf(who, ACCOUNT, account) + 1, macros_len;

	macros_len = (size_t)sprintf(macros,
			 "R{rcpt_addr}%c%.*s%c{rcpt_host}%cexample.org%c"
			 "{rcpt_mailer}%crelay",
			 0, (int)len - 3, who + 1, 0, 0, 0, 0) +
		     1;
	macros_len = put_packet(out, SMFIC_MACRO, macros, macros_len);
	return macros_len + put_packet(out + macros_len, SMFIC_RCPT, who, len);
}

static size_t
packet_end(uint64_t account, char *out)
{
	static const char macros[] = "Ei\0004fXYZ0000000";
	size_t len = 0;

	for (size_t i = 0; i < HEADER_COUNT; i++) {
		char data[256];
		int data_len = sprintf(data, "%s%c%s", headers[i].name, 0, headers[i].value);

		len += put_packet(out + len, SMFIC_HEADER, data, (size_t)data_len + 1);
	}
	len += put_packet(out + len, SMFIC_MACRO, macros, sizeof(macros));
	return len + put_packet(out + len, SMFIC_BODYEOB, NULL, 0);
}

static size_t
packet_quit(uint64_t account, char *out)
{
	return put_packet(out, SMFIC_QUIT, NULL, 0);
}

static void
must_be_agreed(const struct peer *peer, size_t size)
{
	const char *data = peer->in + LENGTH_BYTES + 1;

	if (size < 1 + 3 * LENGTH_BYTES || number_at(data + LENGTH_BYTES) != MILTER_ACTIONS ||
	    number_at(data + 2 * LENGTH_BYTES) != MILTER_STEPS)
		errx(EX_PROTOCOL,
		    "it wants other changes or steps than tests/bench/milter_steps.h");
}

/* Changes come before what is said to the end of a message. */
static bool
packet_is_whole(struct peer *peer)
{
	size_t at = 0;

	peer->changes = 0;
	while (peer->got >= at + LENGTH_BYTES + 1) {
		size_t size = number_at(peer->in + at);
		char command = peer->in[at + LENGTH_BYTES];

		if (peer->got < at + LENGTH_BYTES + size)
			return false;
		if (command == (peer->step == STEP_BEGIN ? SMFIC_OPTNEG : SMFIR_CONTINUE)) {
			if (peer->step == STEP_BEGIN)
				must_be_agreed(peer, size);
			return true;
		}
		if (peer->step != STEP_END || strchr("him", command) == NULL)
			errx(EX_UNAVAILABLE, "at %s it says '%c'", step_names[peer->step], command);
		peer->changes++;
		at += LENGTH_BYTES + size;
	}
	return false;
}

const struct talk talk_milter = {
    .say = {[STEP_BEGIN] = packet_begin,
	[STEP_MAIL] = packet_mail,
	[STEP_RCPT] = packet_rcpt,
	[STEP_END] = packet_end,
	[STEP_QUIT] = packet_quit},
    .is_answered = {[STEP_BEGIN] = true, [STEP_RCPT] = true, [STEP_END] = true},
    .is_whole = packet_is_whole,
};
