/*
 * offer.c - what a server announces, and what several announce together (pure)
 *
 * A list in the order in which it was announced, searched from its beginning:
 * there are never more than OFFER_WORDS_MOST, and seldom more than thirty. Each
 * login has one of its backend, so it has room for those that are there.
 */
#include "front/offer.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORDS_LEAST = 16 };

struct word {
	char *text; /* the word and its value behind it: one piece of memory */
	size_t word_len, value_len;
};

struct offer {
	struct word *words;
	size_t count, size, bytes;
};

/* Of these the value is a list of words. RFC 5804, section 1.7; RFC 5034, section 3. */
static const char *const lists[] = {"SIEVE", "NOTIFY", "SASL", "AUTH"};

struct offer *
offer_new(void)
{
	return xnew(struct offer);
}

void
offer_free(struct offer **offer)
{
	if (*offer == NULL)
		return;
	for (size_t i = 0; i < (*offer)->count; i++)
		free((*offer)->words[i].text);
	free((*offer)->words);
	free(*offer);
	*offer = NULL;
}

static struct str
word_of(const struct word *word)
{
	return str_make(word->text, word->word_len);
}

static struct str
value_of(const struct word *word)
{
	return str_make(word->text + word->word_len, word->value_len);
}

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

static bool
same_word(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (upper(a.ptr[i]) != upper(b.ptr[i]))
			return false;
	}
	return true;
}

/* Its position; count where it is not there. */
static size_t
find(const struct offer *offer, struct str word)
{
	size_t i = 0;

	while (i < offer->count && !same_word(word_of(&offer->words[i]), word))
		i++;
	return i;
}

/* A place for one more; not counted yet. */
static struct word *
new_place(struct offer *offer)
{
	if (offer->count == offer->size) {
		offer->size = offer->size > 0 ? 2 * offer->size : WORDS_LEAST;
		offer->words = xrealloc(offer->words, offer->size * sizeof(*offer->words));
	}
	offer->words[offer->count] = (struct word){0};
	return &offer->words[offer->count];
}

bool
offer_add(struct offer *offer, struct str word, struct str value)
{
	size_t at = find(offer, word), len = word.len + value.len, before;
	struct word *place;
	char *text;

	if (at == OFFER_WORDS_MOST)
		return false;
	place = at < offer->count ? &offer->words[at] : new_place(offer);
	before = place->word_len + place->value_len;
	if (word.len > OFFER_BYTES_MOST || value.len > OFFER_BYTES_MOST ||
	    len > OFFER_BYTES_MOST - (offer->bytes - before))
		return false;
	text = xcalloc(len, 1);
	if (word.len > 0)
		memcpy(text, word.ptr, word.len);
	if (value.len > 0)
		memcpy(text + word.len, value.ptr, value.len);
	free(place->text);
	if (at == offer->count)
		offer->count++;
	*place = (struct word){text, word.len, value.len};
	offer->bytes += len - before;
	return true;
}

void
offer_remove(struct offer *offer, const char *word)
{
	size_t at = find(offer, str_of(word));
	struct word *place;

	if (at == offer->count)
		return;
	place = &offer->words[at];
	offer->bytes -= place->word_len + place->value_len;
	free(place->text);
	offer->count--;
	memmove(place, place + 1, (offer->count - at) * sizeof(*place));
}

bool
offer_has(const struct offer *offer, const char *word)
{
	return find(offer, str_of(word)) < offer->count;
}

bool
offer_value(const struct offer *offer, const char *word, struct str *value_r)
{
	size_t at = find(offer, str_of(word));

	if (at == offer->count)
		return false;
	*value_r = value_of(&offer->words[at]);
	return true;
}

size_t
offer_count(const struct offer *offer)
{
	return offer->count;
}

void
offer_at(const struct offer *offer, size_t i, struct str *word_r, struct str *value_r)
{
	*word_r = word_of(&offer->words[i]);
	*value_r = value_of(&offer->words[i]);
}

bool
offer_is_same(const struct offer *a, const struct offer *b)
{
	if (a->count != b->count || a->bytes != b->bytes)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!str_eq(word_of(&a->words[i]), word_of(&b->words[i])) ||
		    !str_eq(value_of(&a->words[i]), value_of(&b->words[i])))
			return false;
	}
	return true;
}

/* ---- what two have in common */

/* The next word of a list; false at its end. */
static bool
next_of_list(struct str *list, struct str *word_r)
{
	size_t len;

	while (list->len > 0 && list->ptr[0] == ' ')
		*list = str_from(*list, 1);
	if (list->len == 0)
		return false;
	len = str_find(*list, ' ');
	*word_r = str_make(list->ptr, len);
	*list = str_from(*list, len);
	return true;
}

static bool
list_has(struct str list, struct str word)
{
	struct str other;

	while (next_of_list(&list, &other)) {
		if (same_word(other, word))
			return true;
	}
	return false;
}

static void
common_words(struct str a, struct str b, struct buf *out)
{
	struct str word;

	while (next_of_list(&a, &word)) {
		if (!list_has(b, word))
			continue;
		if (buf_len(out) > 0)
			buf_add_byte(out, ' ');
		buf_add_str(out, word);
	}
}

/* RFC 1870, section 3: "0" is no limit, and no number at all says nothing of one. */
static bool
smaller_size(struct str a, struct str b, struct buf *out)
{
	uint64_t number_a = 0, number_b = 0;

	if ((a.len > 0 && !str_number(a, UINT64_MAX, &number_a)) ||
	    (b.len > 0 && !str_number(b, UINT64_MAX, &number_b)))
		return false;
	if (number_a == 0 || (number_b != 0 && number_b < number_a))
		number_a = number_b;
	buf_add_u64(out, number_a);
	return true;
}

static bool
is_list(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		if (str_is_nocase(word, lists[i]))
			return true;
	}
	return false;
}

/* What both mean by one word; false where they contradict each other. */
static bool
common_value(struct str word, struct str a, struct str b, struct buf *out)
{
	if (str_eq(a, b)) {
		buf_add_str(out, a);
		return true;
	}
	if (str_is_nocase(word, "SIZE"))
		return smaller_size(a, b, out);
	if (is_list(word)) {
		common_words(a, b, out);
		return true;
	}
	return false;
}

struct offer *
offer_common(const struct offer *a, const struct offer *b)
{
	struct offer *common = offer_new();
	struct buf value = BUF_INIT;

	for (size_t i = 0; i < a->count; i++) {
		struct str word = word_of(&a->words[i]);
		size_t at = find(b, word);

		buf_clear(&value);
		if (at == b->count ||
		    !common_value(word, value_of(&a->words[i]), value_of(&b->words[at]), &value))
			continue;
		/* A limit can be longer than what a says of it; one without room is left out. */
		offer_add(common, word, buf_str(&value));
	}
	buf_fini(&value);
	return common;
}

static bool
has_word(struct str words, const char *word)
{
	size_t end;

	while (words.len > 0) {
		end = str_find(words, ' ');
		if (str_is_nocase(str_make(words.ptr, end), word))
			return true;
		words = str_from(words, end < words.len ? end + 1 : end);
	}
	return false;
}

bool
offer_has_mechanism(const struct offer *offer, enum mechanism mechanism)
{
	const char *name = mechanism_names[mechanism];
	char word[64];
	struct str value;

	snprintf(word, sizeof(word), "AUTH=%s", name);
	return offer_has(offer, word) ||
	       (offer_value(offer, "SASL", &value) && has_word(value, name)) ||
	       (offer_value(offer, "AUTH", &value) && has_word(value, name));
}
