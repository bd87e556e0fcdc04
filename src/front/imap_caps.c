/*
 * imap_caps.c - capability lists that pass through us                   (pure)
 */
#include "front/imap_caps.h"

#include "base/mem.h"

static bool
starts_nocase(struct str text, const char *with)
{
	size_t len = strlen(with);

	return text.len >= len && str_is_nocase(str_make(text.ptr, len), with);
}

bool
imap_caps_is_hidden(struct str word)
{
	return starts_nocase(word, "COMPRESS") || starts_nocase(word, "AUTH=") ||
	       str_is_nocase(word, "UNAUTHENTICATE") || str_is_nocase(word, "STARTTLS") ||
	       str_is_nocase(word, "LOGINDISABLED");
}

bool
imap_caps_find(struct str text, struct str *list_r)
{
	static const char *const codes[] = {"OK [CAPABILITY ", "NO [CAPABILITY ",
	    "BAD [CAPABILITY ", "PREAUTH [CAPABILITY ", "BYE [CAPABILITY "};
	static const char plain[] = "CAPABILITY ";

	if (starts_nocase(text, plain)) {
		*list_r = str_from(text, strlen(plain));
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (starts_nocase(text, codes[i])) {
			*list_r = str_from(text, strlen(codes[i]));
			list_r->len = str_find(*list_r, ']');
			return true;
		}
	}
	return false;
}

bool
imap_caps_next(struct str *list, struct str *word_r)
{
	while (list->len > 0 && list->ptr[0] == ' ')
		*list = str_from(*list, 1);
	*word_r = str_make(list->ptr, str_find(*list, ' '));
	*list = str_from(*list, word_r->len);
	return word_r->len > 0;
}

void
imap_caps_pass(struct str text, struct buf *out)
{
	struct str list, word;
	const char *end;
	bool is_first = true;

	if (!imap_caps_find(text, &list)) {
		buf_add_str(out, text);
		return;
	}
	end = list.ptr + list.len;
	buf_add(out, text.ptr, (size_t)(list.ptr - text.ptr));
	while (imap_caps_next(&list, &word)) {
		if (imap_caps_is_hidden(word))
			continue;
		if (!is_first)
			buf_add_byte(out, ' ');
		is_first = false;
		buf_add_str(out, word);
	}
	buf_add(out, end, (size_t)(text.ptr + text.len - end));
}
