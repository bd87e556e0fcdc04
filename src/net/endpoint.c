/*
 * endpoint.c - where something listens                                  (pure)
 */
#include "net/endpoint.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char redis_port[] = "6379";

/* A URL may hold a password, so no sentence of ours repeats one. */
#define SECRETS_ELSEWHERE                                                                          \
	"a name or password in the address of Redis would be readable by everybody: use the "      \
	"settings user and password_file"

static int
take_path(struct str path, struct endpoint *endpoint_r, struct fault *fault_r)
{
	if (path.len == 0 || path.ptr[0] != '/')
		return fault_set(fault_r, VERDICT_PERM,
		    "unix:%.*s: the path of a socket begins with a slash", STR_FMT(path));
	if (path.len >= sizeof(endpoint_r->path))
		return fault_set(fault_r, VERDICT_PERM,
		    "unix:%.*s: the path of a socket has at most %zu bytes", STR_FMT(path),
		    sizeof(endpoint_r->path) - 1);
	endpoint_r->kind = ENDPOINT_UNIX;
	memcpy(endpoint_r->path, path.ptr, path.len);
	return 0;
}

static bool
is_address(struct str host)
{
	char text[sizeof(((struct endpoint *)0)->host)];
	unsigned char address[sizeof(struct in6_addr)];
	size_t len = str_find(host, '%'); /* "fe80::1%eth0": the zone is for the kernel to judge */

	if (len >= sizeof(text))
		return false;
	memcpy(text, host.ptr, len);
	text[len] = '\0';
	if (len < host.len && host.len - len < 2)
		return false;
	return inet_pton(AF_INET6, text, address) == 1 ||
	       (len == host.len && inet_pton(AF_INET, text, address) == 1);
}

/* What RFC 1123, section 2.1 allows, and the underscore that people use. */
static bool
is_host_name(struct str host)
{
	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '.' || c == '_'))
			return false;
	}
	return host.len > 0 && host.ptr[0] != '-' && host.ptr[0] != '.';
}

static bool
is_port(struct str port)
{
	uint64_t n;

	return port.len <= 5 && str_number(port, 65535, &n) && n >= 1;
}

/* "host", "host:port", "[::1]" or "[::1]:port". */
static int
take_host_and_port(struct str text, const char *default_port, struct endpoint *endpoint_r,
    struct fault *fault_r)
{
	struct str host, port, rest;
	bool bracketed = text.len > 0 && text.ptr[0] == '[';

	if (bracketed) {
		host = str_make(text.ptr + 1, str_find(text, ']') - 1);
		if (host.len + 2 > text.len || !is_address(host))
			return fault_set(fault_r, VERDICT_PERM,
			    "%.*s: brackets hold an address, as in [::1]:10025", STR_FMT(text));
		rest = str_from(text, host.len + 2);
	} else {
		host = str_make(text.ptr, str_find(text, ':'));
		rest = str_from(text, host.len);
		if (str_find(rest, ':') != str_rfind(rest, ':'))
			return fault_set(fault_r, VERDICT_PERM,
			    "%.*s: an IPv6 address stands in brackets, as in [::1]:10025",
			    STR_FMT(text));
		if (!is_host_name(host))
			return fault_set(fault_r, VERDICT_PERM,
			    "%.*s: no host name or address before the port", STR_FMT(text));
	}
	if (host.len >= sizeof(endpoint_r->host))
		return fault_set(fault_r, VERDICT_PERM, "a host name has at most %zu bytes",
		    sizeof(endpoint_r->host) - 1);
	if (rest.len > 0 && rest.ptr[0] == ':')
		port = str_from(rest, 1);
	else if (rest.len == 0 && default_port != NULL)
		port = str_of(default_port);
	else
		return fault_set(fault_r, VERDICT_PERM,
		    "%.*s: host and port, as in 127.0.0.1:10025", STR_FMT(text));
	if (!is_port(port))
		return fault_set(fault_r, VERDICT_PERM, "%.*s: a port is a number from 1 to 65535",
		    STR_FMT(text));
	endpoint_r->kind = ENDPOINT_INET;
	memcpy(endpoint_r->host, host.ptr, host.len);
	memcpy(endpoint_r->port, port.ptr, port.len);
	return 0;
}

int
endpoint_parse(const char *text, struct endpoint *endpoint_r, struct fault *fault_r)
{
	struct str all = str_of(text);

	*endpoint_r = (struct endpoint){0};
	if (str_starts(all, "unix:"))
		return take_path(str_from(all, strlen("unix:")), endpoint_r, fault_r);
	if (str_starts(all, "inet:"))
		return take_host_and_port(str_from(all, strlen("inet:")), NULL, endpoint_r,
		    fault_r);
	return fault_set(fault_r, VERDICT_PERM, "%s: neither unix:/path nor inet:host:port", text);
}

int
endpoint_parse_redis(const char *url, struct endpoint *endpoint_r, struct fault *fault_r)
{
	static const struct {
		const char *scheme;
		bool tls;
	} schemes[] = {{"redis://", false}, {"rediss://", true}};
	struct str all = str_of(url);

	*endpoint_r = (struct endpoint){0};
	if (str_starts(all, "unix://"))
		return take_path(str_from(all, strlen("unix://")), endpoint_r, fault_r);
	if (str_starts(all, "unix:"))
		return take_path(str_from(all, strlen("unix:")), endpoint_r, fault_r);
	if (strchr(url, '@') != NULL)
		return fault_set(fault_r, VERDICT_PERM, "%s", SECRETS_ELSEWHERE);
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!str_starts(all, schemes[i].scheme))
			continue;
		endpoint_r->tls = schemes[i].tls;
		return take_host_and_port(str_from(all, strlen(schemes[i].scheme)), redis_port,
		    endpoint_r, fault_r);
	}
	return fault_set(fault_r, VERDICT_PERM,
	    "%s: neither unix:///path, redis://host:port nor rediss://host:port", url);
}

int
endpoint_from(struct str host, struct str port, struct endpoint *endpoint_r, struct fault *fault_r)
{
	*endpoint_r = (struct endpoint){.kind = ENDPOINT_INET};
	if (host.len >= sizeof(endpoint_r->host) || str_find(host, '%') < host.len ||
	    (!is_address(host) && !is_host_name(host)))
		return fault_set(fault_r, VERDICT_PERM, "no host name or address");
	if (!is_port(port))
		return fault_set(fault_r, VERDICT_PERM, "a port is a number from 1 to 65535");
	memcpy(endpoint_r->host, host.ptr, host.len);
	memcpy(endpoint_r->port, port.ptr, port.len);
	return 0;
}

const char *
endpoint_name(const struct endpoint *endpoint)
{
	static char slots[4][sizeof(struct endpoint) + sizeof("inet:[]:")];
	static unsigned next;
	char *slot = slots[next++ % ARRAY_LEN(slots)];

	if (endpoint->kind == ENDPOINT_UNIX)
		snprintf(slot, sizeof(slots[0]), "unix:%s", endpoint->path);
	else if (strchr(endpoint->host, ':') != NULL)
		snprintf(slot, sizeof(slots[0]), "inet:[%s]:%s", endpoint->host, endpoint->port);
	else
		snprintf(slot, sizeof(slots[0]), "inet:%s:%s", endpoint->host, endpoint->port);
	return slot;
}
