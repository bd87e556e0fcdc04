/*
 * login_route.c - whom a login belongs to                             (driver)
 *
 * The map is asked, a claim taken with its answer, and whatever the map says
 * later about this account is acted on: a parked login goes on, one that is on
 * its way to a former owner turns round.
 */
#include "front/login_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/peer.h"

#include <inttypes.h>
#include <stdlib.h>

enum { TURNS_MOST = 10 }; /* of a login that finds its account moved again and again */

/* ---- refusing */

void
login_end_trial(struct login *login)
{
	if (login->is_trial)
		breaker_left(&login->service->breaker);
	login->is_trial = false;
}

void
login_forget_try(struct login *login)
{
	map_forget(&login->question);
	crowd_leave_turn(login->server->crowd, &login->turn);
	login_unpark(login);
	login_end_trial(login);
	login->is_moved = login->is_challenged = login->is_stuck = false;
	leg_free(&login->leg);
	service_leave(&login->service);
	claim_release(&login->claim);
	free(login->account);
	free(login->owner);
	login->account = login->owner = NULL;
}

void
login_restart(struct login *login, uint64_t more_ms)
{
	timer_start(login->deadline,
	    more_ms + (uint64_t)login->server->settings->frontd.login_timeout_ms);
}

/* Whom a failure is counted for: the account, however it was written, where there is one. */
static struct str
guessed(const struct login *login)
{
	return login->account ? str_of(login->account)
			      : credentials_login(&login->front->credentials);
}

/* Not before so long after the question as others take whose password is wrong. */
static uint64_t
delay_of(struct login *login, enum refusal refusal)
{
	const struct frontd_settings *frontd = &login->server->settings->frontd;
	uint64_t least_ms = (uint64_t)frontd->fail_delay_ms, now_ms = clock_ms(), due_ms;

	if (refusal != REFUSAL_WRONG && refusal != REFUSAL_TOKEN)
		return 0;
	due_ms = login->asked_ms + least_ms +
		 crowd_failed(login->server->crowd, &login->caller.client, guessed(login), now_ms,
		     least_ms);
	return due_ms > now_ms ? due_ms - now_ms : 0;
}

static void
note_refusal(struct login *login, enum refusal refusal)
{
	char from[PEER_NAME_BYTES];

	log_info("login_refused",
	    "proto=%s session=%s user=%s from=%s destination=%s refusal=%s ms=%" PRIu64,
	    login->dialect->name, login->session,
	    log_quote(credentials_login(&login->front->credentials)),
	    peer_name(&login->caller.client, from), login->owner ? login->owner : "-",
	    refusal_names[refusal], clock_ms() - login->asked_ms);
	tally_refused(&login->server->tally, login->port->kind, refusal);
}

void
login_refuse(struct login *login, enum refusal refusal, struct str text)
{
	uint64_t delay_ms = delay_of(login, refusal);

	note_refusal(login, refusal);
	buf_clear(&login->refusal_text);
	buf_add_str(&login->refusal_text, text);
	login->refusal = refusal;
	login_forget_try(login);
	login_enter(login, LOGIN_DELAYED);
	timer_start(login->pause, delay_ms);
	login_restart(login, delay_ms); /* the wait was ours, not the client's */
}

/* Too many: a refusal would make clients ask for the password, the end lets them come again. */
static void
turn_away(struct login *login)
{
	note_refusal(login, REFUSAL_LIMIT);
	login_end(login, LOGIN_END_CROWDED);
}

/* ---- waiting for the end of a hold */

void
login_unpark(struct login *login)
{
	if (!login->is_parked)
		return;
	login->is_parked = false;
	crowd_unpark(login->server->crowd, &login->caller.client);
	timer_stop(login->pause);
	login_restart(login, 0);
}

/* A seat for who waits: so many for each address, and never those that others need to log in. */
static bool
take_seat(struct login *login)
{
	const struct frontd_settings *frontd = &login->server->settings->frontd;
	struct crowd *crowd = login->server->crowd;
	size_t most = (size_t)(frontd->max_logins + 1) / 2; /* half: others are to log in, too */

	login->is_parked =
	    crowd_parked(crowd) < most &&
	    crowd_park(crowd, &login->caller.client, (size_t)frontd->max_parked_per_address);
	return login->is_parked;
}

static void
park(struct login *login)
{
	uint64_t waited_ms;

	if (!take_seat(login)) {
		turn_away(login);
		return;
	}
	if (login->parked_ms == 0)
		login->parked_ms = clock_ms();
	waited_ms = clock_ms() - login->parked_ms;
	login_enter(login, LOGIN_PARKED);
	timer_start(login->deadline,
	    waited_ms < login->dialect->park_ms ? login->dialect->park_ms - waited_ms : 0);
	if (login->dialect->park_word_ms != 0)
		timer_start(login->pause, login->dialect->park_word_ms);
}

/* ---- what the map says later */

/* Does the record still allow what we do? */
static bool
stands(void *ctx, const struct finding *finding)
{
	const struct login *login = ctx;
	bool is_held = finding->hold == HOLD_ALL && login->dialect->park_ms != 0;

	return str_is(server_owner(login->server, finding), login->owner) &&
	       str_is(finding->account, login->account) && is_held == login->is_parked;
}

static void
end(void *ctx, const struct finding *finding)
{
	struct login *login = ctx;

	login->is_moved = finding != NULL;
	if (login->is_parked || login->leg == NULL) {
		login_forget_try(login);
		login_ask(login);
	} else if (login->phase != LOGIN_LEAVING) {
		login_leave(login);
	}
}

static const struct claim_events claim_events = {.stands_fn = stands, .end_fn = end};

/* ---- asking */

static void
take_claim(struct login *login, const struct finding *finding)
{
	struct str owner = server_owner(login->server, finding);

	login->account = xstrndup(finding->account.ptr, finding->account.len);
	login->owner = xstrndup(owner.ptr, owner.len);
	login->claim =
	    map_claim(login->server->map, &login->server->account, finding, &claim_events, login);
}

static bool
is_crowded(const struct login *login, struct str account)
{
	return household_count(login->server->households, account) >=
	       (size_t)login->server->settings->frontd.max_per_account;
}

static void
go_home(struct login *login, const struct finding *finding)
{
	struct str owner = server_owner(login->server, finding);
	struct home *home = server_home(login->server, owner);
	bool is_held = finding->hold == HOLD_ALL && login->dialect->park_ms != 0;

	if (home == NULL || home->services[login->port->kind] == NULL) {
		log_warning("login_has_no_home", "proto=%s account=%s owner=%s reason=%s",
		    login->dialect->name, log_quote(finding->account), log_quote(owner),
		    home == NULL ? "\"there is no such destination\""
				 : "\"the destination does not serve this protocol\"");
		login_refuse(login, REFUSAL_LATER, STR(""));
		return;
	}
	if (is_crowded(login, finding->account)) {
		turn_away(login);
		return;
	}
	if (!is_held && !login_take_turn(login, finding->account))
		return;
	take_claim(login, finding);
	if (is_held) {
		park(login);
		return;
	}
	login->service = service_use(home->services[login->port->kind]);
	login_lead(login);
}

/*
 * Nobody knows this login; inside a managed domain a destination may want to see
 * it all the same.
 */
static bool
is_refused(const struct login *login, const struct finding *finding)
{
	return finding->verdict == VERDICT_ABSENT ||
	       (finding->is_unknown && server_owner(login->server, finding).len == 0);
}

static void
found(void *ctx, const struct finding *finding)
{
	struct login *login = ctx;

	login->question = NULL;
	switch (finding->verdict) {
	case VERDICT_FOUND:
	case VERDICT_ABSENT:
		if (!is_refused(login, finding))
			go_home(login, finding);
		else if (login_take_turn(login, credentials_login(&login->front->credentials)))
			login_refuse(login, REFUSAL_WRONG, STR(""));
		break;
	case VERDICT_TEMP:
	case VERDICT_PERM:
	case VERDICT_COUNT:
		log_warning("login_in_trouble", "proto=%s session=%s user=%s reason=%s",
		    login->dialect->name, login->session,
		    log_quote(credentials_login(&login->front->credentials)),
		    log_quote_text(finding->reason));
		login_refuse(login, REFUSAL_LATER, STR(""));
		break;
	}
}

/* The account of the login in hand, in server->account; false: it can be nobody. */
static bool
read_account(struct login *login)
{
	struct server *server = login->server;
	struct fault fault;

	buf_clear(&server->name);
	if (route_login(&server->route_rules, credentials_login(&login->front->credentials),
		&server->name, &fault) == -1) {
		log_info("login_is_none", "proto=%s session=%s reason=%s", login->dialect->name,
		    login->session, log_quote_text(fault.text));
		return false;
	}
	return account_read(&server->account, buf_str(&server->name), &server->account_rules);
}

/* Others have been in hand meanwhile: the claim is to depend on what this one asked for. */
static void
found_later(void *ctx, const struct finding *finding)
{
	struct login *login = ctx;

	login->question = NULL;
	if (read_account(login))
		found(login, finding);
	else
		login_refuse(login, REFUSAL_WRONG, STR("")); /* other rules by now */
}

void
login_ask(struct login *login)
{
	struct finding finding;

	login_enter(login, LOGIN_ASKING);
	if (!read_account(login)) {
		login_refuse(login, REFUSAL_WRONG, STR(""));
		return;
	}
	login->question =
	    map_ask(login->server->map, &login->server->account, found_later, login, &finding);
	if (login->question == NULL)
		found(login, &finding);
}

void
login_turn(struct login *login)
{
	/* What the client was asked by one backend it cannot answer to another. */
	if (login->is_challenged || ++login->turns > TURNS_MOST) {
		login_refuse(login, REFUSAL_LATER, STR(""));
		return;
	}
	login_forget_try(login);
	login_ask(login);
}

void
login_route(struct login *login)
{
	login->asked_ms = clock_ms();
	login->parked_ms = 0;
	login->turns = 0;
	login->has_turn = false;
	login_ask(login);
}

/* ---- asking once more */

static void
checked(void *ctx, const struct finding *finding)
{
	struct login *login = ctx;

	login->question = NULL;
	/* Others of the account may have come in meanwhile: then it turns round, and is refused. */
	if (finding->verdict == VERDICT_FOUND && stands(login, finding) &&
	    !is_crowded(login, finding->account)) {
		rehearse_login(login->server->rehearse, login->port->kind,
		    &login->front->credentials, finding);
		login_hand_over(login);
	} else {
		login_leave(login);
	}
}

void
login_check(struct login *login)
{
	struct finding finding;

	login_enter(login, LOGIN_CHECKING);
	if (!read_account(login)) {
		login_leave(login); /* the rules of reading have changed meanwhile */
		return;
	}
	login->question =
	    map_ask(login->server->map, &login->server->account, checked, login, &finding);
	if (login->question == NULL)
		checked(login, &finding);
}
