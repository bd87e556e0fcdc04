/*
 * shell.c - words that a person pastes into a shell                     (pure)
 */
#include "admin/shell.h"

#include "base/log.h"

#include <string.h>

enum { WORD_SLOTS = 4 };

static bool
is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("@._+-,:/%=", c) != NULL);
}

static bool
is_plain_word(struct str word)
{
	size_t i = 0;

	while (i < word.len && is_plain((unsigned char)word.ptr[i]))
		i++;
	return word.len > 0 && i == word.len;
}

/* Would a terminal be shown these bytes as they are? */
static bool
is_visible(struct str word)
{
	struct buf visible = BUF_INIT;
	bool same;

	log_visible(&visible, word);
	same = str_eq(buf_str(&visible), word);
	buf_fini(&visible);
	return same;
}

static void
add_quoted(struct buf *out, struct str word)
{
	buf_add_byte(out, '\'');
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] == '\'')
			buf_add_text(out, "'\\''");
		else
			buf_add_byte(out, word.ptr[i]);
	}
	buf_add_byte(out, '\'');
}

/* "$'...'" is not known to every sh; printf(1) is. */
static void
add_printf(struct buf *out, struct str word)
{
	buf_add_text(out, "\"$(printf '");
	for (size_t i = 0; i < word.len; i++) {
		unsigned char c = (unsigned char)word.ptr[i];

		if (is_plain(c) && c != '%' && c != '-')
			buf_add_byte(out, (char)c);
		else
			buf_addf(out, "\\%03o", c);
	}
	buf_add_text(out, "')\"");
}

void
shell_add(struct buf *out, struct str word)
{
	if (is_plain_word(word))
		buf_add_str(out, word);
	else if (is_visible(word))
		add_quoted(out, word);
	else
		add_printf(out, word);
}

static struct buf *
next_slot(void)
{
	static struct buf slots[WORD_SLOTS];
	static unsigned next;
	struct buf *out = &slots[next++ % WORD_SLOTS];

	buf_clear(out);
	return out;
}

const char *
shell_word(struct str word)
{
	struct buf *out = next_slot();

	shell_add(out, word);
	return buf_cstr(out);
}

const char *
shell_name(struct str name)
{
	struct buf *out = next_slot();

	shell_add_names(out, &name, 1);
	return buf_cstr(out);
}

void
shell_add_names(struct buf *out, const struct str *names, size_t count)
{
	bool dashes = false;

	for (size_t i = 0; i < count; i++)
		dashes = dashes || str_starts(names[i], "-");
	if (dashes)
		buf_add_text(out, " --");
	for (size_t i = 0; i < count; i++) {
		buf_add_byte(out, ' ');
		shell_add(out, names[i]);
	}
}
