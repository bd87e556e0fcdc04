/*
 * route.c - from what a client calls itself to whom is asked about       (pure)
 *
 * "ann*master" is for ann: the part before the first separator is the user, the
 * rest says who opens ann's mailbox in her place and is nothing to route by (it may
 * have an @ of its own). Both parts go to the backend, which lets in or does not.
 */
#include "front/route.h"

#include "front/sasl_inside.h"

struct parts {
	struct str user;
	struct str master; /* with the separator before it; empty: none */
};

static struct parts
split(const struct route_rules *rules, struct str login)
{
	size_t at = 0;

	while (at < login.len &&
	       (login.ptr[at] == '\0' || strchr(rules->master_separators, login.ptr[at]) == NULL))
		at++;
	return (struct parts){str_make(login.ptr, at), str_from(login, at)};
}

/* Some keyboards put a space behind a name that they completed. */
static struct str
trim(struct str s)
{
	while (s.len > 0 && s.ptr[0] == ' ')
		s = str_from(s, 1);
	while (s.len > 0 && s.ptr[s.len - 1] == ' ')
		s.len--;
	return s;
}

/* A quoted local part may have an @ (RFC 5321), but nobody logs in with one. */
static int
check_user(struct str user, struct fault *fault_r)
{
	size_t at = str_find(user, '@');

	if (user.len == 0)
		return fault_set(fault_r, VERDICT_PERM, "an empty name");
	if (at != str_rfind(user, '@'))
		return fault_set(fault_r, VERDICT_PERM, "a name with two @");
	if (at == 0 || at + 1 == user.len)
		return fault_set(fault_r, VERDICT_PERM, "a name with nothing %s the @",
		    at == 0 ? "before" : "behind");
	return 0;
}

int
route_login(const struct route_rules *rules, struct str login, struct buf *name_r,
    struct fault *fault_r)
{
	struct parts parts = split(rules, login);
	struct str user = trim(parts.user);
	bool has_domain = str_find(user, '@') < user.len;

	if (sasl_check_name(login, fault_r) == -1 || check_user(user, fault_r) == -1)
		return -1;
	if (parts.master.len == 1)
		return fault_set(fault_r, VERDICT_PERM,
		    "a name with no master behind its separator");
	buf_add_str(name_r, user);
	if (!has_domain && rules->default_domain[0] != '\0') {
		buf_add_byte(name_r, '@');
		buf_add_text(name_r, rules->default_domain);
	}
	return 0;
}

/* ---- the name for a destination */

static bool
add_expansion(char letter, struct str user, struct str account, struct buf *out)
{
	size_t at = str_rfind(account, '@');

	switch (letter) {
	case 'a':
		buf_add_str(out, account);
		return true;
	case 'u':
		buf_add_str(out, str_make(account.ptr, at));
		return true;
	case 'd':
		buf_add_str(out, at < account.len ? str_from(account, at + 1) : STR(""));
		return true;
	case 'l':
		buf_add_str(out, user);
		return true;
	case '%':
		buf_add_byte(out, '%');
		return true;
	default:
		return false;
	}
}

static bool
expand(const char *template, struct str user, struct str account, struct buf *out)
{
	for (const char *p = template; *p != '\0'; p++) {
		if (*p != '%')
			buf_add_byte(out, *p);
		else if (!add_expansion(*++p, user, account, out))
			return false;
	}
	return true;
}

bool
route_rewrite(const struct route_rules *rules, const char *template, struct str login,
    struct str account, struct buf *name_r)
{
	struct parts parts = split(rules, login);
	size_t before = buf_len(name_r);
	struct fault unused;
	struct str name;

	if (template[0] == '\0')
		return true;
	if (expand(template, parts.user, account, name_r)) {
		buf_add_str(name_r, parts.master);
		name = str_from(buf_str(name_r), before);
		if (!name_r->failed && sasl_check_name(name, &unused) == 0)
			return true;
	}
	buf_truncate(name_r, before);
	return false;
}
