/*
 * calls.c - libmilter's callbacks, carried to a session and back      (driver)
 */
#include "milter/calls.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	ACTIONS = SMFIF_ADDHDRS | SMFIF_CHGHDRS,
	STEPS = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOBODY | SMFIP_NOUNKNOWN |
		SMFIP_NOEOH | SMFIP_NR_HDR | SMFIP_NR_MAIL
};

/* libmilter gives callbacks nothing of ours but what hangs on a connection. */
static struct {
	pthread_mutex_t lock;
	struct terms *terms; /* under the lock */
	struct policyd *policyd;
	struct numbers *numbers;
	atomic_uint sessions_most;
} calls = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A connection of Postfix's. */
struct visit {
	struct session *session;
	struct terms *terms; /* of the message; NULL between two */
};

/* ---- terms */

void
calls_start(struct terms *terms, struct policyd *policyd, struct numbers *numbers,
    unsigned sessions_most)
{
	calls.policyd = policyd;
	calls.numbers = numbers;
	calls_take_terms(terms, sessions_most);
}

void
calls_take_terms(struct terms *terms, unsigned sessions_most)
{
	struct terms *former;

	pthread_mutex_lock(&calls.lock);
	former = calls.terms;
	calls.terms = terms;
	pthread_mutex_unlock(&calls.lock);
	calls.sessions_most = sessions_most;
	terms_part(&former);
}

/* Whoever begins one counts it first, and then looks whether it may. */
bool
calls_stop(void)
{
	calls.sessions_most = 0;
	if (calls.numbers->sessions > 0)
		return false;
	terms_part(&calls.terms);
	return true;
}

static struct terms *
terms_now(void)
{
	struct terms *terms;

	pthread_mutex_lock(&calls.lock);
	terms = terms_join(calls.terms);
	pthread_mutex_unlock(&calls.lock);
	return terms;
}

/* ---- what is logged */

static char *
lent(const char *text)
{
	return (char *)(uintptr_t)text; /* libmilter reads it only */
}

static void
log_trouble(enum numbers_trouble trouble, const char *event, struct str why)
{
	struct buf text = BUF_INIT;
	uint64_t more;

	if (!numbers_say(calls.numbers, trouble, clock_ms(), &more))
		return;
	log_quote_into(&text, why);
	log_warning(event, "why=%s more=%llu", buf_cstr(&text), (unsigned long long)more);
	buf_fini(&text);
}

static void
log_message(SMFICTX *ctx, const struct session_reply *reply, size_t recipients)
{
	const char *id = smfi_getsymval(ctx, lent("i"));
	struct buf queue_id = BUF_INIT, text = BUF_INIT;

	log_quote_into(&queue_id, str_of(id != NULL ? id : ""));
	if (reply->verdict == SESSION_GO_ON) {
		log_debug("message_taken", "id=%s managed=%zu", buf_cstr(&queue_id), recipients);
	} else {
		log_quote_into(&text, reply->text);
		log_info("message_refused", "id=%s why=%s text=%s", buf_cstr(&queue_id), reply->why,
		    buf_cstr(&text));
	}
	buf_fini(&queue_id);
	buf_fini(&text);
}

/* ---- a visit */

/*
 * May it begin? Whoever sends SMFIC_QUIT_NC begins anew on his connection without
 * a word, and who never negotiates is let on by libmilter: so each callback asks.
 * NULL: there are max_sessions.
 */
static struct visit *
visit_of(SMFICTX *ctx)
{
	struct visit *visit = smfi_getpriv(ctx);

	if (visit != NULL)
		return visit;
	if (++calls.numbers->sessions > calls.sessions_most) {
		calls.numbers->sessions--;
		calls.numbers->refused++;
		log_trouble(TROUBLE_CLIENT, "session_refused", STR("there are max_sessions"));
		return NULL;
	}
	calls.numbers->accepted++;
	visit = xnew(struct visit);
	visit->session = session_new();
	smfi_setpriv(ctx, visit);
	return visit;
}

static void
forget_message(struct visit *visit)
{
	session_abort(visit->session);
	terms_part(&visit->terms);
}

/* ---- what is said */

/* libmilter takes a % for its own. */
static void
double_percents(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '%')
			buf_add_byte(out, '%');
		buf_add_byte(out, text.ptr[i]);
	}
}

static sfsistat
say(SMFICTX *ctx, const struct session_reply *reply)
{
	struct buf text = BUF_INIT;
	bool is_said;

	if (reply->verdict == SESSION_GO_ON)
		return SMFIS_CONTINUE;
	numbers_reply(calls.numbers, reply);
	double_percents(&text, reply->text);
	is_said = smfi_setreply(ctx, lent(reply->code), lent(reply->status),
		      lent(buf_cstr(&text))) == MI_SUCCESS;
	buf_fini(&text);
	return is_said && reply->verdict == SESSION_NEVER ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

/* ---- the callbacks */

static sfsistat
negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long more,
    unsigned long still_more, unsigned long *actions_r, unsigned long *steps_r,
    unsigned long *more_r, unsigned long *still_more_r)
{
	if ((actions & ACTIONS) != ACTIONS || (steps & STEPS) != STEPS) {
		calls.numbers->refused++;
		log_trouble(TROUBLE_CLIENT, "session_refused",
		    STR("it does not offer the steps and changes that are needed"));
		return SMFIS_REJECT;
	}
	if (visit_of(ctx) == NULL)
		return SMFIS_REJECT;
	*actions_r = ACTIONS;
	*steps_r = STEPS;
	*more_r = *still_more_r = 0;
	return SMFIS_CONTINUE;
}

static sfsistat
envfrom(SMFICTX *ctx, char **argv)
{
	struct visit *visit = visit_of(ctx);

	if (visit == NULL)
		return SMFIS_TEMPFAIL;
	forget_message(visit);
	visit->terms = terms_now();
	session_mail(visit->session, terms_of_session(visit->terms));
	return SMFIS_NOREPLY; /* which nobody waits for, and it always goes on */
}

static struct session_reply
ask(struct session *session, struct str address)
{
	struct session_reply reply;
	struct inquiry inquiry;

	inquiry_init(&inquiry);
	policyd_ask(calls.policyd, address, &inquiry);
	if (inquiry.verdict == VERDICT_TEMP)
		log_trouble(TROUBLE_QUESTION, "question_in_trouble", inquiry.reason);
	reply = session_answer(session, &inquiry);
	inquiry_fini(&inquiry);
	return reply;
}

static sfsistat
envrcpt(SMFICTX *ctx, char **argv)
{
	struct visit *visit = visit_of(ctx);
	struct session_reply reply;
	struct str address;

	if (visit == NULL)
		return SMFIS_TEMPFAIL;
	calls.numbers->recipients++;
	if (session_rcpt(visit->session, str_of(argv[0]), &address, &reply) == SESSION_ASK)
		reply = ask(visit->session, address);
	if (reply.verdict != SESSION_GO_ON)
		log_debug("recipient_refused", "why=%s", reply.why);
	return say(ctx, &reply);
}

static sfsistat
header(SMFICTX *ctx, char *name, char *value)
{
	struct visit *visit = visit_of(ctx);
	enum trace_kind kind;

	if (visit == NULL)
		return SMFIS_TEMPFAIL;
	kind = session_header(visit->session, str_of(name), str_of(value));
	if (kind != TRACE_KINDS)
		calls.numbers->traces[kind]++;
	return SMFIS_NOREPLY;
}

static bool
change_headers(SMFICTX *ctx, const struct session *session, struct str value)
{
	const unsigned *places;
	size_t count = session_removals(session, &places);
	struct buf text = BUF_INIT;
	bool is_done = true;

	for (size_t i = 0; i < count && is_done; i++)
		is_done =
		    smfi_chgheader(ctx, lent(TRACE_HEADER), (int)places[i], NULL) == MI_SUCCESS;
	if (is_done && value.len > 0) {
		buf_add_str(&text, value);
		is_done =
		    smfi_insheader(ctx, 0, lent(TRACE_HEADER), lent(buf_cstr(&text))) == MI_SUCCESS;
		buf_fini(&text);
	}
	return is_done;
}

static void
report_arrivals(const struct visit *visit, size_t count)
{
	struct arrival *arrivals;

	if (count == 0)
		return;
	arrivals = xnew_array(struct arrival, count);
	for (size_t i = 0; i < count; i++)
		arrivals[i] = session_arrival(visit->session, i);
	if (!policyd_arrived(calls.policyd, terms_of_session(visit->terms)->instance, arrivals,
		count))
		log_trouble(TROUBLE_REPORT, "report_lost",
		    STR("policyd has not kept it; counts of arrivals are unknown now"));
	free(arrivals);
}

static sfsistat
end_message(SMFICTX *ctx, struct visit *visit)
{
	unsigned char nonce[TRACE_NONCE_BYTES];
	struct session_reply reply;
	struct str value;
	size_t count;

	randombytes_buf(nonce, sizeof(nonce));
	reply = session_end(visit->session, (uint64_t)time(NULL), nonce, &value);
	calls.numbers->messages++;
	count = session_arrivals(visit->session);
	if (reply.verdict == SESSION_GO_ON && !change_headers(ctx, visit->session, value)) {
		log_trouble(TROUBLE_CHANGE, "change_failed", STR("libmilter refuses it"));
		return SMFIS_TEMPFAIL;
	}
	log_message(ctx, &reply, count);
	report_arrivals(visit, count);
	return say(ctx, &reply);
}

static sfsistat
eom(SMFICTX *ctx)
{
	struct visit *visit = visit_of(ctx);
	sfsistat status;

	if (visit == NULL)
		return SMFIS_TEMPFAIL;
	status = end_message(ctx, visit);
	forget_message(visit);
	return status;
}

static sfsistat
on_abort(SMFICTX *ctx)
{
	struct visit *visit = smfi_getpriv(ctx);

	if (visit != NULL)
		forget_message(visit);
	return SMFIS_CONTINUE;
}

static sfsistat
on_close(SMFICTX *ctx)
{
	struct visit *visit = smfi_getpriv(ctx);

	if (visit == NULL)
		return SMFIS_CONTINUE; /* it was refused, or never came so far */
	smfi_setpriv(ctx, NULL);
	session_free(&visit->session);
	terms_part(&visit->terms);
	free(visit);
	calls.numbers->sessions--; /* at last: whoever sees none may free what we have used */
	return SMFIS_CONTINUE;
}

static char name[] = "splitmx-milter";

const struct smfiDesc calls_desc = {
    .xxfi_name = name,
    .xxfi_version = SMFI_VERSION,
    .xxfi_flags = ACTIONS,
    .xxfi_envfrom = envfrom,
    .xxfi_envrcpt = envrcpt,
    .xxfi_header = header,
    .xxfi_eom = eom,
    .xxfi_abort = on_abort,
    .xxfi_close = on_close,
    .xxfi_negotiate = negotiate,
};
