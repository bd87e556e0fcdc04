/*
 * domains.c - which domains the map speaks for                        (machine)
 *
 * What is in the table is managed or may be; what is not in it is unmanaged as
 * soon as the table is complete. So every mistake of timing (a survey that
 * reports a name deleted since) costs a fetch and never an answer: a name leaves
 * the table only when a look at it, begun after its last change, found nothing,
 * or when a whole survey of this session did not see it.
 */
#include "map/domains.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/queue.h>

/* More than this, and the list is never complete: every unknown domain is fetched. */
enum { DOMAINS_MOST = 4000000 };

struct domain {
	UT_hash_handle hh;
	TAILQ_ENTRY(domain) queue;
	uint32_t survey; /* the last that saw it, or a look that found it since */
	enum { SURE, QUEUED, LOOKING, CHANGED } state; /* CHANGED: while we looked */
	size_t len;
	char name[];
};

struct domains {
	char *prefix, *pattern;
	struct domain *table, *floor;
	TAILQ_HEAD(, domain) queue;
	struct domain *walk; /* the next that domains_walk() comes to; NULL: none */
	uint32_t survey;
	bool only_floor;
	bool session; /* Redis tells us what changes */
	bool complete; /* the table is, in this session */
	bool was; /* it was when the session ended, and nothing has been heard since */
	bool surveying, due, full;
};

static char *
glob_escape(const char *text)
{
	char *out = xcalloc(2, strlen(text) + 1), *p = out;

	for (; *text != '\0'; text++) {
		if (strchr("*?[]\\^", *text) != NULL)
			*p++ = '\\';
		*p++ = *text;
	}
	return out;
}

struct domains *
domains_new(const char *prefix)
{
	struct domains *domains = xnew(struct domains);
	char *escaped = glob_escape(prefix);

	domains->prefix = xasprintf("%s:", prefix);
	domains->pattern = xasprintf("%s:*:@*", escaped);
	free(escaped);
	TAILQ_INIT(&domains->queue);
	return domains;
}

static struct domain *
domain_find(struct domain *table, struct str name)
{
	struct domain *domain;

	HASH_FIND(hh, table, name.ptr, name.len, domain);
	return domain;
}

static struct domain *
domain_add(struct domain **table, struct str name)
{
	struct domain *domain = domain_find(*table, name);

	if (domain != NULL)
		return domain;
	domain = xcalloc(1, sizeof(*domain) + name.len + 1);
	memcpy(domain->name, name.ptr, name.len);
	domain->len = name.len;
	HASH_ADD_KEYPTR(hh, *table, domain->name, domain->len, domain);
	return domain;
}

static void
domain_remove(struct domains *domains, struct domain *domain)
{
	if (domain->state == QUEUED)
		TAILQ_REMOVE(&domains->queue, domain, queue);
	if (domains->walk == domain)
		domains->walk = domain->hh.next;
	HASH_DEL(domains->table, domain);
	free(domain);
}

static void
table_clear(struct domain **table)
{
	struct domain *domain, *next;

	HASH_ITER (hh, *table, domain, next) {
		HASH_DEL(*table, domain);
		free(domain);
	}
}

void
domains_free(struct domains **domains)
{
	if (*domains == NULL)
		return;
	table_clear(&(*domains)->table);
	table_clear(&(*domains)->floor);
	free((*domains)->prefix);
	free((*domains)->pattern);
	free(*domains);
	*domains = NULL;
}

void
domains_set_floor(struct domains *domains, const struct str *names, size_t count, bool only)
{
	table_clear(&domains->floor);
	for (size_t i = 0; i < count; i++)
		domain_add(&domains->floor, names[i]);
	if (domains->only_floor && !only) { /* meanwhile nobody noted what changed */
		domains->due = true;
		domains->complete = domains->was = false;
	}
	domains->only_floor = only;
}

bool
domains_is_floor(const struct domains *domains, struct str domain)
{
	return domain_find(domains->floor, domain) != NULL;
}

enum domain_state
domains_find(const struct domains *domains, struct str name)
{
	const struct domain *domain;
	unsigned hash;

	HASH_VALUE(name.ptr, name.len, hash); /* once for both tables */
	HASH_FIND_BYHASHVALUE(hh, domains->floor, name.ptr, name.len, hash, domain);
	if (domain != NULL)
		return DOMAIN_MANAGED;
	if (domains->only_floor)
		return DOMAIN_UNMANAGED;
	HASH_FIND_BYHASHVALUE(hh, domains->table, name.ptr, name.len, hash, domain);
	if (domain != NULL)
		return domain->state == SURE ? DOMAIN_MANAGED : DOMAIN_UNKNOWN;
	return domains_are_complete(domains) ? DOMAIN_UNMANAGED : DOMAIN_UNKNOWN;
}

bool
domains_list_is_complete(const struct domains *domains)
{
	return !domains->only_floor && (domains->session ? domains->complete : domains->was);
}

bool
domains_are_complete(const struct domains *domains)
{
	return domains->only_floor || domains_list_is_complete(domains);
}

/* Of "prefix:owner:@d" or "prefix:login:@d" the d. */
static bool
domain_of_key(const struct domains *domains, struct str key, struct str *name_r)
{
	if (!str_starts(key, domains->prefix))
		return false;
	key = str_from(key, strlen(domains->prefix));
	if (!str_starts(key, "owner:@") && !str_starts(key, "login:@"))
		return false;
	*name_r = str_from(key, strlen("owner:@"));
	return name_r->len > 0;
}

void
domains_session(struct domains *domains)
{
	struct domain *domain, *next;

	domains->session = true;
	/* The older list has missed what changed between the sessions. */
	domains->complete = domains->was = domains->surveying = false;
	domains->due = true;
	domains->full = false;
	/* Looks that were begun in an older session will not be answered. */
	HASH_ITER (hh, domains->table, domain, next) {
		if (domain->state == LOOKING || domain->state == CHANGED) {
			domain->state = QUEUED;
			TAILQ_INSERT_TAIL(&domains->queue, domain, queue);
		}
	}
}

void
domains_no_session(struct domains *domains)
{
	domains->session = domains->surveying = false;
}

void
domains_change(struct domains *domains, struct str key)
{
	struct domain *domain;
	struct str name;

	if (domains->only_floor || !domain_of_key(domains, key, &name))
		return;
	if (HASH_COUNT(domains->table) >= DOMAINS_MOST &&
	    domain_find(domains->table, name) == NULL) {
		domains->full = true;
		domains->complete = domains->was = false;
		return;
	}
	domain = domain_add(&domains->table, name);
	switch (domain->state) {
	case SURE:
		domain->state = QUEUED;
		TAILQ_INSERT_TAIL(&domains->queue, domain, queue);
		break;
	case LOOKING:
		domain->state = CHANGED;
		break;
	case QUEUED:
	case CHANGED:
		break;
	}
}

void
domains_change_all(struct domains *domains)
{
	domains->complete = domains->was = false;
	domains->due = true;
}

const char *
domains_pattern(const struct domains *domains)
{
	return domains->pattern;
}

bool
domains_survey_begin(struct domains *domains)
{
	if (domains->only_floor || !domains->session || !domains->due || domains->surveying)
		return false;
	domains->due = false;
	domains->surveying = true;
	domains->survey++;
	return true;
}

void
domains_survey_found(struct domains *domains, struct str key)
{
	struct str name;

	if (!domain_of_key(domains, key, &name))
		return;
	if (HASH_COUNT(domains->table) >= DOMAINS_MOST)
		domains->full = true;
	else
		domain_add(&domains->table, name)->survey = domains->survey;
}

void
domains_survey_end(struct domains *domains)
{
	struct domain *domain, *next;

	if (!domains->surveying)
		return;
	domains->surveying = false;
	if (domains->full || domains->due)
		return; /* not complete, or everything has changed since */
	HASH_ITER (hh, domains->table, domain, next) {
		if (domain->survey != domains->survey && domain->state == SURE)
			domain_remove(domains, domain);
	}
	domains->complete = domains->was = true;
}

bool
domains_next(struct domains *domains, struct str *domain_r)
{
	struct domain *domain = TAILQ_FIRST(&domains->queue);

	if (!domains->session || domain == NULL)
		return false;
	TAILQ_REMOVE(&domains->queue, domain, queue);
	domain->state = LOOKING;
	*domain_r = str_make(domain->name, domain->len);
	return true;
}

void
domains_settle(struct domains *domains, struct str name, bool exists)
{
	struct domain *domain = domain_find(domains->table, name);

	if (domain == NULL || (domain->state != LOOKING && domain->state != CHANGED))
		return;
	if (domain->state == CHANGED) {
		domain->state = QUEUED;
		TAILQ_INSERT_TAIL(&domains->queue, domain, queue);
	} else if (exists) {
		domain->state = SURE;
		domain->survey = domains->survey;
	} else {
		domain_remove(domains, domain);
	}
}

void
domains_walk_begin(struct domains *domains)
{
	domains->walk = domains->table;
}

bool
domains_walk(struct domains *domains, size_t names_most, domains_walk_fn *fn, void *ctx)
{
	struct domain *domain;

	while (names_most-- > 0 && (domain = domains->walk) != NULL) {
		domains->walk = domain->hh.next;
		fn(ctx, str_make(domain->name, domain->len), domain->state == SURE);
	}
	return domains->walk != NULL;
}

void
domains_restore(struct domains *domains, struct str name, bool is_sure)
{
	struct domain *domain;

	if (HASH_COUNT(domains->table) >= DOMAINS_MOST) {
		domains->full = true;
		return;
	}
	domain = domain_add(&domains->table, name);
	if (!is_sure && domain->state == SURE) {
		domain->state = QUEUED;
		TAILQ_INSERT_TAIL(&domains->queue, domain, queue);
	}
}

void
domains_restore_complete(struct domains *domains)
{
	if (!domains->only_floor && !domains->full)
		domains->was = true;
}

size_t
domains_count(const struct domains *domains)
{
	return HASH_COUNT(domains->table);
}
