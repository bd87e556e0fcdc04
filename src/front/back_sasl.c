/*
 * back_sasl.c - what a backend can do with SASL                         (pure)
 */
#include "front/back_sasl.h"

bool
back_sasl_is_password(enum mechanism mechanism)
{
	return mechanism == MECHANISM_PLAIN || mechanism == MECHANISM_LOGIN;
}

const char *
back_sasl_name(enum mechanism mechanism)
{
	return mechanism_names[back_sasl_is_password(mechanism) ? MECHANISM_PLAIN : mechanism];
}

bool
back_sasl_has(const struct offer *offer, enum mechanism mechanism)
{
	struct str list, word;

	if (!offer_value(offer, "SASL", &list))
		return false;
	for (; list.len > 0; list = str_from(list, word.len < list.len ? word.len + 1 : word.len)) {
		word = str_make(list.ptr, str_find(list, ' '));
		if (str_is_nocase(word, back_sasl_name(mechanism)))
			return true;
	}
	return false;
}

static bool
is_base64(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/' || c == '=';
}

bool
back_sasl_is_base64(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!is_base64(text.ptr[i]))
			return false;
	}
	return true;
}
