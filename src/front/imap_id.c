/*
 * imap_id.c - what ID tells of a client                                 (pure)
 */
#include "front/imap_id.h"

#include "front/imap_lex.h"

/* A string as it is in "in", without escapes: ID's are short, and no secrets. */
static bool
take_field(struct str *rest, char *room, size_t most, struct str *text_r, bool *is_nil_r)
{
	struct lex_string string;
	struct str atom = str_make(rest->ptr, str_find(*rest, ' '));

	if (atom.len > 0 && atom.ptr[atom.len - 1] == ')')
		atom.len--;
	*is_nil_r = str_is_nocase(atom, "NIL");
	*text_r = STR("");
	if (*is_nil_r) {
		*rest = str_from(*rest, atom.len);
		return true;
	}
	if (!lex_string(rest, &string) || string.raw.len > 2 * most)
		return false;
	*text_r = str_make(room, lex_string_copy(&string, room));
	return true;
}

/* A front before us counts down, so that two that send to each other come to an end. */
static void
note_ttl(struct str name, struct str value, unsigned *ttl)
{
	uint64_t hops;

	if (str_is_nocase(name, "x-proxy-ttl") && str_number(value, 1000, &hops))
		*ttl = hops > 0 ? (unsigned)hops : 1; /* 1 cannot be spent either */
}

/* "(" string nstring ... ")": RFC 2971, section 4. */
static bool
read_list(struct str rest, struct client_id *id, unsigned *ttl)
{
	char names[2 * CLIENT_ID_NAME_MOST], values[2 * CLIENT_ID_VALUE_MOST];
	struct str name, value;
	bool is_nil;

	if (rest.len == 0 || rest.ptr[0] != '(')
		return false;
	rest = str_from(rest, 1);
	while (!str_is(rest, ")")) {
		if (!take_field(&rest, names, CLIENT_ID_NAME_MOST, &name, &is_nil) || is_nil ||
		    !imap_space(&rest) ||
		    !take_field(&rest, values, CLIENT_ID_VALUE_MOST, &value, &is_nil) ||
		    !client_id_add(id, name, value, is_nil))
			return false;
		note_ttl(name, value, ttl);
		if (!imap_space(&rest) && !str_is(rest, ")"))
			return false;
	}
	return true;
}

bool
imap_id_read(struct str args, struct client_id *id, unsigned *ttl)
{
	return str_is_nocase(args, "NIL") || read_list(args, id, ttl);
}
