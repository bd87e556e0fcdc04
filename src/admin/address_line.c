/*
 * address_line.c - a line of import --addresses                         (pure)
 */
#include "admin/address_line.h"

#include "admin/transfer.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/record.h"

/* What may be said of a domain, and what its key says then; the first one is meant by no word. */
static const struct {
	const char *word, *value;
} of_domains[] = {{"catch-all", "catch-all"}, {"complete", "yes"}};

static const char of_addresses[] = "alias"; /* where no word says what it is */

static size_t
last_space(struct str s)
{
	size_t at = s.len;

	while (at > 0 && s.ptr[at - 1] != ' ' && s.ptr[at - 1] != '\t')
		at--;
	return at;
}

/* Outside of quotes: then it is something else, a table of Postfix perhaps. */
static bool
has_bare_space(struct str address)
{
	bool quoted = false;

	for (size_t i = 0; i < address.len; i++) {
		char c = address.ptr[i];

		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && quoted)
			i++;
		else if (!quoted && (c == ' ' || c == '\t'))
			return true;
	}
	return false;
}

int
address_line_read(struct str line, struct str *address_r, struct str *word_r, struct fault *fault_r)
{
	struct str last;
	size_t at;

	line = transfer_trimmed(line);
	if (line.len == 0 || line.ptr[0] == '#')
		return 0;
	at = last_space(line);
	last = str_from(line, at);
	*address_r = line;
	*word_r = STR("");
	/* A quoted local part may have spaces in it. */
	if (at > 0 && str_find(last, '@') == last.len) {
		*address_r = transfer_trimmed(str_make(line.ptr, at));
		*word_r = last;
	}
	if (has_bare_space(*address_r))
		return fault_set(fault_r, VERDICT_PERM,
		    "white space in %s: a line is one address, and a word for what it is",
		    log_quote(*address_r));
	if (str_find(*address_r, '@') < address_r->len)
		return 1;
	return fault_set(fault_r, VERDICT_PERM,
	    "%s is not an address: write user@domain, or @domain", log_quote(*address_r));
}

static bool
is_word(struct str word)
{
	for (size_t i = 0; i < word.len; i++) {
		char c = word.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return word.len > 0 && word.len <= ADDRESS_WORD_MOST;
}

static int
domain_value(struct str word, struct str *value_r, struct fault *fault_r)
{
	for (size_t i = 0; i < ARRAY_LEN(of_domains); i++) {
		if (word.len > 0 && !str_is(word, of_domains[i].word))
			continue;
		*value_r = str_of(of_domains[i].value);
		return 0;
	}
	return fault_set(fault_r, VERDICT_PERM, "%s is not said of a domain: catch-all or complete",
	    log_quote(word));
}

int
address_line_value(bool is_domain, struct str word, struct str *value_r, struct fault *fault_r)
{
	if (is_domain)
		return domain_value(word, value_r, fault_r);
	for (size_t i = 0; i < ARRAY_LEN(of_domains); i++) {
		if (str_is(word, of_domains[i].word))
			return fault_set(fault_r, VERDICT_PERM,
			    "%s is said of a domain: @example.org %s", of_domains[i].word,
			    of_domains[i].word);
	}
	if (word.len > 0 && !is_word(word))
		return fault_set(fault_r, VERDICT_PERM,
		    "%s is no word for what an address is (alias, list: a-z, 0-9 and -, at most %d)",
		    log_quote(word), ADDRESS_WORD_MOST);
	*value_r = word.len > 0 ? word : str_of(of_addresses);
	return 0;
}

struct str
address_line_word(bool is_domain, struct str value)
{
	if (!is_domain)
		return is_word(value) ? value : STR("");
	switch (record_completeness(value)) {
	case COMPLETE_CATCH_ALL:
		return str_of(of_domains[0].word);
	case COMPLETE_YES:
		return str_of(of_domains[1].word);
	case COMPLETE_UNSAID:
		break;
	}
	return STR("");
}
