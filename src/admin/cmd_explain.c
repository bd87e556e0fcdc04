/*
 * cmd_explain.c - splitmx explain ADDRESS|@DOMAIN|LOGIN [--logins]    (driver)
 *
 * The whole story of one address or login name, read with the code that the daemons read it
 * with: what it is called in the map, every key that was looked at and what was
 * in it, who owns it, whether it is held and for how long, and what each map
 * tells Postfix.
 */
#include "admin/admin.h"
#include "admin/arrived.h"
#include "admin/explain_domain.h"
#include "admin/known.h"
#include "admin/logins.h"
#include "admin/origin.h"
#include "admin/owner.h"
#include "admin/reading.h"
#include "admin/reading_shown.h"
#include "admin/rehearsal.h"
#include "admin/subject.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

static const struct option_row options[] = {
    {"logins", NULL, "also the login names that lead to the account; looks at every key"},
    {0},
};

static const char *const hold_names[] = {
    [HOLD_NONE] = "none",
    [HOLD_MAIL] = "mail",
    [HOLD_ALL] = "all",
};
_Static_assert(ARRAY_LEN(hold_names) == HOLD_ALL + 1, "a hold lacks its name");

static const char no_destination[] = "the owner in the map is no destination";

struct story {
	struct admin *admin;
	const char *asked;
	const struct subject *subject;
	const struct reading *reading;
	const struct finding *finding;
	const struct origin *origin; /* NULL: nobody owns it, or it cannot be told */
	const struct logins *logins; /* NULL: not asked for, or nobody owns it */
	struct rehearsals_found rehearsed; /* of the account */
	struct arrived arrived; /* for it */
};

/* Somebody wrote an owner that the settings do not have: every map answers with trouble. */
static bool
is_lost(const struct admin *admin, const struct finding *finding)
{
	return finding->verdict == VERDICT_FOUND &&
	       !ruleset_has_destination(admin->rules, finding->owner);
}

static bool
is_held(const struct finding *finding)
{
	return finding->verdict == VERDICT_FOUND && finding->hold != HOLD_NONE;
}

static struct known
known_of_story(const struct story *story)
{
	return known_of(story->reading, client_prefix(story->admin->client));
}

/* ---- in JSON */

static json_t *
maps_json(const struct story *story)
{
	const struct ruleset *rules = story->admin->rules;
	json_t *maps = json_object();
	struct buf text = BUF_INIT;

	if (story->subject->is_login)
		return maps; /* Postfix asks for addresses only */
	for (size_t i = 0; i < ruleset_view_count(rules); i++) {
		const struct view *view = ruleset_view_at(rules, i);
		struct answer answer;
		json_t *row;

		buf_clear(&text);
		decide(rules, view, story->finding, &text, &answer);
		row = json_pack("{s:s, s:b}", "verdict", verdict_name(answer.verdict), "held",
		    answer.held);
		if (answer.verdict == VERDICT_FOUND)
			json_object_set_new(row, "text", admin_json_text(answer.text));
		else if (answer.reason != NULL)
			json_object_set_new(row, "reason", admin_json_text(str_of(answer.reason)));
		json_object_set_new(maps, view_name(view), row);
	}
	buf_fini(&text);
	return maps;
}

static void
print_json(const struct story *story)
{
	const struct finding *finding = story->finding;
	const struct client_map *map = client_map(story->admin->client);
	bool found = finding->verdict == VERDICT_FOUND;
	json_t *root = json_pack("{s:o, s:o, s:s, s:b, s:o}", "asked",
	    admin_json_text(str_of(story->asked)), "canonical",
	    admin_json_text(story->subject->name), "verdict", verdict_name(finding->verdict),
	    "held", is_held(finding), "keys", reading_json(story->reading));

	if (found) {
		struct known known = known_of_story(story);

		json_object_set_new(root, "known", known_json(&known));
		json_object_set_new(root, "owner", admin_json_text(finding->owner));
		json_object_set_new(root, "account", admin_json_text(finding->account));
		json_object_set_new(root, "hold", json_string(hold_names[finding->hold]));
		json_object_set_new(root, "login",
		    is_lost(story->admin, finding) ? json_null()
		    : finding->hold == HOLD_ALL    ? json_string("waits")
						   : admin_json_text(finding->owner));
	}
	if (is_lost(story->admin, finding))
		json_object_set_new(root, "reason", json_string(no_destination));
	if (finding->matched.len > 0)
		json_object_set_new(root, "matched", admin_json_text(finding->matched));
	if (finding->reason != NULL)
		json_object_set_new(root, "reason", admin_json_text(str_of(finding->reason)));
	if (story->origin != NULL)
		json_object_set_new(root, "change", origin_json(story->origin));
	if (story->logins != NULL)
		json_object_set_new(root, "logins", logins_json(story->logins));
	if (found)
		json_object_set_new(root, "rehearsed", rehearsals_json(&story->rehearsed));
	if (found)
		json_object_set_new(root, "arrived", arrived_json(&story->arrived));
	json_object_set_new(root, "maps", maps_json(story));
	json_object_set_new(root, "map",
	    json_pack("{s:s, s:I, s:o}", "id", map->head.id, "epoch", (json_int_t)map->head.epoch,
		"redis", admin_json_text(str_of(client_target(story->admin->client)))));
	admin_print_json(root);
}

/* ---- in words */

static void
print_maps(const struct story *story)
{
	const struct ruleset *rules = story->admin->rules;
	struct buf text = BUF_INIT;

	puts("maps");
	for (size_t i = 0; i < ruleset_view_count(rules); i++) {
		const struct view *view = ruleset_view_at(rules, i);
		struct answer answer;

		buf_clear(&text);
		decide(rules, view, story->finding, &text, &answer);
		printf("  %-20s ", view_name(view));
		if (answer.verdict == VERDICT_FOUND)
			printf("%s%s\n", log_quote(answer.text), answer.held ? " (held)" : "");
		else if (answer.verdict == VERDICT_ABSENT)
			puts("not found: Postfix goes on as without us");
		else
			printf("%s: %s\n", verdict_name(answer.verdict),
			    answer.reason != NULL ? answer.reason : "?");
	}
	buf_fini(&text);
}

static void
print_known(const struct story *story)
{
	struct known known = known_of_story(story);
	struct buf text = BUF_INIT;

	known_describe(&text, &known);
	printf("known      %s\n", buf_cstr(&text));
	buf_fini(&text);
}

static void
print_nobody(const struct story *story)
{
	if (story->subject->is_login)
		puts("owner      none: no login key has this name, so nobody logs in by it; write "
		     "addresses as user@domain, whole domains as @domain");
	else
		puts("owner      none: its domain is not managed, everybody goes on as without us");
}

static void
print_owner(const struct story *story)
{
	const struct admin *admin = story->admin;
	const struct finding *finding = story->finding;

	switch (finding->verdict) {
	case VERDICT_FOUND:
		printf("account    %s\n", log_quote(finding->account));
		printf("owner      %s, by %s\n", log_quote(finding->owner),
		    log_quote(finding->matched));
		printf("hold       %s\n", hold_names[finding->hold]);
		if (is_lost(admin, finding))
			printf("trouble    %s; it has: %s\n", no_destination,
			    owner_destinations(admin));
		else if (finding->hold == HOLD_ALL)
			puts("login      would wait until the hold ends");
		else
			printf("login      would go to %s\n", log_quote(finding->owner));
		print_known(story);
		break;
	case VERDICT_ABSENT:
		print_nobody(story);
		break;
	case VERDICT_TEMP:
	case VERDICT_PERM:
	case VERDICT_COUNT:
		printf("trouble    %s: ", verdict_name(finding->verdict));
		admin_print_text(stdout, str_of(finding->reason != NULL ? finding->reason : "?"));
		putchar('\n');
		break;
	}
}

static void
print_words(const struct story *story)
{
	const struct client_map *map = client_map(story->admin->client);

	printf("%s %s\n", story->subject->is_login ? "login name" : "address   ",
	    log_quote(story->subject->name));
	if (story->subject->differs)
		printf("asked as   %s\n", log_quote_text(story->asked));
	print_owner(story);
	if (story->origin != NULL)
		origin_print(story->origin);
	rehearsals_print(&story->rehearsed);
	if (story->finding->verdict == VERDICT_FOUND)
		arrived_print(&story->arrived);
	reading_print(story->reading);
	if (story->logins != NULL)
		logins_print(story->logins);
	if (!story->subject->is_login)
		print_maps(story);
	printf("map        %s, epoch %" PRIu64 ", at %s\n", map->head.id, map->head.epoch,
	    client_target(story->admin->client));
}

/* ---- how it came about */

/* What was read from the owner key of a name. */
static struct origin_key
origin_key(const struct story *story, struct str name)
{
	const struct reading *reading = story->reading;
	struct buf key = BUF_INIT;
	struct origin_key found = {.name = name};

	buf_addf(&key, "%s:owner:", client_prefix(story->admin->client));
	buf_add_str(&key, name);
	for (size_t i = 0; i < reading->count; i++) {
		if (str_eq(reading->keys[i].key, buf_str(&key)))
			found.value = (struct change_value){
			    reading->keys[i].kind == FETCH_STRING, reading->keys[i].value};
	}
	buf_fini(&key);
	return found;
}

static int
find_origin(const struct story *story, struct origin *origin, struct fault *fault_r)
{
	struct str matched = story->finding->matched, account = story->finding->account;
	struct str owner = str_from(matched, str_find(matched, ':') + 1);
	struct origin_key own = origin_key(story, str_starts(owner, "@") ? account : owner);
	struct origin_key domain = origin_key(story, str_from(own.name, str_rfind(own.name, '@')));

	return origin_find(origin, story->admin->client, &own, &domain, fault_r);
}

/* ---- telling it */

/* 0, and the exit status says whether anybody owns it. */
static int
say(struct story *story)
{
	if (story->admin->json)
		print_json(story);
	else
		print_words(story);
	switch (story->finding->verdict) {
	case VERDICT_FOUND:
		return is_lost(story->admin, story->finding) ? EX_DATAERR : 0;
	case VERDICT_ABSENT:
		return EX_NOUSER;
	case VERDICT_TEMP:
	case VERDICT_PERM:
	case VERDICT_COUNT:
		break;
	}
	return EX_DATAERR;
}

/* Both look further than the record: how its owner came there, and who leads there. */
static int
look_around(struct story *story, struct origin *origin, struct logins *logins,
    struct fault *fault_r)
{
	struct admin *admin = story->admin;
	int rc = find_origin(story, origin, fault_r);

	story->origin = rc == 0 ? origin : NULL;
	if (rc == 0 && args_has(&admin->args, "logins")) {
		rc = logins_find(logins, admin, story->finding->account, fault_r);
		story->logins = rc == 0 ? logins : NULL;
	}
	return rc;
}

/* What others have kept beside the record. */
static int
find_more(struct story *story, struct fault *fault_r)
{
	const struct finding *finding = story->finding;
	struct client *client = story->admin->client;

	if (rehearsals_find(client, finding->account, &story->rehearsed, fault_r) == -1)
		return -1;
	return arrived_find(&story->arrived, client, finding->account, finding->owner,
	    origin_flip_s(story->origin), fault_r);
}

/* The story is told even where its beginning cannot be; that is said, and the status. */
static int
tell(struct story *story)
{
	struct admin *admin = story->admin;
	const struct reading *reading = story->reading;
	struct origin origin = {0};
	struct logins logins = {0};
	struct origin_key domain;
	struct fault fault;
	int rc = 0, code;

	if (story->subject->is_domain) {
		domain = origin_key(story, story->subject->name);
		rc = origin_find(&origin, admin->client, &domain, NULL, &fault);
		code = explain_domain(admin, story->subject, reading, rc == 0 ? &origin : NULL);
	} else {
		story->finding = reading_finding(reading);
		if (story->finding->verdict == VERDICT_FOUND)
			rc = look_around(story, &origin, &logins, &fault);
		if (rc == 0 && story->finding->verdict == VERDICT_FOUND)
			rc = find_more(story, &fault);
		code = say(story);
		rehearsals_found_fini(&story->rehearsed);
	}
	logins_fini(&logins);
	origin_fini(&origin);
	return rc == -1 ? admin_fault(admin, &fault) : code;
}

static int
explain(struct admin *admin, const struct subject *subject)
{
	struct reading reading = {0};
	struct story story = {
	    .admin = admin, .asked = admin->args.words[0], .subject = subject, .reading = &reading};
	struct fault fault;
	int code;

	if ((subject->is_domain ? reading_domain(&reading, admin, subject, &fault)
				: reading_account(&reading, admin, subject, &fault)) == -1)
		code = admin_fault(admin, &fault);
	else
		code = tell(&story);
	reading_fini(&reading);
	return code;
}

static int
run(struct admin *admin)
{
	struct subject subject;
	int code;

	if ((code = admin_need_map(admin)) != 0)
		return code;
	subject_init(&subject);
	if ((code = owner_subject_or_login(admin, &subject, admin->args.words[0])) == 0)
		code = subject.is_domain && args_has(&admin->args, "logins")
			   ? admin_usage(admin, "--logins is about an account, not about a domain")
			   : explain(admin, &subject);
	subject_fini(&subject);
	return code;
}

const struct command cmd_explain = {
    .name = "explain",
    .usage = "ADDRESS|@DOMAIN|LOGIN [--logins]",
    .sentence = "Tells who has an account and why, and what each map answers for it.",
    .options = options,
    .words_least = 1,
    .words_most = 1,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
