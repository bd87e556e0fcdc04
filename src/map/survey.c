/*
 * survey.c - reading the list of managed domains                      (driver)
 */
#include "map/survey.h"

#include "base/log.h"
#include "base/mem.h"
#include "map/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

enum { LOOKS_MOST = 64 }; /* changed domains that are looked at at one time */

struct survey {
	struct domains *domains;
	struct link *link;
	char *prefix;
	unsigned look_count;
	LIST_HEAD(, look) looks; /* whose replies are awaited */
};

struct look {
	LIST_ENTRY(look) entry;
	struct survey *survey;
	size_t len;
	char name[];
};

struct survey *
survey_new(struct domains *domains, struct link *link, const char *prefix)
{
	struct survey *survey = xnew(struct survey);

	survey->domains = domains;
	survey->link = link;
	survey->prefix = xstrdup(prefix);
	LIST_INIT(&survey->looks);
	return survey;
}

static void
look_end(struct look *look)
{
	LIST_REMOVE(look, entry);
	look->survey->look_count--;
	free(look);
}

static void
looks_end(struct survey *survey)
{
	struct look *look;

	while ((look = LIST_FIRST(&survey->looks)) != NULL)
		look_end(look);
}

void
survey_free(struct survey **survey)
{
	if (*survey == NULL)
		return;
	looks_end(*survey);
	free((*survey)->prefix);
	free(*survey);
	*survey = NULL;
}

static void
survey_refused(struct survey *survey, const struct resp *reply, const char *doing)
{
	struct fault fault;

	server_error(reply, doing, &fault);
	link_fail(survey->link, &fault);
}

/* ---- all of them */

static void on_scanned(void *ctx, const struct resp *reply);

static void
scan(struct survey *survey, const char *cursor)
{
	struct str argv[] = {STR("SCAN"), str_of(cursor), STR("MATCH"),
	    str_of(domains_pattern(survey->domains)), STR("COUNT"), STR("1000")};

	link_read_begin(survey->link);
	link_read(survey->link, argv, ARRAY_LEN(argv));
	link_read_end(survey->link, on_scanned, survey);
}

/* [cursor, [key, ...]] */
static void
on_scanned(void *ctx, const struct resp *reply)
{
	struct survey *survey = ctx;
	const struct resp *keys;
	char cursor[24];
	struct str next;

	if (reply == NULL || !link_read_is_good(survey->link, reply, 1))
		return;
	reply = resp_at(reply, 1);
	if (resp_count(reply) != 2 || resp_type(resp_at(reply, 0)) != RESP_STRING ||
	    resp_str(resp_at(reply, 0)).len >= sizeof(cursor) ||
	    resp_type(resp_at(reply, 1)) != RESP_ARRAY) {
		survey_refused(survey, reply, "SCAN");
		return;
	}
	keys = resp_at(reply, 1);
	for (size_t i = 0; i < resp_count(keys); i++)
		domains_survey_found(survey->domains, resp_str(resp_at(keys, i)));
	next = resp_str(resp_at(reply, 0));
	if (!str_is(next, "0")) {
		snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(next));
		scan(survey, cursor);
		return;
	}
	domains_survey_end(survey->domains);
	log_debug("domains", "count=%zu complete=%d", domains_count(survey->domains),
	    domains_are_complete(survey->domains));
	survey_pump(survey);
}

/* ---- one of them */

static void
on_looked(void *ctx, const struct resp *reply)
{
	struct look *look = ctx;
	struct survey *survey = look->survey;

	if (reply == NULL || !link_read_is_good(survey->link, reply, 1))
		return; /* survey_stop() has ended the look, or will */
	reply = resp_at(reply, 1);
	if (resp_type(reply) != RESP_INTEGER) {
		survey_refused(survey, reply, "EXISTS");
		return;
	}
	domains_settle(survey->domains, str_make(look->name, look->len), resp_int(reply) > 0);
	look_end(look);
	survey_pump(survey);
}

static void
look_at(struct survey *survey, struct str domain)
{
	struct look *look = xcalloc(1, sizeof(*look) + domain.len + 1);
	struct buf owner = BUF_INIT, login = BUF_INIT;

	look->survey = survey;
	look->len = domain.len;
	memcpy(look->name, domain.ptr, domain.len);
	buf_addf(&owner, "%s:owner:@", survey->prefix);
	buf_add_str(&owner, domain);
	buf_addf(&login, "%s:login:@", survey->prefix);
	buf_add_str(&login, domain);
	struct str argv[] = {STR("EXISTS"), buf_str(&owner), buf_str(&login)};
	link_read_begin(survey->link);
	link_read(survey->link, argv, ARRAY_LEN(argv));
	link_read_end(survey->link, on_looked, look);
	buf_fini(&owner);
	buf_fini(&login);
	LIST_INSERT_HEAD(&survey->looks, look, entry);
	survey->look_count++;
}

/* ---- what is due */

void
survey_start(struct survey *survey)
{
	domains_session(survey->domains);
	survey_pump(survey);
}

void
survey_stop(struct survey *survey)
{
	looks_end(survey); /* their replies will not come */
	domains_no_session(survey->domains);
}

void
survey_pump(struct survey *survey)
{
	struct str domain;

	if (!link_is_live(survey->link))
		return;
	if (domains_survey_begin(survey->domains))
		scan(survey, "0");
	while (survey->look_count < LOOKS_MOST && domains_next(survey->domains, &domain))
		look_at(survey, domain);
}
