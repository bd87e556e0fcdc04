/*
 * settings_check.c - what only several settings together can show       (pure)
 *
 * settings_line() says 0 for what is not there and less for what was refused:
 * nothing is concluded from the latter. What is the login front's is in
 * settings_check_service.c and settings_check_front.c, the milter's in settings_check_milter.c.
 */
#include "base/settings_check_inside.h"

#include "base/mem.h"
#include "base/settings_check.h"
#include "base/settings_pattern.h"
#include "base/suggest.h"

#include <string.h>

/* ---- names that must differ */

static void
check_destination_names(struct settings *settings)
{
	static const char *const reserved[] = {"true", "false", "refuse"};
	struct used_name *names = NULL;

	for (size_t i = 0; i < settings->destination_count; i++) {
		const struct destination_settings *d = &settings->destinations[i];

		check_unused(settings, &names, d->name, d->line, "destinations.name");
		for (size_t j = 0; j < ARRAY_LEN(reserved); j++)
			if (strcmp(d->name, reserved[j]) == 0)
				settings_problem(settings, d->line, "destinations.name",
				    "%s cannot be the name of a destination", d->name);
	}
	forget_names(&names);
}

/* The daemons share a file, so they share its addresses, too. */
static void
check_addresses(struct settings *settings)
{
	const struct policyd_settings *policyd = &settings->policyd;
	const struct frontd_settings *frontd = &settings->frontd;
	const struct milter_settings *milter = &settings->milter;
	struct used_name *names = NULL;

	for (size_t i = 0; i < policyd->listen_count; i++)
		check_unused(settings, &names, policyd->listen[i].address, policyd->listen[i].line,
		    "policyd.listen.address");
	check_unused(settings, &names, policyd->metrics, settings_line(settings, &policyd->metrics),
	    "policyd.metrics");
	for (size_t i = 0; i < frontd->listen_count; i++)
		check_unused(settings, &names, frontd->listen[i].address, frontd->listen[i].line,
		    "frontd.listen.address");
	check_unused(settings, &names, frontd->metrics, settings_line(settings, &frontd->metrics),
	    "frontd.metrics");
	for (size_t i = 0; i < milter->listen_count; i++)
		check_unused(settings, &names, milter->listen[i],
		    settings_line(settings, &milter->listen[i]), "milter.listen");
	check_unused(settings, &names, milter->metrics, settings_line(settings, &milter->metrics),
	    "milter.metrics");
	forget_names(&names);
}

static void
check_names(struct settings *settings)
{
	struct used_name *names = NULL;

	check_destination_names(settings);
	for (size_t i = 0; i < settings->map_count; i++)
		check_unused(settings, &names, settings->maps[i].name, settings->maps[i].line,
		    "maps.name");
	forget_names(&names);
	check_texts_differ(settings, settings->domains, settings->domain_count, "domains");
	check_addresses(settings);
}

/* ---- listeners */

static bool
has_map(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->map_count; i++)
		if (strcmp(settings->maps[i].name, name) == 0)
			return true;
	return false;
}

static void
check_map(struct settings *settings, const struct listen_settings *l)
{
	struct suggestion suggestion;
	int line = settings_line(settings, &l->map);

	if (line < 0)
		return;
	if (line == 0) {
		settings_problem(settings, l->line, "policyd.listen.map",
		    "is missing: clients of this protocol cannot name a map");
		return;
	}
	if (has_map(settings, l->map))
		return;
	suggestion = suggestion_for(l->map);
	for (size_t i = 0; i < settings->map_count; i++)
		suggestion_offer(&suggestion, settings->maps[i].name);
	settings_problem(settings, line, "policyd.listen.map", "there is no map %s%s%s%s", l->map,
	    suggestion.best ? "; did you mean " : "", suggestion.best ? suggestion.best : "",
	    suggestion.best ? "?" : "");
}

static void
check_protocol(struct settings *settings, const struct listen_settings *l)
{
	if (settings_line(settings, &l->protocol) <= 0)
		return;
	if (l->protocol == LISTEN_TCP_TABLE || l->protocol == LISTEN_POLICY)
		check_map(settings, l);
	else
		check_useless(settings, &l->map, "policyd.listen.map",
		    "is for tcp_table and policy only");
	if (l->protocol != LISTEN_SINK)
		check_useless(settings, &l->reply, "policyd.listen.reply", "is for the sink only");
}

static void
check_address(struct settings *settings, const struct listen_settings *l)
{
	static const char for_unix[] = "is for Unix sockets only; for TCP there is allow";
	int line = settings_line(settings, &l->address);

	if (line <= 0)
		return;
	if (address_is_unix(l->address)) {
		check_useless(settings, &l->allow, "policyd.listen.allow",
		    "is for TCP only; for Unix sockets there are mode, group and users");
		return;
	}
	check_useless(settings, &l->mode, "policyd.listen.mode", for_unix);
	check_useless(settings, &l->owner, "policyd.listen.owner", for_unix);
	check_useless(settings, &l->group, "policyd.listen.group", for_unix);
	check_useless(settings, &l->users, "policyd.listen.users", for_unix);
	if (!address_is_loopback(l->address) && settings_line(settings, &l->allow) == 0)
		settings_problem(settings, line, "policyd.listen.address",
		    "%s is open to other hosts: say with allow which networks may connect",
		    l->address);
}

/* ---- the rest */

static void
check_redis(struct settings *settings)
{
	const struct redis_settings *r = &settings->redis;
	const void *tls_fields[] = {
	    &r->tls.ca_file, &r->tls.cert_file, &r->tls.key_file, &r->tls.server_name};
	bool is_tls = r->sentinel_tls || (r->url && str_starts(str_of(r->url), "rediss://"));
	int line = settings_line(settings, &r->reconnect_least_ms);

	if (line == 0)
		line = settings_line(settings, &r->reconnect_most_ms);
	if (line > 0 && r->reconnect_least_ms > r->reconnect_most_ms)
		settings_problem(settings, line, "redis.reconnect_least",
		    "%lld is more than reconnect_most, which is %lld",
		    (long long)r->reconnect_least_ms, (long long)r->reconnect_most_ms);
	if (settings_line(settings, &r->url) >= 0 &&
	    settings_line(settings, &r->sentinel_tls) >= 0 && !is_tls)
		for (size_t i = 0; i < ARRAY_LEN(tls_fields); i++)
			check_useless(settings, tls_fields[i], "redis.tls",
			    "is for a url that begins with rediss://, and for sentinel_tls, only");
	if (r->tls.cert_file && settings_line(settings, &r->tls.key_file) == 0)
		settings_problem(settings, settings_line(settings, &r->tls.cert_file),
		    "redis.tls.cert_file", "its key_file is missing");
	if (r->tls.key_file && settings_line(settings, &r->tls.cert_file) == 0)
		settings_problem(settings, settings_line(settings, &r->tls.key_file),
		    "redis.tls.key_file", "its cert_file is missing");
}

static void
check_sentinels(struct settings *settings)
{
	static const char alone[] = "is for sentinels only, and there are none";
	const struct redis_settings *r = &settings->redis;
	int line = settings_line(settings, &r->sentinels);

	if (line == 0) {
		check_useless(settings, &r->sentinel_master, "redis.sentinel_master", alone);
		check_useless(settings, &r->sentinel_user, "redis.sentinel_user", alone);
		check_useless(settings, &r->sentinel_password_file, "redis.sentinel_password_file",
		    alone);
		check_useless(settings, &r->sentinel_tls, "redis.sentinel_tls", alone);
		return;
	}
	if (line < 0)
		return;
	if (r->sentinel_count == 0)
		settings_problem(settings, line, "redis.sentinels", "names no sentinel");
	if (settings_line(settings, &r->sentinel_master) == 0)
		settings_problem(settings, line, "redis.sentinels",
		    "sentinel_master is missing: the name of the master to ask them for");
	if (settings_line(settings, &r->url) != 0)
		settings_problem(settings, line, "redis.sentinels",
		    "there is a url too: give one of the two, the sentinels say where Redis is");
}

void
settings_check(struct settings *settings)
{
	check_names(settings);
	check_redis(settings);
	check_sentinels(settings);
	check_metrics(settings, &settings->policyd.metrics, "policyd.metrics");
	check_services(settings);
	check_front(settings);
	check_milter(settings);
	if (settings->domains_complete && settings_line(settings, &settings->domains) >= 0 &&
	    settings->domain_count == 0)
		settings_problem(settings, settings_line(settings, &settings->domains_complete),
		    "domains_complete", "without domains nothing would be managed");
	for (size_t i = 0; i < settings->map_count; i++)
		settings->maps[i].held_line = settings_line(settings, &settings->maps[i].held);
	for (size_t i = 0; i < settings->policyd.listen_count; i++) {
		check_protocol(settings, &settings->policyd.listen[i]);
		check_address(settings, &settings->policyd.listen[i]);
	}
}
