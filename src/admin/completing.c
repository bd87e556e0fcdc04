/*
 * completing.c - what set says of a domain beside its owner           (driver)
 */
#include "admin/completing.h"

#include "admin/shell.h"
#include "base/mem.h"

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

int
completing_confirm(const struct completing *completing, const struct admin *admin,
    const struct subject *subject)
{
	if (record_completeness(completing->value) == COMPLETE_YES)
		return admin_confirm(admin,
		    "Mail to every address of %.*s that the map does not know is refused from now on "
		    "(splitmx check --complete %s compares first). Go on?",
		    STR_FMT(subject->domain), shell_word(subject->domain));
	return admin_confirm(admin,
	    "Mail to addresses of %.*s that the map does not know goes to the domain's owner from "
	    "now on. Go on?",
	    STR_FMT(subject->domain));
}

const char *
completing_words(struct change_value value)
{
	switch (value.there ? record_completeness(value.text) : COMPLETE_UNSAID) {
	case COMPLETE_YES:
		return "complete";
	case COMPLETE_CATCH_ALL:
		return "with a catch-all";
	case COMPLETE_UNSAID:
		break;
	}
	return "not complete";
}

const char *
completing_sentence(struct change_value value)
{
	switch (value.there ? record_completeness(value.text) : COMPLETE_UNSAID) {
	case COMPLETE_YES:
		return "yes: mail to an address that the map does not know is refused";
	case COMPLETE_CATCH_ALL:
		return "never: a catch-all is declared, so every address is somebody's";
	case COMPLETE_UNSAID:
		break;
	}
	return "no: only its servers know which addresses there are";
}
