/*
 * pop3_back_login.c - how a login is said to a POP3 backend          (machine)
 */
#include "front/pop3_back_inside.h"

#include "base/mem.h"
#include "front/back.h"
#include "front/back_sasl.h"
#include "front/sasl.h"

enum { LINE_MOST = 255 }; /* of a command, with its end: RFC 5034, section 4 */

/* ---- in which way */

/* Nothing in it can end a line. */
static bool
is_one_line(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
			return false;
	}
	return text.len > 0;
}

/* False: there is no way for this login. */
static bool
choose(struct pop3_back *back)
{
	const struct back_task *task = back->back.task;
	const struct credentials *credentials = task->credentials;

	back->by_sasl = back_sasl_has(back->back.offer, credentials->mechanism);
	if (back->by_sasl)
		return true;
	return back_sasl_is_password(credentials->mechanism) && credentials->authzid.len == 0 &&
	       (!back->has_capa || offer_has(back->back.offer, "USER")) &&
	       is_one_line(back_name(task)) && is_one_line(credentials->secret);
}

/* It is no wrong password, and it will not be better later: RFC 3206, section 4. */
static enum back_step
cannot(struct pop3_back *back)
{
	back->back.refusal = REFUSAL_LATER;
	back->back.text = STR("-ERR [SYS/PERM] This login is not possible here");
	back->phase = POP3_BACK_OVER;
	return BACK_REFUSED;
}

/* ---- saying it */

static void
say_command(const char *word, struct str argument, struct buf *out)
{
	buf_add_text(out, word);
	buf_add_byte(out, ' ');
	buf_add_str(out, argument);
	buf_add_text(out, "\r\n");
}

static void
say_pass(struct pop3_back *back, struct buf *out)
{
	back->has_said_pass = true;
	say_command("PASS", back->back.task->credentials->secret, out);
}

static void
say_sasl(struct pop3_back *back, struct buf *out)
{
	const struct back_task *task = back->back.task;
	size_t before = buf_len(out), command;

	buf_addf(out, "AUTH %s", back_sasl_name(task->credentials->mechanism));
	command = buf_len(out);
	buf_add_byte(out, ' ');
	sasl_say(task->credentials, task->login, out);
	back->has_started = buf_len(out) - before <= LINE_MOST - 2;
	if (!back->has_started)
		buf_truncate(out, command); /* too long for a command: when it asks */
	buf_add_text(out, "\r\n");
}

static bool
pipelines(const struct pop3_back *back)
{
	return offer_has(back->back.offer, "PIPELINING");
}

static void
say_login(struct pop3_back *back, struct buf *out)
{
	back->has_said_login = back->back.says_login = true;
	if (back->by_sasl) {
		say_sasl(back, out);
		return;
	}
	say_command("USER", back_name(back->back.task), out);
	if (pipelines(back))
		say_pass(back, out);
}

static enum pop3_back_phase
first_phase(const struct pop3_back *back)
{
	return back->by_sasl ? POP3_BACK_SASL : POP3_BACK_USER;
}

static void
say_xclient(struct pop3_back *back, struct buf *out)
{
	const struct caller *caller = back->back.task->caller;

	buf_addf(out, "XCLIENT ADDR=%s PORT=%u SESSION=%s TTL=%u\r\n", caller->client_ip,
	    caller->client_port, caller->session, caller->ttl);
	back->phase = POP3_BACK_XCLIENT;
}

enum back_step
pop3_back_log_in(struct pop3_back *back, struct buf *out, struct fault *fault_r)
{
	const struct back_task *task = back->back.task;
	enum mechanism mechanism;

	if (task->credentials == NULL) {
		back->phase = POP3_BACK_OVER; /* all that was wanted is known */
		return BACK_ACCEPTED;
	}
	mechanism = task->credentials->mechanism;
	if (!task->is_safe && !back->is_tls && !mechanism_is_passed(mechanism))
		return back_unable(fault_r, "the connection is not safe enough for a password");
	if (!choose(back)) {
		if (back_sasl_is_password(mechanism) && task->credentials->authzid.len == 0)
			return back_unable(fault_r, "the backend announces no way to log in");
		return cannot(back);
	}
	back->phase = first_phase(back);
	if (task->way == CALLER_XCLIENT) {
		if (!back->takes_xclient)
			return back_unable(fault_r,
			    "the backend does not announce XCLIENT, by which "
			    "it is to learn who calls");
		say_xclient(back, out);
		if (!pipelines(back))
			return BACK_WAIT;
	}
	say_login(back, out);
	return BACK_WAIT;
}

/* ---- what it refuses */

/* RFC 2449, section 8, RFC 3206, section 4, and codes of RFC 5530 that some send here, too. */
static const struct code {
	const char *name;
	enum refusal refusal;
} passed_codes[] = {
    {"ALERT", REFUSAL_WRONG},
    {"EXPIRED", REFUSAL_WRONG},
    {"IN-USE", REFUSAL_LATER},
    {"LOGIN-DELAY", REFUSAL_LATER},
    {"SYS", REFUSAL_LATER}, /* SYS/TEMP and SYS/PERM */
    {"UNAVAILABLE", REFUSAL_LATER},
};

/* The first level of its response code: "SYS" of "[SYS/TEMP]". */
static struct str
code_of(struct str line)
{
	size_t len = 0;

	if (!str_starts(line, "-ERR ["))
		return STR("");
	line = str_from(line, 6);
	while (len < line.len && memchr("/] ", line.ptr[len], 3) == NULL)
		len++;
	return str_make(line.ptr, len);
}

static enum back_step
refuse(struct pop3_back *back, struct str line)
{
	struct str code = code_of(line);

	back->back.refusal = REFUSAL_WRONG;
	back->back.text = STR("");
	back->phase = POP3_BACK_OVER;
	buf_clear(&back->text);
	for (size_t i = 0; i < ARRAY_LEN(passed_codes); i++) {
		if (!str_is_nocase(code, passed_codes[i].name))
			continue;
		back->back.refusal = passed_codes[i].refusal;
		buf_add_str(&back->text, line);
		back->back.text = buf_str(&back->text);
	}
	return BACK_REFUSED;
}

/* ---- what it answers; a line is in no fault here: it could repeat what it was told */

static enum back_step
odd(struct fault *fault_r)
{
	return back_unable(fault_r, "the backend answers what was not asked");
}

static enum back_step
take_xclient(struct pop3_back *back, struct str line, struct buf *out, struct fault *fault_r)
{
	if (!pop3_is_ok(line))
		return back_unable(fault_r,
		    "the backend does not take XCLIENT, by which it is to learn who calls");
	back->phase = first_phase(back);
	if (!back->has_said_login)
		say_login(back, out);
	return BACK_WAIT;
}

static enum back_step
take_user(struct pop3_back *back, struct str line, struct buf *out, struct fault *fault_r)
{
	if (pop3_is_err(line))
		return refuse(back, line);
	if (!pop3_is_ok(line))
		return odd(fault_r);
	back->phase = POP3_BACK_PASS;
	if (!back->has_said_pass)
		say_pass(back, out);
	return BACK_WAIT;
}

static enum back_step
accepted(struct pop3_back *back, struct str line)
{
	buf_clear(&back->text);
	buf_add_str(&back->text, line);
	back->back.text = buf_str(&back->text);
	back->phase = POP3_BACK_OVER;
	return BACK_ACCEPTED;
}

/* It asks: what stands behind "+". */
static enum back_step
go_on(struct pop3_back *back, struct str text, struct buf *out, struct fault *fault_r)
{
	const struct back_task *task = back->back.task;

	if (++back->rounds > SASL_ROUNDS_MOST)
		return back_unable(fault_r, "the backend asks again and again");
	if (!back->has_started) {
		back->has_started = true;
		sasl_say(task->credentials, task->login, out);
		buf_add_text(out, "\r\n");
		return BACK_WAIT;
	}
	if (back_sasl_is_password(task->credentials->mechanism))
		return back_unable(fault_r, "the backend asks for more than PLAIN has");
	if (!back_sasl_is_base64(text))
		return back_unable(fault_r, "the backend asks in what is no base64");
	buf_clear(&back->text);
	buf_add_str(&back->text, text);
	back->back.text = buf_str(&back->text);
	back->phase = POP3_BACK_ANSWER;
	return BACK_CHALLENGE;
}

static enum back_step
take_sasl(struct pop3_back *back, struct str line, struct buf *out, struct fault *fault_r)
{
	if (pop3_is_err(line))
		return refuse(back, line);
	if (str_is(line, "+") || str_starts(line, "+ "))
		return go_on(back, str_from(line, line.len > 1 ? 2 : 1), out, fault_r);
	if (!pop3_is_ok(line))
		return odd(fault_r);
	if (!back->has_started)
		return back_unable(fault_r, "the backend lets in whoever has said nothing yet");
	return accepted(back, line);
}

enum back_step
pop3_back_login_line(struct pop3_back *back, struct str line, struct buf *out,
    struct fault *fault_r)
{
	switch (back->phase) {
	case POP3_BACK_XCLIENT:
		return take_xclient(back, line, out, fault_r);
	case POP3_BACK_USER:
		return take_user(back, line, out, fault_r);
	case POP3_BACK_PASS:
		if (pop3_is_ok(line))
			return accepted(back, line);
		return pop3_is_err(line) ? refuse(back, line) : odd(fault_r);
	case POP3_BACK_SASL:
		return take_sasl(back, line, out, fault_r);
	case POP3_BACK_GREETING: /* pop3_back.c has these */
	case POP3_BACK_STLS:
	case POP3_BACK_SHAKING:
	case POP3_BACK_CAPA:
	case POP3_BACK_LIST:
	case POP3_BACK_ANSWER:
	case POP3_BACK_OVER:
		break;
	}
	return odd(fault_r);
}
