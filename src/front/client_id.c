/*
 * client_id.c - what an IMAP client says of itself, and what we add     (pure)
 */
#include "front/client_id.h"

#include "base/mem.h"

#include <stdlib.h>

struct field {
	char *name, *value; /* value NULL: NIL */
	size_t name_len, value_len;
};

struct client_id {
	struct field fields[CLIENT_ID_FIELDS_MOST];
	size_t count;
	size_t given; /* those that were not taken included */
};

struct client_id *
client_id_new(void)
{
	return xnew(struct client_id);
}

static void
field_fini(struct field *field)
{
	free(field->name);
	free(field->value);
}

void
client_id_free(struct client_id **id)
{
	if (*id == NULL)
		return;
	for (size_t i = 0; i < (*id)->count; i++)
		field_fini(&(*id)->fields[i]);
	free(*id);
	*id = NULL;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool
same_name(const struct field *field, struct str name)
{
	if (field->name_len != name.len)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (lower(field->name[i]) != lower(name.ptr[i]))
			return false;
	}
	return true;
}

bool
client_id_add(struct client_id *id, struct str name, struct str value, bool is_nil)
{
	size_t at = 0;

	if (id->given == CLIENT_ID_FIELDS_MOST || name.len > CLIENT_ID_NAME_MOST ||
	    (!is_nil && value.len > CLIENT_ID_VALUE_MOST))
		return false;
	id->given++;
	if (name.len >= 2 && lower(name.ptr[0]) == 'x' && name.ptr[1] == '-')
		return true;
	while (at < id->count && !same_name(&id->fields[at], name))
		at++;
	if (at < id->count)
		field_fini(&id->fields[at]);
	else
		id->count++;
	id->fields[at] = (struct field){
	    .name = xstrndup(name.ptr, name.len),
	    .name_len = name.len,
	    .value = is_nil ? NULL : xstrndup(value.ptr, value.len),
	    .value_len = is_nil ? 0 : value.len,
	};
	return true;
}

/* ---- saying it */

/*
 * RFC 3501, section 9, "quoted". A client can say any byte in a literal; a literal
 * of ours would need an answer of the backend, and nobody needs those bytes: they
 * become '?'.
 */
static void
say_quoted(struct str text, struct buf *out)
{
	char *room = buf_room(out, 2 * text.len + 2), *to = room;

	if (room == NULL)
		return;
	*to++ = '"';
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '"' || c == '\\')
			*to++ = '\\';
		*to++ = c >= 0x20 && c < 0x7f ? c : '?';
	}
	*to++ = '"';
	buf_added(out, (size_t)(to - room));
}

static void
say_name(const char *name, size_t len, size_t *count, struct buf *out)
{
	buf_add_byte(out, (*count)++ == 0 ? '(' : ' ');
	say_quoted(str_make(name, len), out);
	buf_add_byte(out, ' ');
}

static void
say_text(const char *name, const char *value, size_t *count, struct buf *out)
{
	if (value == NULL)
		return; /* a client on a local socket has no address */
	say_name(name, strlen(name), count, out);
	say_quoted(str_of(value), out);
}

static void
say_number(const char *name, unsigned value, size_t *count, struct buf *out)
{
	say_name(name, strlen(name), count, out);
	buf_add_byte(out, '"');
	buf_add_u64(out, value);
	buf_add_byte(out, '"');
}

static void
say_caller(const struct caller *caller, size_t *count, struct buf *out)
{
	say_text("x-session-id", caller->session, count, out);
	say_text("x-originating-ip", caller->client_ip, count, out);
	say_number("x-originating-port", caller->client_port, count, out);
	say_text("x-connected-ip", caller->local_ip, count, out);
	say_number("x-connected-port", caller->local_port, count, out);
	say_number("x-proxy-ttl", caller->ttl, count, out);
}

void
client_id_say(const struct client_id *id, const struct caller *caller, struct buf *out)
{
	size_t count = 0;

	if (caller != NULL)
		say_caller(caller, &count, out);
	for (size_t i = 0; id != NULL && i < id->count && count < CLIENT_ID_FIELDS_MOST; i++) {
		const struct field *field = &id->fields[i];

		say_name(field->name, field->name_len, &count, out);
		if (field->value == NULL)
			buf_add_text(out, "NIL");
		else
			say_quoted(str_make(field->value, field->value_len), out);
	}
	buf_add_text(out, count == 0 ? "NIL" : ")");
}
