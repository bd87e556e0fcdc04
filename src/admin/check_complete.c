/*
 * check_complete.c - splitmx check --complete DOMAIN                  (driver)
 *
 * Before a domain is declared complete: does the map know every address that its
 * servers take? Who has an address must take mail for it; and what a server takes and
 * the map does not know would be refused. The first is asked for each address of the
 * map; the second cannot be asked, only tried with names that may be forgotten.
 */
#include "admin/check_complete.h"

#include "admin/complete_names.h"
#include "admin/complete_sides.h"
#include "admin/completing.h"
#include "admin/known.h"
#include "admin/progress.h"
#include "admin/reading.h"
#include "admin/subject.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN_MOST = 20 }; /* of a kind, for people */

struct check {
	struct admin *admin;
	struct subject domain;
	struct complete_way way;
	struct complete_sides sides;
	struct subject sender; /* its account, canonical */
	struct buf owner; /* the domain's */
	uint64_t bad, not_asked; /* faults; servers and addresses that nobody could compare */
	uint64_t unasked; /* of those, addresses */
	uint64_t refused, forgotten, open; /* named so far */
};

/* ---- words */

static void
print(struct check *check, int good, const char *side, struct str address, struct str owner,
    struct str text)
{
	if (check->admin->json) {
		admin_print_json(json_pack("{s:s, s:o, s:s*, s:o*, s:o*, s:o}", "check", "complete",
		    "ok", good == -1 ? json_null() : json_boolean(good), "side", side, "address",
		    address.len > 0 ? admin_json_text(address) : NULL, "owner",
		    owner.len > 0 ? admin_json_text(owner) : NULL, "detail",
		    admin_json_text(text)));
		return;
	}
	printf("%-6s %-9s ", good == 1 ? "ok" : good == 0 ? "FAILS" : "open", "complete");
	if (side != NULL)
		printf("%s: ", side);
	admin_print_text(stdout, text);
	putchar('\n');
	fflush(stdout); /* some steps take long */
}

static void
on_side(void *ctx, int good, const char *side, struct str text)
{
	struct check *check = ctx;

	check->not_asked += good == 0 || (good == -1 && str_is(buf_str(&check->owner), side));
	print(check, good, side, STR(""), STR(""), text);
}

/* One address; of those of its kind that were named before, a person sees the first few. */
static void say(struct check *check, uint64_t *kind, int good, const char *side, struct str address,
    struct str owner, const char *format, ...) __attribute__((format(printf, 7, 8)));

static void
say(struct check *check, uint64_t *kind, int good, const char *side, struct str address,
    struct str owner, const char *format, ...)
{
	struct buf text = BUF_INIT;
	va_list args;

	check->bad += good == 0;
	if (++*kind > SHOWN_MOST && !check->admin->json)
		return;
	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	print(check, good, side, address, owner, buf_str(&text));
	buf_fini(&text);
}

static void
say_rest(const struct check *check, uint64_t count, const char *what)
{
	if (count > SHOWN_MOST && !check->admin->json)
		printf("... and %" PRIu64 " more that %s (--json shows all)\n", count - SHOWN_MOST,
		    what);
}

/* ---- an address */

/* The map knows it: the side that has it takes it, and what others say is only counted. */
static void
judge_known(struct check *check, struct complete_side *side, struct str address, struct str owner,
    enum rcpt_verdict verdict, struct str said)
{
	bool owns = str_is(owner, side->name);

	side->asked++;
	if (verdict == RCPT_REFUSED && owns) {
		side->refused_own++;
		say(check, &check->refused, 0, side->name, address, owner,
		    "%s (owner %s) is known to the map and refused by its owner: %s",
		    log_quote(address), log_quote(owner), log_quote(said));
	} else if (verdict == RCPT_REFUSED) {
		side->refused_others++;
		if (check->admin->json)
			print(check, -1, side->name, address, owner, said);
	} else if (verdict == RCPT_LATER && owns) {
		say(check, &check->open, -1, side->name, address, owner,
		    "%s (owner %s): nobody can tell: %s", log_quote(address), log_quote(owner),
		    log_quote(said));
	}
}

static void
judge_forgotten(struct check *check, struct complete_side *side, struct str address,
    struct str owner, enum rcpt_verdict verdict, struct str said)
{
	if (verdict == RCPT_ACCEPTED)
		say(check, &check->forgotten, 0, side->name, address, owner,
		    "%s is taken (%s), and the map does not know it: it would be refused; give it "
		    "an owner (splitmx set), or list it (splitmx import --addresses)",
		    log_quote(address), log_quote(said));
	else if (verdict == RCPT_LATER)
		say(check, &check->open, -1, side->name, address, owner,
		    "%s, which the map does not know: nobody can tell: %s", log_quote(address),
		    log_quote(said));
}

/* A side that is away is said to be, and asked no more. */
static void
ask_sides(struct check *check, struct str address, struct str owner, bool is_known)
{
	for (size_t i = 0; i < check->sides.count; i++) {
		struct complete_side *side = &check->sides.list[i];
		enum rcpt_verdict verdict = RCPT_LATER;
		struct fault fault;
		struct str said;

		if (side->rcpt == NULL)
			continue;
		if (rcpt_ask(side->rcpt, address, &verdict, &said, &fault) == -1) {
			struct str text = str_of(fault.text);

			on_side(check, 0, side->name, text);
			rcpt_free(&side->rcpt);
		} else if (is_known) {
			judge_known(check, side, address, owner, verdict, said);
		} else {
			judge_forgotten(check, side, address, owner, verdict, said);
		}
	}
}

/* Of keys that are there, and of names that may be missing. 0, or -1 and *fault_r. */
static int
look_at(struct check *check, struct str name, struct fault *fault_r)
{
	struct account_rules rules = admin_account_rules(check->admin);
	const struct finding *finding;
	struct reading reading = {0};
	struct subject subject;
	int rc = 0;

	subject_init(&subject);
	if (subject_read(&subject, name, &rules, fault_r) == -1) {
		say(check, &check->open, -1, NULL, name, STR(""), "a key that is no address: %s",
		    fault_r->text);
	} else if ((rc = reading_account(&reading, check->admin, &subject, fault_r)) == 0) {
		finding = reading_finding(&reading);
		if (finding->verdict == VERDICT_FOUND) {
			bool is_known =
			    known_if_complete(&reading, client_prefix(check->admin->client));

			check->unasked +=
			    is_known && complete_side_of(&check->sides, finding->owner) == NULL;
			/* In canonical form: whoever typed the key by hand may have written
			 * anything. */
			ask_sides(check, subject.name, finding->owner, is_known);
		} else {
			say(check, &check->refused, 0, NULL, name, STR(""),
			    "%s: the map cannot say whose it is: %s", log_quote(name),
			    finding->reason != NULL ? finding->reason : "nobody's");
		}
	}
	reading_fini(&reading);
	subject_fini(&subject);
	return rc;
}

/* ---- all of them */

static int
look_at_all(struct check *check, const struct complete_names *names)
{
	size_t count = complete_names_count(names);
	struct progress progress;
	struct fault fault;
	int rc = 0;

	progress_start(&progress, "asking", "addresses", count, check->admin->json);
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = look_at(check, complete_names_at(names, i), &fault);
		progress_step(&progress, i + 1);
	}
	progress_end(&progress);
	return rc == -1 ? admin_fault(check->admin, &fault) : 0;
}

/* Of destinations that cannot be asked. */
static void
say_unasked(struct check *check)
{
	struct buf text = BUF_INIT;

	if (check->unasked == 0)
		return;
	check->not_asked += check->unasked;
	buf_addf(&text, "%" PRIu64 " addresses were not compared: their owner cannot be",
	    check->unasked);
	print(check, -1, NULL, STR(""), STR(""), buf_str(&text));
	buf_fini(&text);
}

static void
sum_up(struct check *check)
{
	say_rest(check, check->refused, "their owner refuses");
	say_rest(check, check->forgotten, "a server takes and the map does not know");
	say_rest(check, check->open, "nobody can tell of");
	say_unasked(check);
	for (size_t i = 0; i < check->sides.count && !check->admin->json; i++) {
		const struct complete_side *side = &check->sides.list[i];

		if (side->asked > 0)
			printf("%s was asked for %" PRIu64
			       " addresses that the map knows: it refuses "
			       "%" PRIu64 " of its own, and %" PRIu64 " of others\n",
			    side->name, side->asked, side->refused_own, side->refused_others);
	}
}

static int
compare(struct check *check)
{
	struct complete_names *names;
	int code;

	complete_sides_try(&check->sides);
	if (check->sides.comparable == 0)
		return admin_fail(check->admin, EX_UNAVAILABLE,
		    "no server of this domain can be compared with the map");
	names = complete_names_read(check->admin, check->domain.name,
	    args_value(&check->admin->args, "addresses"), &code);
	if (names == NULL)
		return code;
	code = look_at_all(check, names);
	complete_names_free(&names);
	sum_up(check);
	if (code != 0)
		return code;
	return check->bad > 0                       ? EX_DATAERR
	       : check->not_asked + check->open > 0 ? EX_UNAVAILABLE
						    : 0;
}

/* ---- the domain */

/* What is said of it now. 0, or a sysexits code, said. */
static int
look_at_domain(struct check *check)
{
	struct admin *admin = check->admin;
	struct reading reading = {0};
	struct change_value complete;
	struct buf text = BUF_INIT;
	struct fault fault;
	int code = 0;

	if (reading_domain(&reading, admin, &check->domain, &fault) == -1) {
		code = admin_fault(admin, &fault);
	} else if (reading.keys[READING_OWNER].kind != FETCH_STRING) {
		code = admin_fail(admin, EX_NOUSER,
		    "%.*s has no owner key, so it cannot be complete: splitmx set %.*s DESTINATION",
		    STR_FMT(check->domain.domain), STR_FMT(check->domain.name));
	} else {
		complete =
		    (struct change_value){reading.keys[READING_COMPLETE].kind == FETCH_STRING,
			reading.keys[READING_COMPLETE].value};
		buf_add_str(&check->owner, reading.keys[READING_OWNER].value);
		buf_addf(&text, "%.*s belongs to %s and is %s", STR_FMT(check->domain.domain),
		    log_quote(reading.keys[READING_OWNER].value), completing_words(complete));
		print(check, record_completeness(complete.text) != COMPLETE_CATCH_ALL, NULL,
		    STR(""), STR(""), buf_str(&text));
		check->bad += record_completeness(complete.text) == COMPLETE_CATCH_ALL;
	}
	buf_fini(&text);
	reading_fini(&reading);
	return code;
}

static int
read_words(struct check *check)
{
	const struct args *args = &check->admin->args;
	struct account_rules rules = admin_account_rules(check->admin);
	const char *domain = args_value(args, "complete"), *sender = args_value(args, "sender");
	struct buf with_at = BUF_INIT;
	struct fault fault;
	int rc;

	buf_addf(&with_at, "@%s", domain + (domain[0] == '@'));
	rc = subject_read(&check->domain, buf_str(&with_at), &rules, &fault);
	buf_fini(&with_at);
	if (rc == 0 && sender != NULL && sender[0] != '\0')
		rc = subject_read(&check->sender, str_of(sender), &rules, &fault);
	if (rc == -1)
		return admin_fail(check->admin, EX_DATAERR, "%s", fault.text);
	if (check->sender.is_domain)
		return admin_fail(check->admin, EX_DATAERR, "--sender takes an address");
	return 0;
}

static int
prepare(struct check *check, char **sender_r)
{
	struct admin *admin = check->admin;
	const char *directory = args_value(&admin->args, "queue-directory");
	int code;

	if ((code = read_words(check)) != 0 || (code = admin_look_at_map(admin)) != 0 ||
	    (code = look_at_domain(check)) != 0)
		return code;
	*sender_r = xstrndup(check->sender.name.ptr != NULL ? check->sender.name.ptr : "",
	    check->sender.name.len);
	check->way = (struct complete_way){.admin = admin,
	    .domain = check->domain.name,
	    .map = args_value(&admin->args, "map"),
	    .queue_directory = directory != NULL ? directory : CHECK_QUEUE_DIRECTORY,
	    .sender = *sender_r,
	    .say = on_side,
	    .ctx = check};
	return complete_sides_init(&check->sides, &check->way);
}

int
check_complete(struct admin *admin)
{
	struct check check = {.admin = admin};
	char *sender = NULL;
	int code;

	subject_init(&check.domain);
	subject_init(&check.sender);
	if ((code = prepare(&check, &sender)) == 0)
		code = compare(&check);
	complete_sides_fini(&check.sides);
	buf_fini(&check.owner);
	subject_fini(&check.sender);
	subject_fini(&check.domain);
	free(sender);
	return code;
}
