/*
 * settings_check_milter.c - what the milter's settings mean together    (pure)
 */
#include "base/settings_check_inside.h"

#include "base/settings_pattern.h"

#include <string.h>
#include <sys/un.h>

/* Each has a process, with a port of its own for numbers. */
enum { LISTEN_MOST = 16 };

static void
check_listen(struct settings *settings)
{
	static const char for_unix[] = "is for Unix sockets only, and there is none";
	const struct milter_settings *m = &settings->milter;
	int line = settings_line(settings, &m->listen);
	bool has_unix = line < 0, has_open = line < 0;

	check_not_empty(settings, &m->listen, m->listen_count, "milter.listen", "names no address");
	if (m->listen_count > LISTEN_MOST)
		settings_problem(settings, line, "milter.listen", "has more than %d addresses",
		    LISTEN_MOST);
	for (size_t i = 0; i < m->listen_count; i++) {
		bool is_unix = address_is_unix(m->listen[i]);
		bool is_open = !is_unix && !address_is_loopback(m->listen[i]);

		has_unix = has_unix || is_unix;
		has_open = has_open || is_open;
		if (is_open && !m->open_to_network)
			settings_problem(settings, settings_line(settings, &m->listen[i]),
			    "milter.listen",
			    "%s is open to other hosts, and the milter cannot see which one "
			    "connects: say with open_to_network that something else decides it",
			    m->listen[i]);
	}
	if (!has_unix) {
		check_useless(settings, &m->mode, "milter.mode", for_unix);
		check_useless(settings, &m->owner, "milter.owner", for_unix);
		check_useless(settings, &m->group, "milter.group", for_unix);
	}
	if (!has_open && m->open_to_network)
		check_useless(settings, &m->open_to_network, "milter.open_to_network",
		    "has no effect: no address of listen is open to other hosts");
}

static void
check_side(struct settings *settings)
{
	const struct milter_settings *m = &settings->milter;
	int line = settings_line(settings, &m->side);

	if (line <= 0 || settings_line(settings, &settings->destinations) < 0)
		return;
	for (size_t i = 0; i < settings->destination_count; i++)
		if (strcmp(settings->destinations[i].name, m->side) == 0)
			return;
	settings_problem(settings, line, "milter.side", "there is no destination %s", m->side);
}

void
check_milter(struct settings *settings)
{
	const struct milter_settings *m = &settings->milter;
	int line = settings_line(settings, &m->policyd);

	check_listen(settings);
	check_side(settings);
	check_metrics(settings, &m->metrics, "milter.metrics");
	if (line > 0 && strlen(m->policyd) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		settings_problem(settings, line, "milter.policyd",
		    "%s is too long for a Unix socket", m->policyd);
}
