/*
 * rcpt.c - would a server take mail for this address?                 (driver)
 */
#include "admin/rcpt.h"

#include "admin/talk.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOST_NAME_BYTES = 256 };

struct rcpt {
	struct loop *loop;
	const struct nexthop *nexthop;
	const char *sender;
	struct talk *talk; /* NULL: none is open */
	bool pipelines, takes_utf8, offers_tls; /* as it has announced */
	struct tls_context *tls; /* NULL: never used yet */
	bool tls_failed; /* then without */
	unsigned probes, refusals; /* on this connection */
	struct buf said, answer; /* the last line of any answer; that to RCPT */
};

/* What one question was answered. */
struct answers {
	int mail, rcpt, rset;
};

bool
rcpt_line(struct str line, int *code_r, bool *more_r)
{
	if (line.len < 3 || (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-'))
		return false;
	*code_r = 0;
	for (size_t i = 0; i < 3; i++) {
		if (line.ptr[i] < '0' || line.ptr[i] > '9')
			return false;
		*code_r = *code_r * 10 + (line.ptr[i] - '0');
	}
	*more_r = line.len > 3 && line.ptr[3] == '-';
	return *code_r >= 200 && *code_r < 600;
}

struct rcpt *
rcpt_new(struct loop *loop, const struct nexthop *nexthop, const char *sender)
{
	struct rcpt *rcpt = xnew(struct rcpt);

	rcpt->loop = loop;
	rcpt->nexthop = nexthop;
	rcpt->sender = sender;
	return rcpt;
}

/* ---- answers */

static void
note_word(struct rcpt *rcpt, struct str line)
{
	struct str word = str_from(line, line.len > 4 ? 4 : line.len);

	rcpt->pipelines |= str_is_nocase(word, "PIPELINING"); /* RFC 2920 */
	rcpt->takes_utf8 |= str_is_nocase(word, "SMTPUTF8"); /* RFC 6531 */
	rcpt->offers_tls |= str_is_nocase(word, "STARTTLS"); /* RFC 3207 */
}

/* A whole answer; its last line stays in rcpt->said. */
static int
take(struct rcpt *rcpt, int *code_r, struct fault *fault_r)
{
	struct str line;
	bool more = true;

	for (unsigned i = 0; more; i++) {
		if (i == RCPT_LINES_MOST)
			return fault_set(fault_r, VERDICT_TEMP, "an answer without end");
		if (talk_line(rcpt->talk, &line, fault_r) == -1)
			return -1;
		if (!rcpt_line(line, code_r, &more))
			return fault_set(fault_r, VERDICT_TEMP, "it says %s", log_quote(line));
		buf_clear(&rcpt->said);
		buf_add_str(&rcpt->said, line);
		note_word(rcpt, line);
	}
	return 0;
}

static int
unwanted(const struct rcpt *rcpt, const char *to, struct fault *fault_r)
{
	return fault_set(fault_r, VERDICT_TEMP, "it answers %s with %s", to,
	    log_quote(buf_str(&rcpt->said)));
}

/* ---- the connection */

static void
hang_up(struct rcpt *rcpt)
{
	talk_close(&rcpt->talk);
}

static void
leave(struct rcpt *rcpt)
{
	struct fault unimportant;
	int code;

	if (rcpt->talk == NULL)
		return;
	talk_be_patient(rcpt->talk, TALK_ANSWER_MS);
	talk_say(rcpt->talk, STR("QUIT\r\n"));
	take(rcpt, &code, &unimportant);
	hang_up(rcpt);
}

void
rcpt_free(struct rcpt **rcpt)
{
	if (*rcpt == NULL)
		return;
	leave(*rcpt);
	tls_context_free(&(*rcpt)->tls);
	buf_fini(&(*rcpt)->said);
	buf_fini(&(*rcpt)->answer);
	free(*rcpt);
	*rcpt = NULL;
}

/* What it announces, now. */
static int
say_hello(struct rcpt *rcpt, struct fault *fault_r)
{
	const char *hello = rcpt->nexthop->is_lmtp ? "LHLO" : "EHLO";
	char host[HOST_NAME_BYTES] = "localhost";
	struct buf line = BUF_INIT;
	int code;

	if (gethostname(host, sizeof(host) - 1) == -1)
		memcpy(host, "localhost", sizeof("localhost"));
	rcpt->pipelines = rcpt->takes_utf8 = rcpt->offers_tls = false;
	buf_addf(&line, "%s %s\r\n", hello, host);
	talk_say(rcpt->talk, buf_str(&line));
	buf_fini(&line);
	if (take(rcpt, &code, fault_r) == -1)
		return -1;
	return code == 250 ? 0 : unwanted(rcpt, hello, fault_r);
}

static int
greet(struct rcpt *rcpt, struct fault *fault_r)
{
	int code;

	if (take(rcpt, &code, fault_r) == -1)
		return -1;
	return code == 220 ? say_hello(rcpt, fault_r) : unwanted(rcpt, "the connection", fault_r);
}

static int
start_tls(struct rcpt *rcpt, struct fault *fault_r)
{
	const struct endpoint *at = &rcpt->nexthop->endpoint;
	int code;

	if (rcpt->tls == NULL) {
		rcpt->tls = tls_context_new_client(NULL, NULL, NULL, fault_r);
		if (rcpt->tls == NULL)
			return -1;
		tls_context_trust_anybody(rcpt->tls);
	}
	talk_say(rcpt->talk, STR("STARTTLS\r\n"));
	if (take(rcpt, &code, fault_r) == -1)
		return -1;
	if (code != 220)
		return unwanted(rcpt, "STARTTLS", fault_r);
	if (talk_start_tls(rcpt->talk, rcpt->tls,
		at->kind == ENDPOINT_INET ? at->host : "localhost", fault_r) == -1)
		return -1;
	return say_hello(rcpt, fault_r);
}

static int
connect_once(struct rcpt *rcpt, struct fault *fault_r)
{
	rcpt->probes = rcpt->refusals = 0;
	rcpt->talk = talk_open(rcpt->loop, &rcpt->nexthop->endpoint, NULL, fault_r);
	if (rcpt->talk == NULL)
		return -1;
	talk_be_patient(rcpt->talk, RCPT_ANSWER_MS);
	if (greet(rcpt, fault_r) == 0) {
		if (!rcpt->offers_tls || rcpt->tls_failed || start_tls(rcpt, fault_r) == 0)
			return 0;
		rcpt->tls_failed = true;
	}
	hang_up(rcpt);
	return -1;
}

static int
connect_anew(struct rcpt *rcpt, struct fault *fault_r)
{
	bool had_failed = rcpt->tls_failed;

	if (connect_once(rcpt, fault_r) == 0)
		return 0;
	/* Its TLS is broken: better to ask without than not at all, there is no secret in it. */
	return rcpt->tls_failed && !had_failed ? connect_once(rcpt, fault_r) : -1;
}

/* ---- a question */

static bool
is_ascii(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] >= 0x80)
			return false;
	return true;
}

/* Three commands, at once where the server takes that, and their answers. */
static int
ask_once(struct rcpt *rcpt, struct str address, struct answers *answers_r, struct fault *fault_r)
{
	int *const codes[] = {&answers_r->mail, &answers_r->rcpt, &answers_r->rset};
	struct buf lines[3] = {BUF_INIT, BUF_INIT, BUF_INIT};
	int rc = 0;

	buf_addf(&lines[0], "MAIL FROM:<%s>%s\r\n", rcpt->sender,
	    is_ascii(address) ? "" : " SMTPUTF8");
	buf_addf(&lines[1], "RCPT TO:<%.*s>\r\n", STR_FMT(address));
	buf_add_text(&lines[2], "RSET\r\n");
	for (size_t i = 0; rcpt->pipelines && i < ARRAY_LEN(lines); i++)
		talk_say(rcpt->talk, buf_str(&lines[i]));
	for (size_t i = 0; i < ARRAY_LEN(lines) && rc == 0; i++) {
		if (!rcpt->pipelines)
			talk_say(rcpt->talk, buf_str(&lines[i]));
		rc = take(rcpt, codes[i], fault_r);
		if (i == 0 && rc == 0 && answers_r->mail / 100 != 2)
			rc = unwanted(rcpt, "MAIL", fault_r);
		if (i == 1) {
			buf_clear(&rcpt->answer);
			buf_add_str(&rcpt->answer, buf_str(&rcpt->said));
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		buf_fini(&lines[i]);
	/* 421 ends the connection, whatever it is the answer to (RFC 5321, section 3.8). */
	if (rc == 0 && (answers_r->rcpt == 421 || answers_r->rset / 100 != 2))
		rc = unwanted(rcpt, "RSET", fault_r);
	return rc;
}

static void
count(struct rcpt *rcpt, enum rcpt_verdict verdict)
{
	rcpt->probes++;
	rcpt->refusals += verdict != RCPT_ACCEPTED;
	if (rcpt->probes >= RCPT_PROBES_MOST || rcpt->refusals >= RCPT_REFUSALS_MOST)
		leave(rcpt);
}

/* A connection that was used before may have ended meanwhile; a new one may not. */
static int
ask(struct rcpt *rcpt, struct str address, struct answers *answers_r, struct fault *fault_r)
{
	bool was_used = rcpt->talk != NULL && rcpt->probes > 0;

	for (;;) {
		if (rcpt->talk == NULL && connect_anew(rcpt, fault_r) == -1)
			return -1;
		if (ask_once(rcpt, address, answers_r, fault_r) == 0)
			return 0;
		hang_up(rcpt);
		if (!was_used)
			return -1;
		was_used = false;
	}
}

int
rcpt_ask(struct rcpt *rcpt, struct str address, enum rcpt_verdict *verdict_r, struct str *said_r,
    struct fault *fault_r)
{
	struct answers answers;

	if (rcpt->talk == NULL && connect_anew(rcpt, fault_r) == -1)
		return -1;
	if (!is_ascii(address) && !rcpt->takes_utf8) {
		*verdict_r = RCPT_LATER;
		*said_r = STR("no SMTPUTF8");
		return 0;
	}
	if (ask(rcpt, address, &answers, fault_r) == -1)
		return -1;
	*verdict_r = answers.rcpt / 100 == 2   ? RCPT_ACCEPTED
		     : answers.rcpt / 100 == 5 ? RCPT_REFUSED
					       : RCPT_LATER;
	count(rcpt, *verdict_r);
	*said_r = buf_str(&rcpt->answer);
	return 0;
}
