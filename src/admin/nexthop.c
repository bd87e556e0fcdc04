/*
 * nexthop.c - the server that a map's text sends mail to                (pure)
 */
#include "admin/nexthop.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* Transports of Postfix's own that connect to nobody. */
static const char *const no_servers[] = {"local", "virtual", "pipe", "error", "retry", "discard"};

static const char smtp_port[] = "25", lmtp_port[] = "24"; /* RFC 2033, section 5 */

static bool
contains(struct str text, const char *word)
{
	size_t len = strlen(word);

	for (size_t at = 0; at + len <= text.len; at++)
		if (memcmp(text.ptr + at, word, len) == 0)
			return true;
	return false;
}

static struct str
first_of_several(struct str text)
{
	size_t end = 0;

	while (end < text.len && strchr(", \t", text.ptr[end]) == NULL)
		end++;
	return str_make(text.ptr, end);
}

static int
unix_path(struct str path, const char *queue_directory, struct endpoint *endpoint_r,
    struct fault *fault_r)
{
	bool absolute = str_starts(path, "/");
	int len = snprintf(endpoint_r->path, sizeof(endpoint_r->path), "%s%s%.*s",
	    absolute ? "" : queue_directory, absolute ? "" : "/", STR_FMT(path));

	endpoint_r->kind = ENDPOINT_UNIX;
	if (path.len == 0 || len < 0 || (size_t)len >= sizeof(endpoint_r->path))
		return fault_set(fault_r, VERDICT_PERM, "%s is no path of a socket",
		    log_quote(path));
	return 0;
}

/* "[host]:port", "host:port", "[ipv6:2001:db8::1]" ... */
static int
inet_address(struct str text, bool needs_brackets, const char *port, struct endpoint *endpoint_r,
    struct fault *fault_r)
{
	bool bracketed = str_starts(text, "[");
	size_t end = bracketed ? str_find(text, ']') : str_find(text, ':');
	struct str host = str_make(text.ptr, end), rest;

	if (bracketed) {
		host = str_from(host, 1);
		rest = str_from(text, end < text.len ? end + 1 : end);
		if (host.len > 5 && str_is_nocase(str_make(host.ptr, 5), "ipv6:"))
			host = str_from(host, 5);
	} else {
		rest = str_from(text, end);
	}
	if ((bracketed && end == text.len) || (rest.len > 0 && rest.ptr[0] != ':'))
		return fault_set(fault_r, VERDICT_PERM, "%s is no server", log_quote(text));
	if (needs_brackets && !bracketed)
		return fault_set(fault_r, VERDICT_PERM,
		    "%s is looked up by its MX records, which is not done here: write [%.*s]",
		    log_quote(text), STR_FMT(host));
	return endpoint_from(host, rest.len > 0 ? str_from(rest, 1) : str_of(port), endpoint_r,
	    fault_r);
}

int
nexthop_parse(struct str text, const char *queue_directory, struct nexthop *nexthop_r,
    struct fault *fault_r)
{
	size_t colon = str_find(text, ':');
	struct str transport = str_make(text.ptr, colon);
	struct str hop = first_of_several(str_from(text, colon < text.len ? colon + 1 : colon));

	*nexthop_r = (struct nexthop){.is_lmtp = contains(transport, "lmtp")};
	for (size_t i = 0; i < ARRAY_LEN(no_servers); i++)
		if (str_is(transport, no_servers[i]))
			hop.len = 0;
	if (hop.len == 0)
		return fault_set(fault_r, VERDICT_PERM, "%s names no server", log_quote(text));
	if (str_starts(hop, "unix:")) {
		nexthop_r->is_lmtp = true; /* lmtp(8) alone knows these two words */
		return unix_path(str_from(hop, strlen("unix:")), queue_directory,
		    &nexthop_r->endpoint, fault_r);
	}
	if (str_starts(hop, "inet:")) {
		nexthop_r->is_lmtp = true;
		hop = str_from(hop, strlen("inet:"));
	}
	return inet_address(hop, !nexthop_r->is_lmtp, nexthop_r->is_lmtp ? lmtp_port : smtp_port,
	    &nexthop_r->endpoint, fault_r);
}
