/*
 * completing.c - what set says of a domain beside its owner           (driver)
 */
#include "admin/completing.h"

#include "admin/shell.h"
#include "base/mem.h"
#include "map/scan.h"

#include <inttypes.h>

/* What is said, and what is taken back. */
static const struct {
	const char *option;
	struct completing completing;
} ways[] = {
    {"complete", {true, STR("yes"), COMPLETE_UNSAID}},
    {"not-complete", {true, STR(""), COMPLETE_YES}},
    {"catch-all", {true, STR("catch-all"), COMPLETE_UNSAID}},
    {"no-catch-all", {true, STR(""), COMPLETE_CATCH_ALL}},
};

int
completing_read(struct completing *completing_r, const struct admin *admin,
    const struct subject *subject)
{
	const char *first = NULL;

	*completing_r = (struct completing){.is_said = false};
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		if (!args_has(&admin->args, ways[i].option))
			continue;
		if (first != NULL)
			return admin_usage(admin, "--%s and --%s at once", first, ways[i].option);
		if (!subject->is_domain)
			return admin_usage(admin,
			    "--%s is said of a domain; import --addresses takes addresses that are "
			    "known without an owner",
			    ways[i].option);
		first = ways[i].option;
		*completing_r = ways[i].completing;
	}
	return 0;
}

static bool
count_address(void *ctx, const struct scan_row *row)
{
	uint64_t *count = ctx;

	*count += !str_starts(row->name, "@");
	return true;
}

/* The addresses of it that have a key; one may have several. */
struct known_count {
	uint64_t accounts, logins, others;
};

static int
count_keys(struct admin *admin, const struct subject *subject, struct known_count *count)
{
	struct buf glob = BUF_INIT;
	struct fault fault;
	int rc;

	buf_add_byte(&glob, '*');
	scan_escape(&glob, subject->name);
	rc = scan_owners(admin->client, buf_str(&glob), count_address, &count->accounts, &fault);
	if (rc == 0)
		rc = scan_keys(admin->client, "login", buf_str(&glob), count_address,
		    &count->logins, &fault);
	if (rc == 0)
		rc = scan_keys(admin->client, "complete", buf_str(&glob), count_address,
		    &count->others, &fault);
	buf_fini(&glob);
	return rc == -1 ? admin_fault(admin, &fault) : 0;
}

static int
confirm_complete(struct admin *admin, const struct subject *subject)
{
	struct known_count count = {0};
	int code = count_keys(admin, subject, &count);

	if (code != 0)
		return code;
	if (count.accounts == 0)
		admin_note(admin,
		    "the map has no account of %.*s with an owner key of its own, so nearly all of "
		    "its mail would be refused",
		    STR_FMT(subject->domain));
	return admin_confirm(admin,
	    "Mail to every address of %.*s is refused from now on, but to %" PRIu64
	    " accounts, %" PRIu64 " login names and %" PRIu64
	    " other addresses that the map knows (splitmx check --complete %s compares first). Go on?",
	    STR_FMT(subject->domain), count.accounts, count.logins, count.others,
	    shell_word(subject->domain));
}

int
completing_confirm(const struct completing *completing, struct admin *admin,
    const struct subject *subject)
{
	if (record_completeness(completing->value) == COMPLETE_YES)
		return confirm_complete(admin, subject);
	return admin_confirm(admin,
	    "Mail to addresses of %.*s that the map does not know goes to the domain's owner from "
	    "now on. Go on?",
	    STR_FMT(subject->domain));
}

/* What a key says of its domain: in a word or two, and in a sentence. */
static const char *const said[][2] = {
    [COMPLETE_UNSAID] = {"not complete", "no: only its servers know which addresses there are"},
    [COMPLETE_YES] = {"complete", "yes: mail to an address that the map does not know is refused"},
    [COMPLETE_CATCH_ALL] = {"with a catch-all",
	"never: a catch-all is declared, so every address is somebody's"},
};
_Static_assert(ARRAY_LEN(said) == COMPLETE_CATCH_ALL + 1, "a completeness lacks its words");

static enum completeness
completeness_of(struct change_value value)
{
	return value.there ? record_completeness(value.text) : COMPLETE_UNSAID;
}

const char *
completing_words(struct change_value value)
{
	return said[completeness_of(value)][0];
}

const char *
completing_sentence(struct change_value value)
{
	return said[completeness_of(value)][1];
}
