/*
 * account.c - one name for every way to write an address                (pure)
 *
 * Three forms of a local part meet here: as asked (raw as Postfix's internal
 * form, or quoted), decoded (the bytes it means), and canonical (quoted again
 * where it must be). A string that begins and ends with a quote but is no
 * quoted string is taken raw, as Postfix would have sent it. A login has no
 * quoted form: it is decoded as it comes.
 */
#include "map/account.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

enum {
	DOMAIN_TEXT_MAX_BYTES = 255, /* RFC 5321, section 4.5.3.1.2 */
	DOMAIN_MAX_BYTES = 253, /* 255 octets on the wire: RFC 1035, section 2.3.4 */
	DOMAIN_ROOM = 256,
	LABEL_MAX_BYTES = 63,
	FOLDS_MOST = 4 /* rounds until case fold and NFC agree; two are known to be enough */
};

enum { ATOM = 1, HOST = 2 };

/* atext of RFC 5322, section 3.2.3, in ASCII; letters, digits and hyphens of RFC 1035, and '_'. */
static const uint8_t class_of[256] = {
    ['a' ... 'z'] = ATOM | HOST,
    ['A' ... 'Z'] = ATOM | HOST,
    ['0' ... '9'] = ATOM | HOST,
    ['-'] = ATOM | HOST,
    ['_'] = ATOM | HOST,
    ['!'] = ATOM,
    ['#'] = ATOM,
    ['$'] = ATOM,
    ['%'] = ATOM,
    ['&'] = ATOM,
    ['\''] = ATOM,
    ['*'] = ATOM,
    ['+'] = ATOM,
    ['/'] = ATOM,
    ['='] = ATOM,
    ['?'] = ATOM,
    ['^'] = ATOM,
    ['`'] = ATOM,
    ['{'] = ATOM,
    ['|'] = ATOM,
    ['}'] = ATOM,
    ['~'] = ATOM,
};

static bool
is_class(char c, uint8_t class)
{
	return (class_of[(unsigned char)c] & class) != 0;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool
is_ascii(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] >= 0x80)
			return false;
	}
	return true;
}

/* ---- domains: each reader fills out[DOMAIN_ROOM] and returns the length, 0 for "none" */

static size_t
host_read(struct str text, char *out)
{
	size_t label_bytes = 0;

	if (text.len > 0 && text.ptr[text.len - 1] == '.')
		text.len--;
	if (text.len > DOMAIN_MAX_BYTES)
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '.') {
			if (label_bytes == 0 || text.ptr[i - 1] == '-')
				return 0;
			label_bytes = 0;
		} else if (!is_class(c, HOST) || (c == '-' && label_bytes == 0) ||
			   ++label_bytes > LABEL_MAX_BYTES) {
			return 0;
		}
		out[i] = lower(c);
	}
	return label_bytes == 0 || text.ptr[text.len - 1] == '-' ? 0 : text.len;
}

static size_t
idn_read(struct str text, char *out)
{
	uint8_t in[DOMAIN_ROOM], *ascii;
	size_t len = 0;

	if (memchr(text.ptr, '\0', text.len) != NULL ||
	    u8_check((const uint8_t *)text.ptr, text.len) != NULL)
		return 0;
	memcpy(in, text.ptr, text.len);
	in[text.len] = '\0';
	if (idn2_lookup_u8(in, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return 0;
	len = host_read(str_of((const char *)ascii), out);
	idn2_free(ascii);
	return len;
}

/* "tag:content" of RFC 5321, section 4.1.3, for tags we know nothing of. */
static bool
is_general_literal(struct str inner)
{
	size_t colon = str_find(inner, ':');

	if (colon == 0 || colon + 1 >= inner.len || inner.ptr[colon - 1] == '-')
		return false;
	for (size_t i = 0; i < inner.len; i++) {
		char c = inner.ptr[i];

		if (i < colon ? !is_class(c, HOST) || c == '_'
			      : c < 33 || c > 126 || strchr("[\\]", c))
			return false;
	}
	return true;
}

static size_t
literal_read(struct str text, char *out)
{
	static const char ipv6[] = "IPv6:";
	char inner[DOMAIN_ROOM], shown[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];
	size_t len = text.len - 2, tag = sizeof(ipv6) - 1;

	if (text.len < 3 || text.ptr[text.len - 1] != ']' ||
	    memchr(text.ptr, '\0', text.len) != NULL)
		return 0;
	for (size_t i = 0; i < len; i++)
		inner[i] = lower(text.ptr[i + 1]);
	inner[len] = '\0';
	if (strncasecmp(inner, ipv6, tag) == 0) {
		if (inet_pton(AF_INET6, inner + tag, address) != 1)
			return 0;
		inet_ntop(AF_INET6, address, shown, sizeof(shown));
		len = tag + strlen(shown);
		memcpy(inner + tag, shown, len - tag);
	} else if (inet_pton(AF_INET, inner, address) != 1 &&
		   !is_general_literal(str_make(inner, len))) {
		return 0;
	}
	out[0] = '[';
	memcpy(out + 1, inner, len);
	out[len + 1] = ']';
	return len + 2;
}

static size_t
domain_read(struct str text, char *out)
{
	size_t len;

	if (text.len == 0 || text.len > DOMAIN_TEXT_MAX_BYTES)
		return 0;
	if (text.ptr[0] == '[')
		return literal_read(text, out);
	if ((len = host_read(text, out)) == 0 && !is_ascii(text))
		len = idn_read(text, out);
	return len;
}

bool
account_domain(struct str text, struct buf *out)
{
	char domain[DOMAIN_ROOM];
	size_t len = domain_read(text, domain);

	buf_add(out, domain, len);
	return len > 0;
}

/* ---- local parts, decoded: into out[ACCOUNT_MAX_BYTES], the length returned, 0 with *why_r */

static bool
is_dot_string(struct str local)
{
	bool atom = false; /* is the byte before this one part of an atom? */

	for (size_t i = 0; i < local.len; i++) {
		char c = local.ptr[i];

		if (c == '.' ? !atom : !is_class(c, ATOM) && (unsigned char)c < 0x80)
			return false;
		atom = c != '.';
	}
	return atom;
}

/* Letters, digits and the like, lower-cased if wanted; 0 for all that needs a closer look. */
static size_t
plain_read(struct str text, bool fold, char *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (!is_class(c, ATOM) && c != '.')
			return 0;
		out[i] = fold ? lower(c) : c;
	}
	return text.len;
}

/* What stands in a quoted string (RFC 5321, 4.1.2); false where text is none. */
static bool
unquote(struct str text, char *out, size_t *len_r)
{
	size_t n = 0;

	if (text.len < 2 || text.ptr[0] != '"' || text.ptr[text.len - 1] != '"')
		return false;
	for (size_t i = 1; i < text.len - 1; i++) {
		if (text.ptr[i] == '"' || (text.ptr[i] == '\\' && ++i == text.len - 1))
			return false;
		out[n++] = text.ptr[i];
	}
	*len_r = n;
	return true;
}

/* C0, DEL and, of valid UTF-8, C1: U+0080 to U+009F. */
static bool
has_control(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < text.len && (unsigned char)text.ptr[i + 1] < 0xa0)
			return true;
	}
	return false;
}

/* One step in place; false when the text grows beyond ACCOUNT_MAX_BYTES. */
static bool
unicode_step(char *text, size_t *len, bool fold)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t next_len = 0;
	uint8_t *next = fold ? u8_casefold(bytes, *len, NULL, NULL, NULL, &next_len)
			     : u8_normalize(UNINORM_NFC, bytes, *len, NULL, &next_len);
	bool fits = next != NULL && next_len <= ACCOUNT_MAX_BYTES;

	if (fits) {
		memcpy(text, next, next_len);
		*len = next_len;
	}
	free(next);
	return fits;
}

/*
 * NFC, then case fold and NFC until nothing changes: once is not a fixed point
 * for every string (U+0345 folds to a letter). The fold is by itself, as smtpd's
 * is, so a name in NFC and its fold meet. 0 where there is no canonical form.
 */
static size_t
unicode_fold(char *text, size_t len, bool fold)
{
	char before[ACCOUNT_MAX_BYTES];
	bool same = !fold;

	if (!unicode_step(text, &len, false))
		return 0;
	for (unsigned i = 0; i < FOLDS_MOST && !same; i++) {
		size_t before_len = len;

		memcpy(before, text, len);
		if (!unicode_step(text, &len, true) || !unicode_step(text, &len, false))
			return 0;
		same = len == before_len && memcmp(text, before, len) == 0;
	}
	return same ? len : 0;
}

/* out holds len decoded bytes; checks and folds them in place. */
static size_t
decoded_check(char *out, size_t len, bool fold, const char **why_r)
{
	struct str text = str_make(out, len);

	if (len == 0) {
		*why_r = "its local part is empty";
		return 0;
	}
	if (u8_check((const uint8_t *)out, len) != NULL) {
		*why_r = "its local part is not UTF-8";
		return 0;
	}
	if (has_control(text)) {
		*why_r = "its local part has a control character";
		return 0;
	}
	if (is_ascii(text)) {
		for (size_t i = 0; fold && i < len; i++)
			out[i] = lower(out[i]);
	} else if ((len = unicode_fold(out, len, fold)) == 0) {
		*why_r = "its local part has no canonical form";
	}
	return len;
}

static size_t
local_read(struct str text, bool may_be_quoted, bool fold, char *out, const char **why_r)
{
	size_t len = plain_read(text, fold, out);

	if (len == 0) {
		if (!may_be_quoted || !unquote(text, out, &len)) {
			memcpy(out, text.ptr, text.len);
			len = text.len;
		}
		len = decoded_check(out, len, fold, why_r);
	}
	if (!fold && str_is_nocase(str_make(out, len), "postmaster")) /* RFC 5321, section 4.5.1 */
		memcpy(out, "postmaster", len);
	return len;
}

/* ---- names */

static bool
is_never_cut(struct str local, const char *delimiters)
{
	static const char request[] = "-request";
	size_t request_bytes = sizeof(request) - 1;

	if (str_is_nocase(local, "postmaster") || str_is_nocase(local, "mailer-daemon") ||
	    str_is_nocase(local, "double-bounce"))
		return true;
	if (strchr(delimiters, '-') == NULL)
		return false;
	return (local.len >= 6 && str_is_nocase(str_make(local.ptr, 6), "owner-")) ||
	       (local.len > request_bytes &&
		   str_is_nocase(str_from(local, local.len - request_bytes), request));
}

/* How much of a decoded local part is left without its extension. */
static size_t
base_bytes(struct str local, const char *delimiters)
{
	size_t n = local.len;

	for (const char *d = delimiters; *d != '\0'; d++) {
		if ((unsigned char)*d < 0x80)
			n = str_find(str_make(local.ptr, n), *d);
	}
	return n == 0 || n == local.len || is_never_cut(local, delimiters) ? local.len : n;
}

/* Writes "local@domain" with the local part quoted where it must be; returns the end. */
static char *
put_name(char *out, struct str local, struct str domain, struct str *name_r, size_t *at_r)
{
	char *start = out;

	if (is_dot_string(local)) {
		memcpy(out, local.ptr, local.len);
		out += local.len;
	} else {
		*out++ = '"';
		for (size_t i = 0; i < local.len; i++) {
			if (local.ptr[i] == '"' || local.ptr[i] == '\\')
				*out++ = '\\';
			*out++ = local.ptr[i];
		}
		*out++ = '"';
	}
	*at_r = (size_t)(out - start);
	*out++ = '@';
	memcpy(out, domain.ptr, domain.len);
	out += domain.len;
	*name_r = str_make(start, (size_t)(out - start));
	return out;
}

static void
put_names(struct account *account, struct str local, struct str domain, const char *delimiters)
{
	struct str base = str_make(local.ptr, base_bytes(local, delimiters));
	size_t at, name_most = 2 * local.len + 3 + domain.len;
	char *out = buf_room(&account->store, 2 * name_most);

	must(out != NULL); /* the store has no limit of its own */
	out = put_name(out, local, domain, &account->name, &at);
	account->domain = str_from(account->name, at + 1);
	account->base = account->name;
	if (base.len < local.len)
		put_name(out, base, domain, &account->base, &at);
	account->local = str_make(account->base.ptr, at);
}

static void
forget_names(struct account *account)
{
	account->name = account->base = account->local = account->domain = str_make("", 0);
	account->why = NULL;
}

static enum account_kind
bad(struct account *account, struct str domain, const char *why)
{
	struct buf *store = &account->store;
	char *out = domain.len ? buf_room(store, domain.len) : NULL;

	forget_names(account);
	if (out != NULL) {
		memcpy(out, domain.ptr, domain.len);
		account->domain = str_make(out, domain.len);
	}
	account->why = why;
	return account->kind = ACCOUNT_BAD;
}

void
account_init(struct account *account)
{
	*account = (struct account){.kind = ACCOUNT_OTHER};
	buf_init(&account->store, 0);
}

void
account_fini(struct account *account)
{
	buf_fini(&account->store);
	account_init(account);
}

enum account_kind
account_parse(struct account *account, struct str text, const struct account_rules *rules)
{
	size_t at = str_rfind(text, '@'), len;
	char local[ACCOUNT_MAX_BYTES], room[DOMAIN_ROOM];
	struct str domain;
	const char *why = NULL;

	forget_names(account);
	if (at == text.len)
		return account->kind = ACCOUNT_OTHER;
	domain = str_make(room, domain_read(str_from(text, at + 1), room));
	if (text.len > ACCOUNT_MAX_BYTES)
		return bad(account, domain, "it is longer than 10000 bytes");
	if (domain.len == 0)
		return bad(account, domain, "its domain is none");
	len = local_read(str_make(text.ptr, at), true, rules->fold_local, local, &why);
	if (len == 0)
		return bad(account, domain, why);
	put_names(account, str_make(local, len), domain, rules->delimiters);
	if (account->name.len > ACCOUNT_MAX_BYTES)
		return bad(account, domain, "its canonical form is longer than 10000 bytes");
	return account->kind = ACCOUNT_ADDRESS;
}

enum account_kind
account_login(struct account *account, struct str text, const struct account_rules *rules)
{
	char login[ACCOUNT_MAX_BYTES], *out;
	const char *why = NULL; /* there is nobody to tell */
	size_t len = 0;

	forget_names(account);
	if (text.len <= ACCOUNT_MAX_BYTES && str_find(text, '@') == text.len)
		len = local_read(text, false, rules->fold_local, login, &why);
	if (len == 0)
		return account->kind = ACCOUNT_OTHER;
	out = buf_room(&account->store, len);
	must(out != NULL); /* the store has no limit of its own */
	memcpy(out, login, len);
	account->name = account->base = account->local = str_make(out, len);
	return account->kind = ACCOUNT_LOGIN;
}

bool
account_read(struct account *account, struct str text, const struct account_rules *rules)
{
	if (str_find(text, '@') == text.len)
		return account_login(account, text, rules) == ACCOUNT_LOGIN;
	return account_parse(account, text, rules) == ACCOUNT_ADDRESS;
}

bool
account_is_postmaster(struct str base)
{
	return str_starts(base, "postmaster@"); /* folded even where local parts are not */
}
