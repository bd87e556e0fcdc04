/*
 * complete_sides.c - the servers that check --complete compares with  (driver)
 */
#include "admin/complete_sides.h"

#include "base/log.h"
#include "base/mem.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM_BYTES = 10 };

static void tell(const struct complete_way *way, int good, const char *side, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

static void
tell(const struct complete_way *way, int good, const char *side, const char *format, ...)
{
	struct buf text = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	way->say(way->ctx, good, side, buf_str(&text));
	buf_fini(&text);
}

/* ---- where they are */

/* What this map answers for an account that a destination owns and nobody holds. */
static int
find_server(const struct complete_way *way, const struct view *view, const char *destination,
    struct nexthop *nexthop_r, struct fault *fault_r)
{
	struct finding finding = {.verdict = VERDICT_FOUND, .owner = str_of(destination)};
	struct buf account = BUF_INIT, text = BUF_INIT;
	struct answer answer;
	int rc;

	buf_add_text(&account, "postmaster");
	buf_add_str(&account, way->domain);
	finding.account = buf_str(&account);
	decide(way->admin->rules, view, &finding, &text, &answer);
	if (answer.verdict != VERDICT_FOUND)
		rc = fault_set(fault_r, VERDICT_PERM, "the map %s names no server for it",
		    view_name(view));
	else
		rc = nexthop_parse(answer.text, way->queue_directory, nexthop_r, fault_r);
	buf_fini(&text);
	buf_fini(&account);
	return rc;
}

static size_t
count_servers(const struct complete_way *way, const struct view *view)
{
	const struct settings *settings = way->admin->settings;
	size_t count = 0;

	for (size_t i = 0; i < settings->destination_count; i++) {
		struct nexthop unused;
		struct fault unimportant;

		count += find_server(way, view, settings->destinations[i].name, &unused,
			     &unimportant) == 0;
	}
	return count;
}

static const struct view *
best_view(const struct complete_way *way)
{
	const struct ruleset *rules = way->admin->rules;
	const struct view *best = NULL;
	size_t most = 0;

	for (size_t i = 0; i < ruleset_view_count(rules); i++) {
		const struct view *view = ruleset_view_at(rules, i);
		size_t count = count_servers(way, view);

		if (best == NULL || count > most) {
			best = view;
			most = count;
		}
	}
	return best;
}

static void
add_side(struct complete_sides *sides, const char *name)
{
	const struct complete_way *way = sides->way;
	struct complete_side *side = &sides->list[sides->count++];
	struct fault fault;

	side->name = name;
	if (find_server(way, sides->view, name, &side->nexthop, &fault) == -1)
		tell(way, -1, name, "cannot be asked: %s; --map names another map", fault.text);
	else
		side->rcpt = rcpt_new(sides->loop, &side->nexthop, way->sender);
}

int
complete_sides_init(struct complete_sides *sides, const struct complete_way *way)
{
	const struct admin *admin = way->admin;

	*sides = (struct complete_sides){.way = way};
	sides->view =
	    way->map != NULL ? ruleset_view(admin->rules, str_of(way->map)) : best_view(way);
	if (sides->view == NULL)
		return way->map != NULL
			   ? admin_usage(admin, "there is no map %s", log_quote_text(way->map))
			   : admin_usage(admin, "the settings have no map that names servers");
	sides->loop = loop_new();
	sides->list = xnew_array(struct complete_side, admin->settings->destination_count + 1);
	for (size_t i = 0; i < admin->settings->destination_count; i++)
		add_side(sides, admin->settings->destinations[i].name);
	return 0;
}

void
complete_sides_fini(struct complete_sides *sides)
{
	for (size_t i = 0; i < sides->count; i++)
		rcpt_free(&sides->list[i].rcpt);
	free(sides->list);
	if (sides->loop != NULL)
		loop_free(&sides->loop);
}

/* ---- can they be compared? */

static void
try_side(struct complete_sides *sides, struct complete_side *side, struct str address)
{
	const struct complete_way *way = sides->way;
	const char *at = endpoint_name(&side->nexthop.endpoint);
	enum rcpt_verdict verdict = RCPT_LATER;
	struct fault fault;
	struct str said;

	if (rcpt_ask(side->rcpt, address, &verdict, &said, &fault) == -1) {
		tell(way, 0, side->name, "cannot be asked at %s: %s", at, fault.text);
	} else if (verdict == RCPT_ACCEPTED) {
		tell(way, 0, side->name,
		    "%s takes an address that nobody has (%s): it accepts everything, so it cannot "
		    "be compared; ask another server of it, or another map (--map)",
		    at, log_quote(said));
	} else if (verdict == RCPT_LATER) {
		tell(way, 0, side->name,
		    "%s cannot say whether an address that nobody has is refused (%s), so it cannot "
		    "be compared",
		    at, log_quote(said));
	} else {
		tell(way, 1, side->name, "%s refuses an address that nobody has: %s", at,
		    log_quote(said));
		sides->comparable++;
		return;
	}
	rcpt_free(&side->rcpt);
}

void
complete_sides_try(struct complete_sides *sides)
{
	unsigned char random[RANDOM_BYTES];
	char hex[2 * RANDOM_BYTES + 1];
	struct buf address = BUF_INIT;

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(hex, sizeof(hex), random, sizeof(random));
	buf_addf(&address, "splitmx-check-%s", hex);
	buf_add_str(&address, sides->way->domain);
	for (size_t i = 0; i < sides->count; i++) {
		if (sides->list[i].rcpt != NULL)
			try_side(sides, &sides->list[i], buf_str(&address));
	}
	buf_fini(&address);
}

struct complete_side *
complete_side_of(const struct complete_sides *sides, struct str owner)
{
	for (size_t i = 0; i < sides->count; i++) {
		if (str_is(owner, sides->list[i].name) && sides->list[i].rcpt != NULL)
			return &sides->list[i];
	}
	return NULL;
}
