/*
 * settings_check_common.c - what the parts of the check share           (pure)
 */
#include "base/settings_check_inside.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/settings_pattern.h"
#include "base/settings_rows.h"

#include <stdlib.h>

/* ---- names that must differ */

struct used_name {
	UT_hash_handle hh;
	const char *name;
	int line;
};

void
check_unused(struct settings *settings, struct used_name **names, const char *name, int line,
    const char *setting)
{
	struct used_name *used;

	if (name == NULL || *name == '\0')
		return;
	HASH_FIND_STR(*names, name, used);
	if (used) {
		settings_problem(settings, line, setting, "%s is given twice, here and on line %d",
		    name, used->line);
		return;
	}
	used = xnew(struct used_name);
	used->name = name;
	used->line = line;
	HASH_ADD_KEYPTR(hh, *names, used->name, strlen(used->name), used);
}

void
forget_names(struct used_name **names)
{
	struct used_name *used, *next;

	HASH_ITER (hh, *names, used, next) {
		HASH_DEL(*names, used);
		free(used);
	}
}

void
check_texts_differ(struct settings *settings, const char *const *texts, size_t count,
    const char *setting)
{
	struct used_name *names = NULL;

	for (size_t i = 0; i < count; i++)
		check_unused(settings, &names, texts[i], settings_line(settings, &texts[i]),
		    setting);
	forget_names(&names);
}

/* ---- what is there */

void
check_useless(struct settings *settings, const void *field, const char *setting, const char *reason)
{
	int line = settings_line(settings, field);

	if (line > 0)
		settings_problem(settings, line, setting, "%s", reason);
}

void
check_not_empty(struct settings *settings, const void *field, size_t count, const char *setting,
    const char *what)
{
	int line = settings_line(settings, field);

	if (line > 0 && count == 0)
		settings_problem(settings, line, setting, "%s", what);
}

void
check_metrics(struct settings *settings, const char *const *field, const char *setting)
{
	int line = settings_line(settings, field);

	if (line > 0 && (address_is_unix(*field) || !address_is_loopback(*field)))
		settings_problem(settings, line, setting,
		    "%s is not a loopback address: whoever can reach it may read", *field);
}

/* ---- expansions */

size_t
check_expansions(struct settings *settings, const char *text, int line, const char *setting,
    const char *letters, const char *needed)
{
	size_t found = 0;

	for (const char *p = strchr(text, '%'); p != NULL; p = strchr(p, '%')) {
		p++;
		if (*p == '\0' || (*p != '%' && strchr(letters, *p) == NULL)) {
			settings_problem(settings, line, setting,
			    "%s has a '%%' that does not begin one of the expansions it may have; "
			    "a percent sign is %%%%",
			    text);
			return found;
		}
		found += *p != '%' && strchr(needed, *p) != NULL;
		p++;
	}
	return found;
}

/* ---- ports */

/* RFC 8314, section 7; RFC 5804, section 1.8. */
static const struct {
	const char *end; /* of an address */
	enum service_protocol protocol;
	bool is_implicit;
} ports[] = {
    {":143", SERVICE_IMAP, false},
    {":993", SERVICE_IMAP, true},
    {":110", SERVICE_POP3, false},
    {":995", SERVICE_POP3, true},
    {":587", SERVICE_SUBMISSION, false},
    {":465", SERVICE_SUBMISSION, true},
    {":4190", SERVICE_SIEVE, false},
};

const char *
service_protocol_name(enum service_protocol protocol)
{
	return setting_row_find(GROUP_service, "protocol")->words[protocol];
}

void
check_port(struct settings *settings, const char *address, int line, const char *setting,
    enum service_protocol protocol, enum tls_mode tls, bool is_listener)
{
	const char *end = strrchr(address, ':');

	if (address_is_unix(address))
		return;
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		if (strcmp(ports[i].end, end) != 0)
			continue;
		if (ports[i].protocol != protocol)
			settings_problem(settings, line, setting, "port %s is for %s, not for %s",
			    end + 1, service_protocol_name(ports[i].protocol),
			    service_protocol_name(protocol));
		else if (ports[i].is_implicit && tls != TLS_MODE_IMPLICIT &&
			 !(is_listener && tls == TLS_MODE_NONE))
			settings_problem(settings, line, setting,
			    "on port %s TLS begins at once: tls must be \"implicit\"", end + 1);
		else if (!ports[i].is_implicit && tls == TLS_MODE_IMPLICIT)
			settings_problem(settings, line, setting,
			    "on port %s TLS begins with a command: tls must be \"starttls\"",
			    end + 1);
	}
}
