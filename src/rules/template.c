/*
 * template.c - a text of the settings with the account's parts in it    (pure)
 */
#include "rules/template.h"

#include "base/mem.h"

#include <stdlib.h>

enum part { PART_TEXT, PART_ACCOUNT, PART_LOCAL, PART_DOMAIN, PART_OWNER };

struct piece {
	enum part part;
	struct str text; /* PART_TEXT only; points into source */
};

struct template
{
	char *source;
	size_t count;
	struct piece pieces[]; /* never more than source has bytes */
};

static const struct {
	char letter;
	enum part part;
} expansions[] = {
    {'a', PART_ACCOUNT},
    {'u', PART_LOCAL},
    {'d', PART_DOMAIN},
    {'o', PART_OWNER},
};

/* C0, DEL; the C1 range is left alone, since its bytes are parts of UTF-8 characters. */
static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (is_control(s.ptr[i]))
			return true;
	}
	return false;
}

static void
add_text(struct template *template, const char *at, size_t len)
{
	if (len > 0)
		template->pieces[template->count++] = (struct piece){PART_TEXT, str_make(at, len)};
}

/* What stands behind a percent sign; false where nothing of ours does. */
static bool
add_expansion(struct template *template, const char *at)
{
	if (*at == '%') {
		add_text(template, at, 1);
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(expansions); i++) {
		if (expansions[i].letter == *at) {
			template->pieces[template->count++] =
			    (struct piece){expansions[i].part, STR("")};
			return true;
		}
	}
	return false;
}

static int
cut(struct template *template, struct fault *fault_r)
{
	const char *p = template->source, *percent;

	for (; (percent = strchr(p, '%')) != NULL; p = percent + 2) {
		add_text(template, p, (size_t)(percent - p));
		if (percent[1] == '\0')
			return fault_set(fault_r, VERDICT_PERM,
			    "a single \"%%\" at the end: write \"%%%%\" for a percent sign");
		if (!add_expansion(template, percent + 1))
			return fault_set(fault_r, VERDICT_PERM,
			    "\"%%%c\" means nothing here: there are %%a, %%u, %%d, %%o and %%%%",
			    percent[1]);
	}
	add_text(template, p, strlen(p));
	return 0;
}

struct template *
template_new(const char *text, struct fault *fault_r)
{
	size_t len = strlen(text);
	struct template *template;

	if (len > TEMPLATE_TEXT_MOST) {
		fault_set(fault_r, VERDICT_PERM, "longer than %d bytes", TEMPLATE_TEXT_MOST);
		return NULL;
	}
	if (has_control(str_make(text, len))) {
		fault_set(fault_r, VERDICT_PERM, "has a control character in it");
		return NULL;
	}
	template = xcalloc(1, sizeof(*template) + (len + 1) * sizeof(struct piece));
	template->source = xstrdup(text);
	if (cut(template, fault_r) == -1)
		template_free(&template);
	return template;
}

void
template_free(struct template **template)
{
	if (*template == NULL)
		return;
	free((*template)->source);
	free(*template);
	*template = NULL;
}

bool
template_is_empty(const struct template *template)
{
	return template->count == 0;
}

static struct str
part_of(const struct piece *piece, const struct template_words *words)
{
	size_t at = str_rfind(words->account, '@');

	switch (piece->part) {
	case PART_TEXT:
		return piece->text;
	case PART_ACCOUNT:
		return words->account;
	case PART_LOCAL:
		return str_make(words->account.ptr, at);
	case PART_DOMAIN:
		return at < words->account.len ? str_from(words->account, at + 1) : STR("");
	case PART_OWNER:
		return words->owner;
	}
	return STR("");
}

bool
template_expand(const struct template *template, const struct template_words *words,
    struct buf *out)
{
	size_t before = buf_len(out), len = 0;

	for (size_t i = 0; i < template->count; i++) {
		const struct piece *piece = &template->pieces[i];
		struct str part = part_of(piece, words);

		len += part.len;
		if (len > TEMPLATE_EXPANDED_MOST ||
		    (piece->part != PART_TEXT && has_control(part))) {
			buf_truncate(out, before);
			return false;
		}
		buf_add_str(out, part);
	}
	return !out->failed;
}
