/*
 * sieve_back.c - ManageSieve with a backend, until the login stands  (machine)
 */
#include "front/sieve_back.h"

#include "base/mem.h"
#include "front/back.h"
#include "front/back_sasl.h"
#include "front/sasl.h"
#include "front/sieve_lex.h"

#include <stdlib.h>

enum {
	SCAN_LINE_MOST = 8192,
	QUOTED_MOST = 1024, /* RFC 5804, section 4 */
};

enum sieve_back_phase {
	SIEVE_BACK_GREETING, /* capabilities and OK, as behind TLS */
	SIEVE_BACK_STARTTLS, /* asked for */
	SIEVE_BACK_SHAKING,
	SIEVE_BACK_XCLIENT, /* said */
	SIEVE_BACK_LOGIN, /* said; from here on a line may repeat a secret */
	SIEVE_BACK_ANSWER, /* the client is asked */
	SIEVE_BACK_OVER,
};

struct sieve_back {
	struct back back; /* first: the driver's view */
	enum sieve_back_phase phase;
	struct sieve_scan scan;
	struct buf text; /* behind back.text */
	unsigned words; /* lines of capabilities */
	unsigned rounds; /* that the backend asked for */
	bool is_tls; /* by STARTTLS */
};

/* What an answer begins with; DATA: it is none. */
enum answer { ANSWER_DATA, ANSWER_OK, ANSWER_NO, ANSWER_BYE };

static struct sieve_back *
sieve_back_of(struct back *back)
{
	return (struct sieve_back *)back;
}

static enum answer
answer_of(struct str line)
{
	struct str rest = line, word;

	if (!sieve_word(&rest, &word) || (rest.len > 0 && rest.ptr[0] != ' '))
		return ANSWER_DATA;
	if (str_is_nocase(word, "OK"))
		return ANSWER_OK;
	if (str_is_nocase(word, "NO"))
		return ANSWER_NO;
	return str_is_nocase(word, "BYE") ? ANSWER_BYE : ANSWER_DATA;
}

static void
keep_text(struct sieve_back *back, struct str text)
{
	buf_clear(&back->text);
	buf_add_str(&back->text, text);
	back->back.text = buf_str(&back->text);
}

/* ---- saying the login */

static void
say_xclient(struct sieve_back *back, struct buf *out)
{
	const struct caller *caller = back->back.task->caller;

	/* Words and not strings: Dovecot takes nothing else. */
	buf_addf(out, "XCLIENT ADDR=%s PORT=%u SESSION=%s TTL=%u\r\n", caller->client_ip,
	    caller->client_port, caller->session, caller->ttl);
	back->phase = SIEVE_BACK_XCLIENT;
}

static void
say_login(struct sieve_back *back, struct buf *out)
{
	const struct back_task *task = back->back.task;
	size_t before, len;

	back->back.says_login = true;
	buf_addf(out, "AUTHENTICATE \"%s\" ", back_sasl_name(task->credentials->mechanism));
	before = buf_len(out);
	buf_add_byte(out, '"');
	sasl_say(task->credentials, task->login, out);
	len = buf_len(out) - before - 1;
	if (len <= QUOTED_MOST) {
		buf_add_byte(out, '"');
	} else { /* its length stands before it */
		buf_truncate(out, before);
		buf_addf(out, "{%zu+}\r\n", len);
		sasl_say(task->credentials, task->login, out);
	}
	buf_add_text(out, "\r\n");
	back->phase = SIEVE_BACK_LOGIN;
}

/* It is no wrong password: this login is not possible here. */
static enum back_step
cannot(struct sieve_back *back)
{
	back->back.refusal = REFUSAL_LATER;
	back->back.text = STR("NO \"This login is not possible here\"");
	back->phase = SIEVE_BACK_OVER;
	return BACK_REFUSED;
}

/* It is known what it can: say who is calling, and the login. */
static enum back_step
log_in(struct sieve_back *back, struct buf *out, struct fault *fault_r)
{
	const struct back_task *task = back->back.task;
	enum mechanism mechanism;

	if (task->credentials == NULL) {
		back->phase = SIEVE_BACK_OVER; /* all that was wanted is known */
		return BACK_ACCEPTED;
	}
	mechanism = task->credentials->mechanism;
	if (!task->is_safe && !back->is_tls && !mechanism_is_passed(mechanism))
		return back_unable(fault_r, "the connection is not safe enough for a password");
	if (!back_sasl_has(back->back.offer, mechanism)) {
		if (!back_sasl_is_password(mechanism))
			return cannot(back);
		return back_unable(fault_r, "the backend announces no way to log in");
	}
	if (task->way != CALLER_XCLIENT) {
		say_login(back, out);
		return BACK_WAIT;
	}
	if (!offer_has(back->back.offer, "XCLIENT"))
		return back_unable(fault_r,
		    "the backend does not announce XCLIENT, by which it is to learn who calls");
	say_xclient(back, out);
	return BACK_WAIT;
}

/* ---- the greeting */

/* "NAME", or "NAME" "value". */
static bool
add_capability(struct offer *offer, struct str line)
{
	struct lex_string name, value = {.is_quoted = false};
	struct buf text = BUF_INIT;
	size_t name_len;
	bool added;

	if (!lex_string(&line, &name))
		return false;
	if (sieve_space(&line) && line.len > 0 && !lex_string(&line, &value))
		return false;
	lex_string_add(&name, &text);
	name_len = buf_len(&text);
	if (value.raw.len > 0)
		lex_string_add(&value, &text);
	added = line.len == 0 && offer_add(offer, str_make(buf_str(&text).ptr, name_len),
				     str_from(buf_str(&text), name_len));
	buf_fini(&text);
	return added;
}

static enum back_step
take_greeting(struct sieve_back *back, struct str line, struct buf *out, struct fault *fault_r)
{
	switch (answer_of(line)) {
	case ANSWER_DATA:
		if (++back->words > OFFER_WORDS_MOST || !add_capability(back->back.offer, line))
			return back_broken(fault_r, VERDICT_PERM,
			    "no capability of ManageSieve, or too many", line);
		return BACK_WAIT;
	case ANSWER_OK:
		break;
	case ANSWER_NO:
	case ANSWER_BYE:
		return back_broken(fault_r, VERDICT_TEMP, "the backend does not want to talk",
		    line);
	}
	if (!back->back.task->start_tls || back->is_tls)
		return log_in(back, out, fault_r);
	if (!offer_has(back->back.offer, "STARTTLS"))
		return back_unable(fault_r, "the backend does not offer STARTTLS");
	back->phase = SIEVE_BACK_STARTTLS;
	buf_add_text(out, "STARTTLS\r\n");
	return BACK_WAIT;
}

static enum back_step
take_tls(struct sieve_back *back, struct str line, bool is_last, struct fault *fault_r)
{
	if (answer_of(line) != ANSWER_OK)
		return back_broken(fault_r, VERDICT_PERM, "the backend refuses STARTTLS", line);
	if (!is_last)
		return back_unable(fault_r,
		    "unsafe: the backend goes on in clear behind its OK to STARTTLS");
	back->phase = SIEVE_BACK_SHAKING;
	return BACK_TLS;
}

static enum back_step
take_xclient(struct sieve_back *back, struct str line, struct buf *out, struct fault *fault_r)
{
	if (answer_of(line) != ANSWER_OK)
		return back_broken(fault_r, VERDICT_PERM,
		    "the backend does not take XCLIENT, by which it is to learn who calls", line);
	say_login(back, out);
	return BACK_WAIT;
}

/* ---- what becomes of the login */

/* RFC 5804, section 1.3. Where else to go, as a referral says it, is no client's business. */
static const struct code {
	const char *name;
	enum refusal refusal;
	bool passes; /* in the backend's own words */
} codes[] = {
    {"AUTH-TOO-WEAK", REFUSAL_LATER, false},
    {"ENCRYPT-NEEDED", REFUSAL_LATER, false},
    {"REFERRAL", REFUSAL_LATER, false},
    {"TRYLATER", REFUSAL_LATER, true},
};

/* "TRYLATER" of "NO (TRYLATER/x y) ..."; empty: there is none. */
static struct str
code_of(struct str line)
{
	size_t len = 0;

	line = str_from(line, 2);
	sieve_space(&line);
	if (!str_starts(line, "("))
		return STR("");
	line = str_from(line, 1);
	while (len < line.len && memchr("/) ", line.ptr[len], 3) == NULL)
		len++;
	return str_make(line.ptr, len);
}

static enum back_step
refuse(struct sieve_back *back, struct str line)
{
	struct str code = code_of(line);

	back->back.refusal = REFUSAL_WRONG;
	back->phase = SIEVE_BACK_OVER;
	keep_text(back, STR(""));
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (!str_is_nocase(code, codes[i].name))
			continue;
		back->back.refusal = codes[i].refusal;
		if (codes[i].passes)
			keep_text(back, line);
	}
	return BACK_REFUSED;
}

static enum back_step
take_challenge(struct sieve_back *back, struct str line, struct fault *fault_r)
{
	struct lex_string string;

	if (!lex_string(&line, &string) || line.len > 0 || !back_sasl_is_base64(string.raw))
		return back_unable(fault_r, "the backend answers what was not asked");
	if (back_sasl_is_password(back->back.task->credentials->mechanism) ||
	    ++back->rounds > SASL_ROUNDS_MOST)
		return back_unable(fault_r, "the backend asks for more than the mechanism has");
	keep_text(back, string.raw);
	back->phase = SIEVE_BACK_ANSWER;
	return BACK_CHALLENGE;
}

/* The mechanism's last word stands in OK (SASL "..."), and passes with it. */
static enum back_step
take_login(struct sieve_back *back, struct str line, struct fault *fault_r)
{
	switch (answer_of(line)) {
	case ANSWER_DATA:
		return take_challenge(back, line, fault_r);
	case ANSWER_OK:
		keep_text(back, line);
		back->phase = SIEVE_BACK_OVER;
		return BACK_ACCEPTED;
	case ANSWER_NO:
		return refuse(back, line);
	case ANSWER_BYE:
		break;
	}
	return back_broken(fault_r, VERDICT_TEMP, "the backend ended the conversation", STR(""));
}

/* ---- reading */

static enum back_step
take_line(struct sieve_back *back, struct str line, bool is_last, struct buf *out,
    struct fault *fault_r)
{
	switch (back->phase) {
	case SIEVE_BACK_GREETING:
		return take_greeting(back, line, out, fault_r);
	case SIEVE_BACK_STARTTLS:
		return take_tls(back, line, is_last, fault_r);
	case SIEVE_BACK_XCLIENT:
		return take_xclient(back, line, out, fault_r);
	case SIEVE_BACK_LOGIN:
		return take_login(back, line, fault_r);
	case SIEVE_BACK_SHAKING:
	case SIEVE_BACK_ANSWER:
	case SIEVE_BACK_OVER:
		break;
	}
	return BACK_WAIT; /* not called in these */
}

/* One line with its literals; WAIT with *more_r when there may be another. */
static enum back_step
next_line(struct sieve_back *back, struct buf *in, struct buf *out, bool *more_r,
    struct fault *fault_r)
{
	struct str all = buf_str(in), line;
	enum back_step step;
	size_t taken;

	*more_r = false;
	/* Another protocol may have no lines at all. */
	if (back->phase == SIEVE_BACK_GREETING && all.len > 0 &&
	    memchr("\"{OoNnBb", all.ptr[0], 8) == NULL)
		return back_broken(fault_r, VERDICT_PERM, "no greeting of ManageSieve",
		    str_make(all.ptr, str_find(all, '\n')));
	switch (sieve_scan(&back->scan, all, &line, &taken)) {
	case SIEVE_SCAN_WAIT:
		return BACK_WAIT;
	case SIEVE_SCAN_LOST:
		return back_unable(fault_r,
		    "the backend says too much at a time before the login stands");
	case SIEVE_SCAN_WHOLE:
		break;
	}
	sieve_scan_over(&back->scan);
	step = take_line(back, line, taken == all.len, out, fault_r);
	buf_consume(in, taken);
	*more_r = step == BACK_WAIT;
	return step;
}

enum back_step
sieve_back_next(struct back *base, struct buf *in, struct buf *out, struct fault *fault_r)
{
	struct sieve_back *back = sieve_back_of(base);
	enum back_step step = BACK_WAIT;
	bool more = true;

	if (back->phase == SIEVE_BACK_SHAKING || back->phase == SIEVE_BACK_ANSWER)
		return BACK_WAIT;
	if (back->phase == SIEVE_BACK_OVER)
		return back_broken(fault_r, VERDICT_TEMP, "the login is over", STR(""));
	while (more)
		step = next_line(back, in, out, &more, fault_r);
	if (step == BACK_BROKEN)
		back->phase = SIEVE_BACK_OVER;
	return step;
}

/* ---- what the driver tells */

struct back *
sieve_back_new(const struct back_task *task)
{
	struct sieve_back *back = xnew(struct sieve_back);

	back->back.task = task;
	back->back.untagged = back->back.text = STR("");
	back->back.offer = offer_new();
	sieve_scan_init(&back->scan, SCAN_LINE_MOST, SASL_LINE_MOST);
	return &back->back;
}

void
sieve_back_free(struct back *base)
{
	struct sieve_back *back = sieve_back_of(base);

	offer_free(&back->back.offer);
	buf_wipe(&back->text);
	free(back);
}

/* The capabilities come again, without being asked for: RFC 5804, section 2.2. */
void
sieve_back_tls(struct back *base, struct buf *out)
{
	struct sieve_back *back = sieve_back_of(base);

	back_forget_offer(&back->back);
	back->words = 0;
	back->is_tls = true;
	back->phase = SIEVE_BACK_GREETING;
}

void
sieve_back_respond(struct back *base, struct str base64, struct buf *out)
{
	struct sieve_back *back = sieve_back_of(base);

	must(back->phase == SIEVE_BACK_ANSWER);
	back->phase = SIEVE_BACK_LOGIN;
	sieve_say_string(out, base64, true);
	buf_add_text(out, "\r\n");
}

/*
 * Whether the next line could be taken for a part of the login. Where it is not, a string is
 * a command that nobody knows.
 */
static bool
may_be_asked(const struct sieve_back *back)
{
	return back->phase == SIEVE_BACK_ANSWER ||
	       (back->phase == SIEVE_BACK_LOGIN &&
		   !back_sasl_is_password(back->back.task->credentials->mechanism));
}

/* In the middle of TLS there is nothing that could be said. */
void
sieve_back_quit(struct back *base, struct buf *out)
{
	struct sieve_back *back = sieve_back_of(base);

	if (back->phase == SIEVE_BACK_SHAKING)
		return;
	if (may_be_asked(back))
		buf_add_text(out, "\"*\"\r\n");
	back->phase = SIEVE_BACK_OVER;
	buf_add_text(out, "LOGOUT\r\n");
}
