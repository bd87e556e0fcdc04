/*
 * settings_check_service.c - where destinations serve the login front    (pure)
 *
 * What is refused here would fail with the first login, or succeed where it
 * should not: a password in the clear that nobody allowed, a certificate that is
 * not looked at though somebody named whom to trust.
 */
#include "base/settings_check_inside.h"

#include "base/mem.h"
#include "base/settings_pattern.h"

#include <string.h>

/* ---- one service */

static void
check_where(struct settings *settings, const struct service_settings *s)
{
	static const char setting[] = "destinations.services.addresses";

	if (settings_line(settings, &s->addresses) == 0)
		settings_problem(settings, s->line, setting, "is missing: where is it spoken?");
	check_not_empty(settings, &s->addresses, s->address_count, setting, "names no address");
	check_texts_differ(settings, s->addresses, s->address_count, setting);
	if (settings_line(settings, &s->protocol) <= 0 || settings_line(settings, &s->tls) <= 0)
		return;
	for (size_t i = 0; i < s->address_count; i++)
		check_port(settings, s->addresses[i], settings_line(settings, &s->addresses[i]),
		    setting, s->protocol, s->tls, false);
}

/* Our own listener there: each login would come back to us. */
static void
check_not_ours(struct settings *settings, const struct service_settings *s)
{
	const struct frontd_settings *frontd = &settings->frontd;

	for (size_t i = 0; i < s->address_count; i++)
		for (size_t j = 0; j < frontd->listen_count; j++)
			if (strcmp(s->addresses[i], frontd->listen[j].address) == 0)
				settings_problem(settings,
				    settings_line(settings, &s->addresses[i]),
				    "destinations.services.addresses",
				    "%s is where the front itself listens, on line %d",
				    s->addresses[i], frontd->listen[j].line);
}

static void
check_caller(struct settings *settings, const struct service_settings *s)
{
	static const char setting[] = "destinations.services.caller";
	int line = settings_line(settings, &s->caller);

	if (line <= 0 || settings_line(settings, &s->protocol) <= 0)
		return;
	if (s->caller == SERVICE_CALLER_ID && s->protocol != SERVICE_IMAP)
		settings_problem(settings, line, setting,
		    "id is a command of imap; for %s there are \"proxy\", \"xclient\" and \"none\"",
		    service_protocol_name(s->protocol));
	if (s->caller == SERVICE_CALLER_XCLIENT && s->protocol == SERVICE_IMAP)
		settings_problem(settings, line, setting,
		    "imap has no xclient; there are \"proxy\", \"id\" and \"none\"");
}

static void
check_without_tls(struct settings *settings, const struct service_settings *s)
{
	static const char reason[] = "is for TLS, and tls is \"none\"";

	if (settings_line(settings, &s->trusted) == 0)
		settings_problem(settings, settings_line(settings, &s->tls),
		    "destinations.services.trusted",
		    "is missing: with tls = \"none\", may passwords be sent there?");
	check_useless(settings, &s->verify, "destinations.services.verify", reason);
	check_useless(settings, &s->ca_file, "destinations.services.ca_file", reason);
	check_useless(settings, &s->cert_file, "destinations.services.cert_file", reason);
	check_useless(settings, &s->key_file, "destinations.services.key_file", reason);
	check_useless(settings, &s->server_name, "destinations.services.server_name", reason);
	check_useless(settings, &s->pins, "destinations.services.pins", reason);
}

/* A socket file has no name that a certificate could have. */
static void
check_server_name(struct settings *settings, const struct service_settings *s)
{
	if (settings_line(settings, &s->server_name) != 0)
		return;
	for (size_t i = 0; i < s->address_count; i++)
		if (address_is_unix(s->addresses[i])) {
			settings_problem(settings, settings_line(settings, &s->addresses[i]),
			    "destinations.services.server_name",
			    "is missing: whose certificate is to be expected at %s?",
			    s->addresses[i]);
			return;
		}
}

static void
check_with_tls(struct settings *settings, const struct service_settings *s)
{
	static const char unverified[] = "has no effect with verify = false";

	check_useless(settings, &s->trusted, "destinations.services.trusted",
	    "is for tls = \"none\" only: with TLS passwords are sent in any case");
	check_not_empty(settings, &s->pins, s->pin_count, "destinations.services.pins",
	    "names no key: leave it out to take any");
	check_texts_differ(settings, s->pins, s->pin_count, "destinations.services.pins");
	if (settings_line(settings, &s->key_file) > 0 &&
	    settings_line(settings, &s->cert_file) == 0)
		settings_problem(settings, settings_line(settings, &s->key_file),
		    "destinations.services.key_file", "its cert_file is missing");
	if (s->verify) {
		check_server_name(settings, s);
		return;
	}
	check_useless(settings, &s->ca_file, "destinations.services.ca_file", unverified);
	check_useless(settings, &s->pins, "destinations.services.pins", unverified);
}

static void
check_login_name(struct settings *settings, const struct service_settings *s)
{
	static const char setting[] = "destinations.services.login";
	int line = settings_line(settings, &s->login);

	if (line <= 0 || s->login[0] == '\0')
		return;
	if (check_expansions(settings, s->login, line, setting, "audl", "aul") == 0)
		settings_problem(settings, line, setting,
		    "%s has no %%a, %%u or %%l: everybody would log in by the same name", s->login);
}

/* Only splitmx check --live runs it. */
static void
check_who(struct settings *settings, const struct service_settings *s)
{
	static const char setting[] = "destinations.services.who";
	int line = settings_line(settings, &s->who);

	check_not_empty(settings, &s->who, s->who_count, setting, "names no command");
	if (line <= 0 || s->who_count == 0)
		return;
	if (!pattern_fits(PATTERN_PATH, s->who[0]))
		settings_problem(settings, line, setting,
		    "%s is not an absolute path; no shell looks for it", s->who[0]);
	for (size_t i = 1; i < s->who_count; i++)
		check_expansions(settings, s->who[i], settings_line(settings, &s->who[i]), setting,
		    "audo", "au");
}

static void
check_service(struct settings *settings, const struct service_settings *s)
{
	check_where(settings, s);
	check_not_ours(settings, s);
	check_caller(settings, s);
	check_login_name(settings, s);
	check_who(settings, s);
	if (settings_line(settings, &s->tls) <= 0)
		return;
	if (s->tls == TLS_MODE_NONE)
		check_without_tls(settings, s);
	else
		check_with_tls(settings, s);
}

/* ---- a destination */

static void
check_kick(struct settings *settings, const struct destination_settings *d)
{
	static const char setting[] = "destinations.kick";
	size_t names = 0;
	int line = settings_line(settings, &d->kick);

	check_not_empty(settings, &d->kick, d->kick_count, setting, "names no command");
	if (line <= 0 || d->kick_count == 0)
		return;
	if (!pattern_fits(PATTERN_PATH, d->kick[0]))
		settings_problem(settings, line, setting,
		    "%s is not an absolute path; no shell looks for it", d->kick[0]);
	for (size_t i = 1; i < d->kick_count; i++)
		names += check_expansions(settings, d->kick[i],
		    settings_line(settings, &d->kick[i]), setting, "audo", "au");
	if (names == 0)
		settings_problem(settings, line, setting,
		    "no argument has %%a or %%u in it: whose sessions are to be ended?");
	if (settings_line(settings, &d->services) == 0)
		settings_problem(settings, line, setting,
		    "is for destinations with services only: without them there are no sessions");
}

static void
check_destination(struct settings *settings, const struct destination_settings *d)
{
	int lines[SERVICE_COUNT] = {0};

	check_kick(settings, d);
	check_not_empty(settings, &d->services, d->service_count, "destinations.services",
	    "names no service: leave it out where nobody can log in");
	for (size_t i = 0; i < d->service_count; i++) {
		const struct service_settings *s = &d->services[i];

		check_service(settings, s);
		if (settings_line(settings, &s->protocol) <= 0)
			continue;
		if (lines[s->protocol] != 0)
			settings_problem(settings, s->line, "destinations.services.protocol",
			    "%s is given twice, here and on line %d; one service may have several "
			    "addresses",
			    service_protocol_name(s->protocol), lines[s->protocol]);
		else
			lines[s->protocol] = s->line;
	}
}

void
check_services(struct settings *settings)
{
	for (size_t i = 0; i < settings->destination_count; i++)
		check_destination(settings, &settings->destinations[i]);
}
