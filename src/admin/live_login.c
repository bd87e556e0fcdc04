/*
 * live_login.c - splitmx check --live: a login, and from where it is seen (driver)
 *
 * Tried twice, at the owner's servers and through the front; then it is asked from
 * which address the server has seen the second one. That a server lets somebody in
 * who comes from nowhere is the most common mistake: its own limits and bans then
 * count all people as one.
 */
#include "admin/live_reach.h"

#include "admin/outcome.h"
#include "admin/owner.h"
#include "admin/reading.h"
#include "admin/seen.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	LOOKS = 10, /* at who is logged in, and as often after the end of the session */
	LOOK_EVERY_MS = 200,
	FROM_BYTES = 64,
};

/* ---- whose login it is */

static const struct destination_settings *
find_destination(const struct settings *settings, struct str name)
{
	for (size_t i = 0; i < settings->destination_count; i++)
		if (str_is(name, settings->destinations[i].name))
			return &settings->destinations[i];
	return NULL;
}

static const struct service_settings *
find_service(const struct destination_settings *destination, enum service_protocol protocol)
{
	for (size_t i = 0; i < destination->service_count; i++)
		if (destination->services[i].protocol == protocol)
			return &destination->services[i];
	return NULL;
}

struct
try {
	struct live *live;
	const struct destination_settings *owner;
	struct template_words account;
	char direct[SERVICE_COUNT][FROM_BYTES]; /* from where we came to its server; "": not */
};

/* As the front would write it: %a %u %d of the account, %l as it was said. */
static char *
name_there(const struct try *try, const struct service_settings *service)
{
	struct str account = try->account.account;
	size_t at = str_rfind(account, '@');
	struct buf name = BUF_INIT;
	char *text;

	if (service->login[0] == '\0')
		return xstrdup(try->live->login);
	for (const char *p = service->login; *p != '\0'; p++) {
		if (*p != '%')
			buf_add_byte(&name, *p);
		else if (*++p == 'a')
			buf_add_str(&name, account);
		else if (*p == 'u')
			buf_add_str(&name, str_make(account.ptr, at));
		else if (*p == 'd')
			buf_add_str(&name, str_from(account, at + 1));
		else if (*p == 'l')
			buf_add_text(&name, try->live->login);
		else
			buf_add_byte(&name, *p);
	}
	text = xstrdup(buf_cstr(&name));
	buf_fini(&name);
	return text;
}

/* ---- at the server itself */

static void
try_server(struct try *try, const struct service_settings *service)
{
	struct live *live = try->live;
	const char *address = service->addresses[0];
	struct reach reach = {0};
	char *login = name_there(try, service);

	if (reach_service(&reach, live, service, address) == -1)
		goto out; /* it was said */
	snprintf(try->direct[service->protocol], FROM_BYTES, "%s", talk_from(reach.talk));
	if (speech_login(&reach.speech, login, buf_str(&live->password), &reach.fault) == 0) {
		live_say(live, LIVE_GOOD, "login", NULL, "%s at %s, %s: %s is let in",
		    speech_names[service->protocol], try->owner->name, address,
		    log_quote_text(login));
		speech_leave(&reach.speech);
	} else {
		live_say(live, LIVE_BAD, "login", NULL, "%s at %s, %s: %s is not let in: %s",
		    speech_names[service->protocol], try->owner->name, address,
		    log_quote_text(login), reach.fault.text);
	}
out:
	reach_close(&reach);
	free(login);
}

/* ---- through the front, and from where that was seen */

static int
look(const struct try *try, const struct service_settings *service, struct buf *said,
    struct fault *fault_r)
{
	buf_clear(said);
	return outcome_of(service->who, service->who_count, &try->account, said, fault_r);
}

struct sight {
	const struct try *try;
	const struct service_settings *service;
	const char *own, *front;
	struct buf before, after;
	enum seen seen;
};

/* Looks until it is seen from where we are. -1 and *fault_r: the command is of no use. */
static int
look_for(struct sight *sight, struct fault *fault_r)
{
	struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};

	for (int i = 0; i < LOOKS && sight->seen != SEEN_OWN; i++) {
		enum seen seen;

		if (i > 0)
			nanosleep(&pause, NULL);
		if (look(sight->try, sight->service, &sight->after, fault_r) == -1)
			return -1;
		seen = seen_in(buf_str(&sight->before), buf_str(&sight->after), sight->own,
		    sight->front);
		if (seen != SEEN_NOTHING)
			sight->seen = seen; /* a log may begin with who connected, and go on with
					       who called */
	}
	return 0;
}

static void
say_sight(const struct sight *sight)
{
	struct live *live = sight->try->live;
	const char *protocol = speech_names[sight->service->protocol];
	const char *destination = sight->try->owner->name;
	struct buf fix = BUF_INIT;

	switch (sight->seen) {
	case SEEN_OWN:
		live_say(live, LIVE_GOOD, "caller", NULL, "%s at %s saw %s", protocol, destination,
		    sight->own);
		break;
	case SEEN_FRONT:
		reach_trust(&fix, sight->service, sight->front);
		live_say(live, LIVE_BAD, "caller", buf_cstr(&fix),
		    "%s at %s saw %s, the front, and not %s", protocol, destination, sight->front,
		    sight->own);
		break;
	case SEEN_NOTHING:
		live_say(live, LIVE_BAD, "caller",
		    "\"who\" of this service must show who is logged in there, or the end of its "
		    "log",
		    "%s at %s: %s shows nothing new of %s, nor of %s", protocol, destination,
		    sight->service->who[0], sight->own, sight->front);
		break;
	}
	buf_fini(&fix);
}

/* May it be asked at all? If not, that is said. */
static bool
can_be_seen(const struct try *try, const struct service_settings *service, const char *own)
{
	const char *direct = try->direct[service->protocol];
	const char *protocol = speech_names[service->protocol];

	if (service->caller == SERVICE_CALLER_NONE)
		live_say(try->live, LIVE_OPEN, "caller", NULL,
		    "not verified: %s at %s is told of no address (caller = \"none\")", protocol,
		    try->owner->name);
	else if (service->who_count == 0)
		live_say(try->live, LIVE_OPEN, "caller", NULL,
		    "not verified: which address %s at %s saw; destinations.services.who is the "
		    "command that shows it",
		    protocol, try->owner->name);
	else if (direct[0] == '\0')
		live_say(try->live, LIVE_OPEN, "caller", NULL,
		    "not verified: which address %s at %s saw: it could not be reached directly",
		    protocol, try->owner->name);
	else if (strcmp(direct, own) == 0)
		live_say(try->live, LIVE_OPEN, "caller", NULL,
		    "not verified: which address %s at %s saw: we come to it from %s, as to the "
		    "front; --from names another address of this host",
		    protocol, try->owner->name, own);
	else
		return true;
	return false;
}

static void
try_listener(struct try *try, const struct front_listen_settings *listen)
{
	struct live *live = try->live;
	const struct service_settings *service = find_service(try->owner, listen->protocol);
	struct sight sight = {.try = try, .service = service};
	struct reach reach = {0};
	bool looks = false;
	int rc = 0;

	if (service == NULL || reach_listener(&reach, live, listen) == -1)
		goto out; /* it was said */
	sight.own = talk_from(reach.talk);
	sight.front = try->direct[listen->protocol];
	looks = can_be_seen(try, service, sight.own);
	if (looks)
		rc = look(try, service, &sight.before, &reach.fault);
	if (rc == 0 && speech_login(&reach.speech, live->login, buf_str(&live->password),
			   &reach.fault) == -1) {
		live_say(live, LIVE_BAD, "login", NULL, "%s at %s: %s is not let in: %s",
		    speech_names[listen->protocol], listen->address, log_quote_text(live->login),
		    reach.fault.text);
		goto out;
	}
	if (rc == 0)
		live_say(live, LIVE_GOOD, "login", NULL, "%s at %s, from %s: %s is let in, at %s",
		    speech_names[listen->protocol], listen->address, sight.own,
		    log_quote_text(live->login), try->owner->name);
	if (rc == 0 && looks)
		rc = look_for(&sight, &reach.fault);
	if (rc == 0)
		speech_leave(&reach.speech);
	if (rc == 0 && looks)
		rc = look_for(&sight, &reach.fault); /* some logs tell it at the end */
	if (rc == -1)
		live_say(live, LIVE_BAD, "caller", NULL, "%s at %s: %s",
		    speech_names[listen->protocol], try->owner->name, reach.fault.text);
	else if (looks)
		say_sight(&sight);
out:
	reach_close(&reach);
	buf_fini(&sight.before);
	buf_fini(&sight.after);
}

/* ---- all of it */

static void
try_all(struct try *try)
{
	const struct frontd_settings *frontd = &try->live->admin->settings->frontd;

	for (size_t i = 0; i < try->owner->service_count; i++)
		try_server(try, &try->owner->services[i]);
	for (size_t i = 0; i < frontd->listen_count; i++)
		try_listener(try, &frontd->listen[i]);
}

static void
try_finding(struct live *live, const struct finding *finding)
{
	struct try try = {.live = live,
	    .owner = find_destination(live->admin->settings, finding->owner),
	    .account = {finding->account, finding->owner}};

	if (finding->verdict != VERDICT_FOUND)
		live_say(live, LIVE_BAD, "login", "see \"splitmx explain\"", "%s has no owner: %s",
		    log_quote_text(live->login),
		    finding->reason != NULL ? finding->reason : "nobody knows it");
	else if (try.owner == NULL)
		live_say(live, LIVE_BAD, "login", "see \"splitmx explain\"",
		    "the owner of %s is no destination", log_quote_text(live->login));
	else if (finding->hold == HOLD_ALL)
		live_say(live, LIVE_OPEN, "login", NULL,
		    "not verified: %s is held, and its logins wait", log_quote_text(live->login));
	else
		try_all(&try);
}

void
live_login(struct live *live)
{
	struct admin *admin = live->admin;
	const char *domain = admin->settings->frontd.default_domain;
	bool is_bare = strchr(live->login, '@') == NULL && domain[0] != '\0';
	char *name = is_bare ? xasprintf("%s@%s", live->login, domain) : xstrdup(live->login);
	struct account_rules rules = admin_account_rules(admin);
	struct reading reading = {0};
	struct subject subject;
	struct fault fault;

	subject_init(&subject);
	if (admin->client == NULL)
		live_say(live, LIVE_OPEN, "login", NULL,
		    "not verified: without the map nobody knows who has %s",
		    log_quote_text(live->login));
	else if (subject_read_or_login(&subject, str_of(name), &rules, &fault) == -1 ||
		 reading_account(&reading, admin, &subject, &fault) == -1)
		live_say(live, LIVE_BAD, "login", NULL, "%s: %s", log_quote_text(name), fault.text);
	else
		try_finding(live, reading_finding(&reading));
	reading_fini(&reading);
	subject_fini(&subject);
	free(name);
}
