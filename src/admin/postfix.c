/*
 * postfix.c - which lookups of a Postfix come to us, and from where     (pure)
 */
#include "admin/postfix.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct service {
	char *name, *type, *command;
	bool chrooted;
};

struct postfix {
	struct service *services;
	size_t service_count;
	struct postfix_lookup *lookups;
	size_t count;
};

/* Who reads a parameter; what is not named here may be read by each of them. */
static const struct {
	const char *parameter; /* a trailing '*': begins so */
	const char *daemons[4];
} readers[] = {
    {"transport_maps", {"trivial-rewrite"}},
    {"relocated_maps", {"trivial-rewrite"}},
    {"sender_dependent_*", {"trivial-rewrite"}},
    {"address_verify_transport_maps", {"trivial-rewrite"}},
    {"virtual_alias_domains", {"trivial-rewrite", "smtpd"}},
    {"virtual_mailbox_domains", {"trivial-rewrite", "smtpd"}},
    {"relay_domains", {"trivial-rewrite", "smtpd"}},
    {"mydestination", {"trivial-rewrite", "smtpd"}},
    {"virtual_alias_maps", {"cleanup", "smtpd"}},
    {"canonical_maps", {"cleanup", "smtpd"}},
    {"recipient_canonical_maps", {"cleanup", "smtpd"}},
    {"sender_canonical_maps", {"cleanup"}},
    {"recipient_bcc_maps", {"cleanup"}},
    {"sender_bcc_maps", {"cleanup"}},
    {"smtpd_*", {"smtpd"}},
    {"relay_recipient_maps", {"smtpd"}},
    {"virtual_mailbox_maps", {"smtpd"}},
    {"local_recipient_maps", {"smtpd"}},
    {"smtp_*", {"smtp"}},
    {"lmtp_*", {"lmtp"}},
};
static const char *const all_daemons[] = {"trivial-rewrite", "smtpd", "cleanup", "smtp", "lmtp"};

struct postfix *
postfix_new(void)
{
	return xnew(struct postfix);
}

void
postfix_free(struct postfix **postfix)
{
	struct postfix *p = *postfix;

	if (p == NULL)
		return;
	for (size_t i = 0; i < p->service_count; i++) {
		free(p->services[i].name);
		free(p->services[i].type);
		free(p->services[i].command);
	}
	for (size_t i = 0; i < p->count; i++) {
		free(p->lookups[i].parameter);
		free(p->lookups[i].table);
		free(p->lookups[i].map);
		free(p->lookups[i].endpoint);
		free(p->lookups[i].daemon);
	}
	free(p->services);
	free(p->lookups);
	free(p);
	*postfix = NULL;
}

static bool
is_any(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* The next word of text, which shrinks; empty at the end. */
static struct str
next_word(struct str *text, const char *separators)
{
	struct str word;

	while (text->len > 0 && is_any(text->ptr[0], separators))
		*text = str_from(*text, 1);
	word = str_make(text->ptr, 0);
	while (text->len > 0 && !is_any(text->ptr[0], separators)) {
		word.len++;
		*text = str_from(*text, 1);
	}
	return word;
}

static struct str
next_line(struct str *text)
{
	struct str line = str_make(text->ptr, str_find(*text, '\n'));

	*text = str_from(*text, line.len < text->len ? line.len + 1 : line.len);
	return line;
}

static char *
copy(struct str s)
{
	return xstrndup(s.ptr, s.len);
}

/* service type private unprivileged chroot wakeup maxproc command: master(5). */
void
postfix_take_services(struct postfix *postfix, struct str text, bool chroot_by_default)
{
	while (text.len > 0) {
		struct str line = next_line(&text), words[8];

		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			words[i] = next_word(&line, " \t");
		if (words[7].len == 0)
			continue;
		postfix->services = xrealloc(postfix->services,
		    (postfix->service_count + 1) * sizeof(postfix->services[0]));
		postfix->services[postfix->service_count++] = (struct service){
		    .name = copy(words[0]),
		    .type = copy(words[1]),
		    .command = copy(words[7]),
		    .chrooted =
			str_is(words[4], "y") || (str_is(words[4], "-") && chroot_by_default),
		};
	}
}

/* ---- parameters */

/* The form: socketmap:inet:host:port:name, socketmap:unix:path:name (socketmap_table(5)). */
static bool
split_table(struct str table, struct str *endpoint_r, struct str *map_r)
{
	struct str rest = str_from(table, strlen("socketmap:"));
	size_t last = str_rfind(rest, ':');

	if (last == rest.len || last + 1 == rest.len || str_find(rest, '\0') < rest.len)
		return false;
	*endpoint_r = str_make(rest.ptr, last);
	*map_r = str_from(rest, last + 1);
	return (str_starts(*endpoint_r, "unix:") && endpoint_r->len > strlen("unix:")) ||
	       (str_starts(*endpoint_r, "inet:") && str_rfind(*endpoint_r, ':') > strlen("inet:"));
}

static bool
is_known(const struct postfix *postfix, struct str table, bool chrooted)
{
	for (size_t i = 0; i < postfix->count; i++) {
		if (str_is(table, postfix->lookups[i].table) &&
		    postfix->lookups[i].chrooted == chrooted)
			return true;
	}
	return false;
}

static void
add(struct postfix *postfix, struct str parameter, struct str table, const char *daemon,
    bool chrooted)
{
	struct postfix_lookup *lookup;
	struct str endpoint, map;

	if (is_known(postfix, table, chrooted))
		return;
	postfix->lookups =
	    xrealloc(postfix->lookups, (postfix->count + 1) * sizeof(postfix->lookups[0]));
	lookup = &postfix->lookups[postfix->count++];
	*lookup = (struct postfix_lookup){.parameter = copy(parameter),
	    .table = copy(table),
	    .daemon = xstrdup(daemon),
	    .chrooted = chrooted,
	    .malformed = !split_table(table, &endpoint, &map)};
	if (!lookup->malformed) {
		lookup->endpoint = copy(endpoint);
		lookup->map = copy(map);
	}
}

/* Every service that runs this daemon, chrooted or not, asks. */
static void
add_daemon(struct postfix *postfix, struct str parameter, struct str table, const char *daemon)
{
	for (size_t i = 0; i < postfix->service_count; i++) {
		const struct service *service = &postfix->services[i];

		if (strcmp(service->command, daemon) == 0)
			add(postfix, parameter, table, daemon, service->chrooted);
	}
}

static bool
row_fits(const char *pattern, struct str parameter)
{
	size_t len = strlen(pattern);

	if (len > 0 && pattern[len - 1] == '*')
		return parameter.len >= len - 1 && memcmp(parameter.ptr, pattern, len - 1) == 0;
	return str_is(parameter, pattern);
}

static void
add_readers(struct postfix *postfix, struct str parameter, struct str table)
{
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		if (!row_fits(readers[i].parameter, parameter))
			continue;
		for (size_t d = 0; d < 4 && readers[i].daemons[d] != NULL; d++)
			add_daemon(postfix, parameter, table, readers[i].daemons[d]);
		return;
	}
	for (size_t d = 0; d < ARRAY_LEN(all_daemons); d++)
		add_daemon(postfix, parameter, table, all_daemons[d]);
}

/* "smtp/inet/name": an override of one service (postconf -P); the service then is the reader. */
static bool
add_override(struct postfix *postfix, struct str parameter, struct str table)
{
	struct str rest = parameter, name = next_word(&rest, "/"), type = next_word(&rest, "/");

	if (rest.len == 0)
		return false;
	for (size_t i = 0; i < postfix->service_count; i++) {
		const struct service *service = &postfix->services[i];

		if (str_is(name, service->name) && str_is(type, service->type))
			add(postfix, parameter, table, service->command, service->chrooted);
	}
	return true;
}

static void
take_word(struct postfix *postfix, struct str parameter, struct str word)
{
	if (str_starts(word, "proxy:socketmap:"))
		add_daemon(postfix, parameter, str_from(word, strlen("proxy:")), "proxymap");
	else if (str_starts(word, "socketmap:") && !add_override(postfix, parameter, word))
		add_readers(postfix, parameter, word);
}

void
postfix_take_parameters(struct postfix *postfix, struct str text)
{
	while (text.len > 0) {
		struct str line = next_line(&text);
		struct str parameter = next_word(&line, " \t="), word;

		while ((word = next_word(&line, " \t=,{}")).len > 0)
			take_word(postfix, parameter, word);
	}
}

size_t
postfix_count(const struct postfix *postfix)
{
	return postfix->count;
}

const struct postfix_lookup *
postfix_at(const struct postfix *postfix, size_t i)
{
	return &postfix->lookups[i];
}
