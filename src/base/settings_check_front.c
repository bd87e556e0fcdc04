/*
 * settings_check_front.c - the group of splitmx-frontd                   (pure)
 *
 * Other programs read this file as well: nothing is missed here that only frontd
 * needs, such as a listener at all.
 */
#include "base/settings_check_inside.h"

#include "base/mem.h"
#include "base/settings_pattern.h"
#include "base/suggest.h"

#include <string.h>

/* ---- destinations that are named */

static const struct destination_settings *
find_destination(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->destination_count; i++)
		if (strcmp(settings->destinations[i].name, name) == 0)
			return &settings->destinations[i];
	return NULL;
}

static void
check_destination(struct settings *settings, const char *name, int line, const char *setting)
{
	const struct destination_settings *destination = find_destination(settings, name);
	struct suggestion suggestion = suggestion_for(name);

	if (settings_line(settings, &settings->destinations) < 0)
		return;
	if (destination != NULL) {
		if (settings_line(settings, &destination->services) == 0)
			settings_problem(settings, line, setting,
			    "destination %s has no services: nobody can log in there", name);
		return;
	}
	for (size_t i = 0; i < settings->destination_count; i++)
		suggestion_offer(&suggestion, settings->destinations[i].name);
	settings_problem(settings, line, setting, "there is no destination %s%s%s%s", name,
	    suggestion.best ? "; did you mean " : "", suggestion.best ? suggestion.best : "",
	    suggestion.best ? "?" : "");
}

static void
check_rehearse(struct settings *settings, const struct destination_settings *d)
{
	static const char setting[] = "destinations.rehearse";
	int line = settings_line(settings, &d->rehearse);

	if (line <= 0)
		return;
	if (settings_line(settings, &d->name) > 0 && strcmp(d->name, d->rehearse) == 0)
		settings_problem(settings, line, setting,
		    "is this destination itself: its logins have succeeded already");
	else
		check_destination(settings, d->rehearse, line, setting);
	if (settings_line(settings, &d->services) == 0)
		settings_problem(settings, line, setting,
		    "is for destinations with services only: without them nobody logs in");
}

static void
check_destinations(struct settings *settings)
{
	const struct frontd_settings *f = &settings->frontd;
	int line = settings_line(settings, &f->unknown_login);

	if (line > 0 && strcmp(f->unknown_login, "refuse") != 0)
		check_destination(settings, f->unknown_login, line, "frontd.unknown_login");
	for (size_t i = 0; i < settings->destination_count; i++)
		check_rehearse(settings, &settings->destinations[i]);
}

/* ---- listeners */

/* Can it be said that nobody serves this? Not where something was refused. */
static bool
is_unserved(const struct settings *settings, enum service_protocol protocol)
{
	if (settings_line(settings, &settings->destinations) < 0)
		return false;
	for (size_t i = 0; i < settings->destination_count; i++) {
		const struct destination_settings *d = &settings->destinations[i];

		if (settings_line(settings, &d->services) < 0)
			return false;
		for (size_t j = 0; j < d->service_count; j++)
			if (d->services[j].protocol == protocol ||
			    settings_line(settings, &d->services[j].protocol) <= 0)
				return false;
	}
	return true;
}

static void
check_protocol(struct settings *settings, const struct front_listen_settings *l)
{
	int line = settings_line(settings, &l->protocol);

	if (line > 0 && is_unserved(settings, l->protocol))
		settings_problem(settings, line, "frontd.listen.protocol",
		    "no destination has a service for %s", service_protocol_name(l->protocol));
}

static void
check_address(struct settings *settings, const struct front_listen_settings *l)
{
	static const char setting[] = "frontd.listen.address";
	int line = settings_line(settings, &l->address);

	if (line <= 0)
		return;
	if (address_is_unix(l->address)) {
		settings_problem(settings, line, setting,
		    "%s: clients come by TCP, so it must be inet:HOST:PORT", l->address);
		return;
	}
	if (settings_line(settings, &l->protocol) > 0 && settings_line(settings, &l->tls) > 0)
		check_port(settings, l->address, line, setting, l->protocol, l->tls, true);
}

static void
check_tls(struct settings *settings, const struct front_listen_settings *l)
{
	const struct frontd_settings *f = &settings->frontd;
	int line = settings_line(settings, &l->tls);

	if (line <= 0)
		return;
	if (l->tls != TLS_MODE_NONE && f->certificate_count == 0 &&
	    settings_line(settings, &f->certificates) >= 0)
		settings_problem(settings, line, "frontd.listen.tls",
		    "there are no frontd.certificates to show");
	if (l->tls == TLS_MODE_NONE && !l->plaintext_login &&
	    settings_line(settings, &l->plaintext_login) >= 0)
		settings_problem(settings, line, "frontd.listen.plaintext_login",
		    "is missing or false: with tls = \"none\" nobody could log in here");
	if (l->tls == TLS_MODE_IMPLICIT && l->plaintext_login)
		check_useless(settings, &l->plaintext_login, "frontd.listen.plaintext_login",
		    "has no effect: with tls = \"implicit\" there is nothing without TLS");
}

static void
check_proxy_from(struct settings *settings, const struct front_listen_settings *l)
{
	static const char setting[] = "frontd.listen.proxy_from";

	check_not_empty(settings, &l->proxy_from, l->proxy_from_count, setting,
	    "names no network: leave it out where nobody sends PROXY headers");
	check_texts_differ(settings, l->proxy_from, l->proxy_from_count, setting);
	for (size_t i = 0; i < l->proxy_from_count; i++) {
		const char *slash = strchr(l->proxy_from[i], '/');

		if (slash != NULL && strspn(slash + 1, "0") == strlen(slash + 1))
			settings_problem(settings, settings_line(settings, &l->proxy_from[i]),
			    setting, "%s would let everybody say who he is", l->proxy_from[i]);
	}
}

/* ---- the rest */

static void
check_certificates(struct settings *settings)
{
	const struct frontd_settings *f = &settings->frontd;
	struct used_name *names = NULL;

	for (size_t i = 0; i < f->certificate_count; i++)
		check_unused(settings, &names, f->certificates[i].cert_file,
		    settings_line(settings, &f->certificates[i].cert_file),
		    "frontd.certificates.cert_file");
	forget_names(&names);
}

static void
check_login_names(struct settings *settings)
{
	const struct frontd_settings *f = &settings->frontd;
	int line = settings_line(settings, &f->default_domain);
	const char *both;

	if (line > 0 && f->default_domain[0] != '\0' &&
	    !pattern_fits(PATTERN_DOMAIN, f->default_domain))
		settings_problem(settings, line, "frontd.default_domain", "%s is not a domain",
		    f->default_domain);
	line = settings_line(settings, &f->master_separators);
	if (line <= 0 || settings_line(settings, &settings->recipient_delimiter) < 0)
		return;
	both = strpbrk(f->master_separators, settings->recipient_delimiter);
	if (both != NULL)
		settings_problem(settings, line, "frontd.master_separators",
		    "'%c' begins an address extension, too, by recipient_delimiter", *both);
}

static void
check_tokens(struct settings *settings)
{
	const struct frontd_settings *f = &settings->frontd;

	check_texts_differ(settings, f->token_claims, f->token_claim_count, "frontd.token_claims");
	if (f->token_claim_count == 0 && settings_line(settings, &f->token_claims) >= 0 &&
	    f->token_claims_first)
		check_useless(settings, &f->token_claims_first, "frontd.token_claims_first",
		    "has no effect without token_claims");
}

static void
check_times(struct settings *settings)
{
	const struct frontd_settings *f = &settings->frontd;
	int line = settings_line(settings, &f->fail_delay_ms);

	if (line == 0)
		line = settings_line(settings, &f->login_timeout_ms);
	if (line > 0 && settings_line(settings, &f->login_timeout_ms) >= 0 &&
	    f->fail_delay_ms >= f->login_timeout_ms)
		settings_problem(settings, line, "frontd.fail_delay",
		    "%lld is not less than login_timeout, which is %lld: nobody would hear that a "
		    "password is wrong",
		    (long long)f->fail_delay_ms, (long long)f->login_timeout_ms);
}

void
check_front(struct settings *settings)
{
	const struct frontd_settings *f = &settings->frontd;

	check_destinations(settings);
	check_login_names(settings);
	check_tokens(settings);
	check_times(settings);
	check_metrics(settings, &f->metrics, "frontd.metrics");
	check_certificates(settings);
	for (size_t i = 0; i < f->listen_count; i++) {
		check_protocol(settings, &f->listen[i]);
		check_address(settings, &f->listen[i]);
		check_tls(settings, &f->listen[i]);
		check_proxy_from(settings, &f->listen[i]);
	}
}
