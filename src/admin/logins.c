/*
 * logins.c - the login names that lead to an account                  (driver)
 */
#include "admin/logins.h"

#include "admin/progress.h"
#include "admin/reading.h"
#include "admin/subject.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/record.h"
#include "map/scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct search {
	struct logins *logins;
	struct str account, local, domain; /* "ann@example.org", "ann", "@example.org" */
	struct account_rules rules;
	struct account target;
	struct buf text;
	struct progress progress;
};

/* ---- what could lead there */

static void
add(struct search *search, struct str name, struct str key)
{
	struct logins *logins = search->logins;
	struct login_name *found;

	if (logins->count == LOGINS_MOST) {
		logins->others++;
		return;
	}
	logins->names = xrealloc(logins->names, (logins->count + 1) * sizeof(*logins->names));
	found = &logins->names[logins->count++];
	*found = (struct login_name){.name = xstrndup(name.ptr, name.len)};
	buf_clear(&search->text);
	buf_add_text(&search->text, "login:");
	buf_add_str(&search->text, key);
	found->key = xstrndup(buf_str(&search->text).ptr, buf_len(&search->text));
}

/* "@example.net" leads to "@example.org": then ann there is ann here. */
static void
add_domain(struct search *search, struct str domain, struct str value)
{
	struct buf name = BUF_INIT;

	if (str_starts(value, "@")) {
		buf_add_byte(&name, '@');
		if (account_domain(str_from(value, 1), &name) &&
		    str_eq(buf_str(&name), search->domain)) {
			buf_clear(&name);
			buf_add_str(&name, search->local);
			buf_add_str(&name, domain);
			add(search, buf_str(&name), domain);
		}
	}
	buf_fini(&name);
}

static bool
on_login(void *ctx, const struct scan_row *row)
{
	struct search *search = ctx;

	if (!row->is_string)
		return true; /* nobody can read it; doctor says so */
	if (str_starts(row->name, "@"))
		add_domain(search, row->name, row->owner);
	else if (record_login(row->owner, &search->rules, &search->target) &&
		 (str_eq(search->target.name, search->account) ||
		     str_eq(search->target.base, search->account)))
		add(search, row->name, row->name);
	return true;
}

static void
on_step(void *ctx, uint64_t done, uint64_t total)
{
	struct search *search = ctx;

	search->progress.total = total;
	progress_step(&search->progress, done);
}

/* ---- what does */

/* As a daemon would find it. -1 and *fault_r: it could not be read. */
static int
does_lead(struct login_name *name, struct admin *admin, struct str account, struct fault *fault_r)
{
	struct account_rules rules = admin_account_rules(admin);
	struct reading reading = {0};
	struct subject subject;
	struct fault unimportant;
	int rc = 0;

	subject_init(&subject);
	/* A key whose name is not in canonical form is never looked at. */
	if (subject_read_or_login(&subject, str_of(name->name), &rules, &unimportant) == 0 &&
	    !subject.differs && (rc = reading_account(&reading, admin, &subject, fault_r)) == 0) {
		const struct finding *finding = reading_finding(&reading);

		name->leads =
		    finding->verdict == VERDICT_FOUND && str_eq(finding->account, account);
	}
	reading_fini(&reading);
	subject_fini(&subject);
	return rc;
}

static int
compare(const void *a, const void *b)
{
	const struct login_name *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : strcmp(x->key, y->key);
}

static void
name_free(struct login_name *name)
{
	free(name->name);
	free(name->key);
}

/* In order, and each once: a walk may show a key twice. */
static void
sort(struct logins *logins)
{
	size_t kept = 0;

	if (logins->count == 0)
		return;
	qsort(logins->names, logins->count, sizeof(*logins->names), compare);
	for (size_t i = 1; i < logins->count; i++) {
		if (compare(&logins->names[kept], &logins->names[i]) == 0)
			name_free(&logins->names[i]);
		else
			logins->names[++kept] = logins->names[i];
	}
	logins->count = kept + 1;
}

int
logins_find(struct logins *logins, struct admin *admin, struct str account, struct fault *fault_r)
{
	size_t at = str_rfind(account, '@');
	struct search search = {.logins = logins,
	    .account = account,
	    .local = str_make(account.ptr, at),
	    .domain = str_from(account, at),
	    .rules = admin_account_rules(admin)};
	int rc;

	account_init(&search.target);
	progress_start(&search.progress, "looking for login keys", "keys", 0, admin->json);
	rc = scan_keys_told(admin->client, "login", on_login, on_step, &search, fault_r);
	progress_end(&search.progress);
	sort(logins);
	for (size_t i = 0; i < logins->count && rc == 0; i++)
		rc = does_lead(&logins->names[i], admin, account, fault_r);
	account_fini(&search.target);
	buf_fini(&search.text);
	return rc;
}

void
logins_fini(struct logins *logins)
{
	for (size_t i = 0; i < logins->count; i++)
		name_free(&logins->names[i]);
	free(logins->names);
	*logins = (struct logins){0};
}

/* ---- told */

json_t *
logins_json(const struct logins *logins)
{
	json_t *list = json_array();

	for (size_t i = 0; i < logins->count; i++) {
		const struct login_name *name = &logins->names[i];

		json_array_append_new(list,
		    json_pack("{s:o, s:o, s:b}", "name", admin_json_text(str_of(name->name)), "key",
			admin_json_text(str_of(name->key)), "leads", name->leads));
	}
	return list;
}

void
logins_print(const struct logins *logins)
{
	if (logins->count == 0)
		puts("logins     no login key leads here");
	else
		puts("logins");
	for (size_t i = 0; i < logins->count; i++) {
		const struct login_name *name = &logins->names[i];

		printf("  %-44s ", log_quote(str_of(name->name)));
		printf("by %s%s\n", log_quote(str_of(name->key)),
		    name->leads ? ""
				: ", which is not looked at: another key of that name decides");
	}
	if (logins->others > 0)
		printf("  and %" PRIu64 " more\n", logins->others);
}
