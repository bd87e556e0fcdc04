/*
 * settings_pattern.c - what the text of a setting may look like         (pure)
 */
#include "base/settings_pattern.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/un.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* Not empty, and of these characters alone. */
static bool
is_made_of(const char *text, const char *chars)
{
	return *text != '\0' && text[strspn(text, chars)] == '\0';
}

static bool
is_any(const char *text)
{
	return true; /* control characters were refused before */
}

static bool
is_word(const char *text)
{
	return *text != '\0' && strchr(text, ' ') == NULL;
}

static bool
is_name(const char *text)
{
	return *text >= 'a' && *text <= 'z' && is_made_of(text, LOWER DIGITS "-");
}

static bool
is_host(const char *text)
{
	return is_made_of(text, LOWER DIGITS ".-");
}

static bool
is_prefix(const char *text)
{
	return is_made_of(text, LOWER DIGITS "._-");
}

static bool
is_path(const char *text)
{
	return text[0] == '/' && text[1] != '\0';
}

static bool
is_mode(const char *text)
{
	return strlen(text) == 4 && text[0] == '0' && is_made_of(text, "01234567");
}

static bool
is_delimiter(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p < '!' || *p > '~' || strchr("@\"<>,;:\\()[]", *p) ||
		    strspn(p, LOWER DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
			return false;
	return true;
}

/* The map knows what a domain really is; this finds slips of the pen. */
static bool
is_domain(const char *text)
{
	return is_word(text) && *text != '.' && !strpbrk(text, "@/:") && strlen(text) <= 255;
}

static bool
is_port(const char *text)
{
	return is_made_of(text, DIGITS) && strlen(text) <= 5 && atoi(text) >= 1 &&
	       atoi(text) <= 65535;
}

/* "host:port", "[::1]:port" */
static bool
is_host_and_port(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (colon == NULL || colon == text || !is_word(text) || !is_port(colon + 1))
		return false;
	if (*text == '[')
		return colon[-1] == ']' && colon - text > 2;
	return strchr(text, ':') == colon;
}

static bool
is_socket_path(const char *text)
{
	return is_path(text) && strlen(text) < sizeof(((struct sockaddr_un *)0)->sun_path);
}

static bool
is_redis_url(const char *text)
{
	struct str url = str_of(text);

	if (str_starts(url, "unix://"))
		return is_socket_path(text + strlen("unix://"));
	if (str_starts(url, "redis://"))
		text += strlen("redis://");
	else if (str_starts(url, "rediss://"))
		text += strlen("rediss://");
	else
		return false;
	if (is_host_and_port(text))
		return true;
	return is_word(text) && !strpbrk(text, "/@") &&
	       (!strchr(text, ':') || (*text == '[' && text[strlen(text) - 1] == ']'));
}

static bool
is_address(const char *text)
{
	struct str address = str_of(text);

	if (str_starts(address, "unix:"))
		return is_socket_path(text + strlen("unix:"));
	return str_starts(address, "inet:") && is_host_and_port(text + strlen("inet:"));
}

/* Nothing but zeros behind the first "bits" bits. */
static bool
is_cut(const unsigned char *bytes, unsigned bits, unsigned all)
{
	for (unsigned bit = bits; bit < all; bit++)
		if (bytes[bit / 8] & (0x80U >> bit % 8))
			return false;
	return true;
}

/*
 * "192.0.2.0/24", "2001:db8::/32"; without "/" it is one host. Not 192.0.2.7/24, of
 * which nobody can tell what was meant.
 */
static bool
is_cidr(const char *text)
{
	char host[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	size_t len = strcspn(text, "/");
	unsigned all;
	bool is_v4;

	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	is_v4 = inet_pton(AF_INET, host, bytes) == 1;
	if (!is_v4 && inet_pton(AF_INET6, host, bytes) != 1)
		return false;
	text += len;
	if (*text == '\0')
		return true;
	text++;
	all = is_v4 ? 32 : 128;
	return is_made_of(text, DIGITS) && strlen(text) <= 3 && (unsigned)atoi(text) <= all &&
	       is_cut(bytes, (unsigned)atoi(text), all);
}

/* "450 4.2.1 words": RFC 5321, 4.2, and RFC 3463, 2. */
static bool
is_reply(const char *text)
{
	size_t detail;

	if (text[0] != '4' || strspn(text, DIGITS) != 3 || text[3] != ' ' || strlen(text) > 500)
		return false;
	text += 4;
	if (text[0] != '4' || text[1] != '.')
		return false;
	text += 2;
	for (int part = 0; part < 2; part++) {
		detail = strspn(text, DIGITS);
		if (detail < 1 || detail > 3 || text[detail] != (part == 0 ? '.' : ' '))
			return false;
		text += detail + 1;
	}
	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return text[strspn(text, " ")] != '\0';
}

/* A SHA-256. */
static bool
is_pin(const char *text)
{
	return strlen(text) == 64 && is_made_of(text, DIGITS "abcdefABCDEF");
}

static const struct {
	bool (*fits)(const char *text);
	const char *words;
} patterns[] = {
    [PATTERN_ANY] = {is_any, "a text"},
    [PATTERN_WORD] = {is_word, "one word"},
    [PATTERN_NAME] = {is_name,
	"a name of lower-case letters, digits and '-' that begins with a letter"},
    [PATTERN_HOST] = {is_host, "a name of lower-case letters, digits, '.' and '-'"},
    [PATTERN_PREFIX] = {is_prefix, "a prefix of lower-case letters, digits, '.', '_' and '-'"},
    [PATTERN_PATH] = {is_path, "an absolute path"},
    [PATTERN_MODE] = {is_mode, "a mode of four octal digits such as \"0660\""},
    [PATTERN_DELIMITER] = {is_delimiter, "delimiters such as \"+\""},
    [PATTERN_DOMAIN] = {is_domain, "a domain"},
    [PATTERN_REDIS_URL] = {is_redis_url,
	"\"unix:///PATH\", \"redis://HOST[:PORT]\" or \"rediss://HOST[:PORT]\""},
    [PATTERN_HOST_PORT] = {is_host_and_port,
	"a host and a port such as \"192.0.2.1:26379\" or \"[2001:db8::1]:26379\""},
    [PATTERN_ADDRESS] = {is_address, "\"unix:/PATH\" of at most 107 bytes or \"inet:HOST:PORT\""},
    [PATTERN_CIDR] = {is_cidr, "a network such as \"192.0.2.0/24\" or \"2001:db8::/32\""},
    [PATTERN_REPLY] = {is_reply, "a reply that says later, such as \"450 4.2.1 Try again later\""},
    [PATTERN_PIN] = {is_pin, "64 hexadecimal digits"},
};
_Static_assert(ARRAY_LEN(patterns) == PATTERN_COUNT, "a pattern lacks its test");

bool
pattern_fits(enum setting_pattern pattern, const char *text)
{
	return patterns[pattern].fits(text);
}

const char *
pattern_words(enum setting_pattern pattern)
{
	return patterns[pattern].words;
}

bool
address_is_unix(const char *address)
{
	return str_starts(str_of(address), "unix:");
}

bool
address_is_loopback(const char *address)
{
	struct str host = str_from(str_of(address), strlen("inet:"));
	char text[INET_ADDRSTRLEN];
	unsigned char bytes[4];

	host.len = str_rfind(host, ':');
	if (host.len < sizeof(text)) {
		memcpy(text, host.ptr, host.len);
		text[host.len] = '\0';
		if (inet_pton(AF_INET, text, bytes) == 1)
			return bytes[0] == 127;
	}
	return str_is_nocase(host, "localhost") || str_is(host, "[::1]");
}
