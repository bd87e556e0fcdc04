/*
 * rehearse.c - will this password work after the move?                (driver)
 */
#include "front/rehearse.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "front/dues.h"
#include "front/leg.h"
#include "front/server_inside.h"
#include "map/rehearsals.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	DUES_MOST = 65536,
	LOOK_MS =
	    600 * 1000, /* then the map is asked again: an operator may have removed a result */
	ASK_MS = 5000,
	LEAD_MS = 30000, /* Dovecot takes up to 17 s for a wrong password */
};

struct rehearsal {
	LIST_ENTRY(rehearsal) entry;
	struct rehearse *rehearse;
	const struct dialect *dialect;
	struct service *service; /* the other destination's */
	char *owner, *account, *host; /* ours, which a reload may change meanwhile */
	struct arena *arena; /* what was copied of the credentials; NULL: wiped, and gone */
	struct credentials credentials;
	struct buf login; /* the name there, where it is another one */
	struct caller nobody; /* addresses of no family */
	struct back_task task;
	struct claim *claim;
	struct rehearsals_question *question;
	struct leg *leg;
	struct timer *deadline; /* of the question, or of the end */
	uint64_t since_ms;
};

struct rehearse {
	struct server *server;
	LIST_HEAD(, rehearsal) rehearsals;
	size_t count;
	struct dues *dues;
	struct account account;
	uint64_t worked, refused, failed, ended;
};

/* ---- the end */

static void
forget_secrets(struct rehearsal *rehearsal)
{
	rehearsal->credentials = (struct credentials){0};
	arena_return(&rehearsal->arena);
}

static void
end(struct rehearsal *rehearsal)
{
	struct rehearse *rehearse = rehearsal->rehearse;

	LIST_REMOVE(rehearsal, entry);
	rehearse->count--;
	rehearsals_forget(&rehearsal->question);
	leg_free(&rehearsal->leg);
	if (rehearsal->arena != NULL)
		forget_secrets(rehearsal);
	claim_release(&rehearsal->claim);
	service_leave(&rehearsal->service);
	timer_free(&rehearsal->deadline);
	buf_wipe(&rehearsal->login);
	free(rehearsal->owner);
	free(rehearsal->account);
	free(rehearsal->host);
	loop_bury(rehearse->server->loop, rehearsal, free);
}

/* What was said there is over when the other side has closed, if that does not take too long. */
static void
leave(struct rehearsal *rehearsal)
{
	leg_quit(rehearsal->leg);
	timer_start(rehearsal->deadline,
	    (uint64_t)rehearsal->rehearse->server->settings->frontd.end_timeout_ms);
}

static void
on_deadline(void *ctx)
{
	end(ctx);
}

static void
not_before(struct rehearsal *rehearsal, uint64_t wait_ms)
{
	dues_note(rehearsal->rehearse->dues, str_of(rehearsal->account),
	    str_of(rehearsal->service->destination),
	    clock_ms() + (wait_ms < LOOK_MS ? wait_ms : LOOK_MS));
}

/* ---- what came of it */

static void
tell(struct rehearsal *rehearsal, bool works)
{
	struct rehearse *rehearse = rehearsal->rehearse;

	log_info("rehearsed", "proto=%s account=%s destination=%s works=%s ms=%" PRIu64,
	    rehearsal->dialect->name, log_quote_text(rehearsal->account),
	    rehearsal->service->destination, works ? "yes" : "no",
	    clock_ms() - rehearsal->since_ms);
	*(works ? &rehearse->worked : &rehearse->refused) += 1;
	rehearsals_tell(map_rehearsals(rehearse->server->map), str_of(rehearsal->account),
	    str_of(rehearsal->service->destination), works);
	not_before(rehearsal, (uint64_t)rehearse->server->settings->frontd.rehearse_interval_ms);
}

static void
tell_nothing(struct rehearsal *rehearsal, const char *reason)
{
	rehearsal->rehearse->failed++;
	log_info("rehearsal_failed", "proto=%s account=%s destination=%s reason=%s",
	    rehearsal->dialect->name, log_quote_text(rehearsal->account),
	    rehearsal->service->destination, log_quote_text(reason));
}

static void
on_leg(void *ctx, enum leg_event event)
{
	struct rehearsal *rehearsal = ctx;

	switch (event) {
	case LEG_ACCEPTED:
		tell(rehearsal, true);
		leave(rehearsal);
		forget_secrets(rehearsal); /* to leave takes none */
		return;
	case LEG_REFUSED:
		if (leg_back(rehearsal->leg)->refusal == REFUSAL_WRONG)
			tell(rehearsal, false);
		else
			tell_nothing(rehearsal, "not now, it says");
		break;
	case LEG_FAILED:
		tell_nothing(rehearsal, leg_fault(rehearsal->leg)->text);
		break;
	case LEG_CHALLENGE: /* nobody is here to answer */
	case LEG_GONE:
		break;
	}
	end(rehearsal);
}

/* ---- what the map says */

static bool
stands(void *ctx, const struct finding *finding)
{
	const struct rehearsal *rehearsal = ctx;

	return str_is(finding->owner, rehearsal->owner) && finding->hold == HOLD_NONE;
}

static void
on_claim_end(void *ctx, const struct finding *finding)
{
	struct rehearsal *rehearsal = ctx;

	(void)finding; /* whatever it is: not now */
	if (rehearsal->arena == NULL)
		return; /* it is leaving */
	rehearsal->rehearse->ended++;
	if (rehearsal->leg == NULL || !leg_has_begun(rehearsal->leg)) {
		end(rehearsal);
		return;
	}
	leave(rehearsal);
	forget_secrets(rehearsal);
}

static const struct claim_events claim_events = {.stands_fn = stands, .end_fn = on_claim_end};

static void
on_turn(void *ctx, bool is_ours, uint64_t wait_ms)
{
	struct rehearsal *rehearsal = ctx;
	struct server *server = rehearsal->rehearse->server;

	rehearsal->question = NULL;
	if (!is_ours) {
		not_before(rehearsal, wait_ms);
		end(rehearsal);
		return;
	}
	timer_stop(rehearsal->deadline);
	rehearsal->task = (struct back_task){.credentials = &rehearsal->credentials,
	    .login = buf_str(&rehearsal->login),
	    .caller = &rehearsal->nobody,
	    .way = rehearsal->service->caller == CALLER_PROXY ? CALLER_PROXY : CALLER_NONE,
	    .host = rehearsal->host,
	    .start_tls = rehearsal->service->tls_mode == TLS_MODE_STARTTLS,
	    .is_safe = rehearsal->service->is_safe};
	rehearsal->since_ms = clock_ms();
	rehearsal->leg = leg_new(server->loop, rehearsal->dialect, rehearsal->service,
	    &rehearsal->task, LEAD_MS, on_leg, rehearsal);
}

/* ---- the beginning */

/* Is it the account's own password or token, and do we have it? */
static bool
is_own(const struct server *server, const struct credentials *credentials)
{
	struct str login = credentials_login(credentials);
	const char *separators = server->route_rules.master_separators;

	if (mechanism_is_passed(credentials->mechanism))
		return false;
	if (credentials->authzid.len > 0 && credentials->authcid.len > 0 &&
	    !str_eq(credentials->authzid, credentials->authcid))
		return false;
	for (const char *c = separators; *c != '\0'; c++)
		if (str_find(login, *c) < login.len)
			return false;
	return true;
}

/* Where this login is to be tried; NULL: nowhere, or not now. */
static struct service *
service_for(const struct rehearse *rehearse, enum dialect_kind kind, const struct finding *finding)
{
	const struct server *server = rehearse->server;
	const struct home *owner = server_home(server, finding->owner), *other;
	struct service *service;

	if (owner == NULL || owner->rehearse == NULL || finding->is_unknown ||
	    finding->hold != HOLD_NONE || server->draining)
		return NULL;
	other = server_home(server, str_of(owner->rehearse));
	service = other != NULL ? other->services[kind] : NULL;
	if (service == NULL || service->breaker.pause_ms != 0 ||
	    rehearse->count >= (size_t)server->settings->frontd.rehearse_most ||
	    !dues_are(rehearse->dues, finding->account, str_of(service->destination), clock_ms()))
		return NULL;
	return service;
}

static bool
copy_credentials(struct rehearsal *rehearsal, const struct credentials *credentials)
{
	struct credentials *copy = &rehearsal->credentials;

	copy->mechanism = credentials->mechanism;
	return arena_copy(rehearsal->arena, credentials->authzid, &copy->authzid) &&
	       arena_copy(rehearsal->arena, credentials->authcid, &copy->authcid) &&
	       arena_copy(rehearsal->arena, credentials->secret, &copy->secret) &&
	       route_rewrite(&rehearsal->rehearse->server->route_rules, rehearsal->service->login,
		   credentials_login(credentials), str_of(rehearsal->account), &rehearsal->login);
}

/* With its claim: before it asks, and before the finding is gone. */
static bool
begin(struct rehearsal *rehearsal, const struct credentials *credentials,
    const struct finding *finding)
{
	struct rehearse *rehearse = rehearsal->rehearse;
	struct server *server = rehearse->server;

	rehearsal->arena = arena_borrow(server->arenas);
	if (rehearsal->arena == NULL || !copy_credentials(rehearsal, credentials) ||
	    !account_read(&rehearse->account, finding->account, &server->account_rules))
		return false;
	rehearsal->claim =
	    map_claim(server->map, &rehearse->account, finding, &claim_events, rehearsal);
	rehearsal->question = rehearsals_ask(map_rehearsals(server->map), finding->account,
	    str_of(rehearsal->service->destination),
	    (uint64_t)server->settings->frontd.rehearse_interval_ms, on_turn, rehearsal);
	return rehearsal->question != NULL;
}

void
rehearse_login(struct rehearse *rehearse, enum dialect_kind kind,
    const struct credentials *credentials, const struct finding *finding)
{
	struct service *service = service_for(rehearse, kind, finding);
	struct rehearsal *rehearsal;

	if (service == NULL || !is_own(rehearse->server, credentials))
		return;
	rehearsal = xnew(struct rehearsal);
	rehearsal->rehearse = rehearse;
	rehearsal->dialect = dialects[kind];
	rehearsal->service = service_use(service);
	rehearsal->owner = xstrndup(finding->owner.ptr, finding->owner.len);
	rehearsal->account = xstrndup(finding->account.ptr, finding->account.len);
	rehearsal->host = xstrdup(rehearse->server->host);
	rehearsal->deadline = timer_new(rehearse->server->loop, on_deadline, rehearsal);
	timer_start(rehearsal->deadline, ASK_MS);
	LIST_INSERT_HEAD(&rehearse->rehearsals, rehearsal, entry);
	rehearse->count++;
	not_before(rehearsal, REHEARSALS_PAUSE_MS); /* others of this account do not even ask */
	if (!begin(rehearsal, credentials, finding))
		end(rehearsal);
}

/* ---- life */

struct rehearse *
rehearse_new(struct server *server)
{
	struct rehearse *rehearse = xnew(struct rehearse);

	rehearse->server = server;
	rehearse->dues = dues_new(DUES_MOST);
	account_init(&rehearse->account);
	LIST_INIT(&rehearse->rehearsals);
	return rehearse;
}

void
rehearse_stop(struct rehearse *rehearse)
{
	while (!LIST_EMPTY(&rehearse->rehearsals))
		end(LIST_FIRST(&rehearse->rehearsals));
}

void
rehearse_free(struct rehearse **rehearse_ref)
{
	struct rehearse *rehearse = *rehearse_ref;

	if (rehearse == NULL)
		return;
	*rehearse_ref = NULL;
	rehearse_stop(rehearse);
	dues_free(&rehearse->dues);
	account_fini(&rehearse->account);
	free(rehearse);
}

json_t *
rehearse_status(const struct rehearse *rehearse)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "under_way", (json_int_t)rehearse->count,
	    "worked", (json_int_t)rehearse->worked, "refused", (json_int_t)rehearse->refused,
	    "failed", (json_int_t)rehearse->failed, "ended", (json_int_t)rehearse->ended);
}

void
rehearse_numbers(const struct rehearse *rehearse, struct openmetrics *text)
{
	const struct {
		const char *name;
		uint64_t count;
	} results[] = {{"worked", rehearse->worked}, {"refused", rehearse->refused},
	    {"failed", rehearse->failed}, {"ended", rehearse->ended}};

	openmetrics_family(text, OPENMETRICS_GAUGE, "splitmx_frontd_rehearsals_under_way", NULL,
	    "Logins that are being tried at another destination.");
	openmetrics_sample(text, NULL, rehearse->count);
	openmetrics_family(text, OPENMETRICS_COUNTER, "splitmx_frontd_rehearsals", NULL,
	    "Logins that were tried at another destination, by what came of them.");
	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		openmetrics_sample(text, OPENMETRICS_LABELS({"result", results[i].name}),
		    results[i].count);
}
