/*
 * smtp_back_caller.c - who is calling, for an SMTP backend           (machine)
 *
 * Postfix's XCLIENT_README, and what Dovecot has added to it. Only what a backend
 * announces is said, but the address must be among it. All of it, with the longest name
 * and two IPv6 addresses, stays below the 512 bytes of RFC 5321, section 4.5.3.1.4.
 */
#include "front/smtp_back_inside.h"

#include "base/mem.h"
#include "front/smtp_lex.h"

static bool
takes(struct str attributes, const char *name)
{
	struct str word;

	while (attributes.len > 0) {
		word = smtp_word(attributes, &attributes);
		if (str_is_nocase(word, name))
			return true;
	}
	return false;
}

static void
add_text(struct buf *out, const char *name, struct str value)
{
	buf_addf(out, " %s=", name);
	smtp_add_xtext(value, out);
}

static void
add_address(struct buf *out, const char *name, const char *ip)
{
	static const char mapped[] = "::ffff:";
	struct str text = str_of(ip);

	if (str_starts(text, mapped) && str_find(text, '.') < text.len)
		text = str_from(text, strlen(mapped)); /* IPv4 on a socket for both */
	if (str_find(text, ':') < text.len)
		buf_addf(out, " %s=IPV6:%.*s", name, STR_FMT(text));
	else if (str_find(text, '.') < text.len)
		add_text(out, name, text);
	else
		buf_addf(out, " %s=[UNAVAILABLE]", name);
}

static void
add_number(struct buf *out, const char *name, unsigned number)
{
	buf_addf(out, " %s=%u", name, number);
}

/* The name of the address is not looked up: the backend must not take ours for it. */
static void
add_names(struct buf *out, struct str attributes)
{
	static const char *const names[] = {"NAME", "REVERSE_NAME"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (takes(attributes, names[i]))
			buf_addf(out, " %s=[UNAVAILABLE]", names[i]);
	}
}

bool
smtp_back_say_caller(struct smtp_back *back, struct buf *out)
{
	const struct back_task *task = back->back.task;
	const struct caller *caller = task->caller;
	struct str attributes;

	if (!offer_value(back->back.offer, "XCLIENT", &attributes) || !takes(attributes, "ADDR"))
		return false;
	buf_add_text(out, "XCLIENT");
	add_address(out, "ADDR", caller->client_ip);
	if (takes(attributes, "PORT"))
		add_number(out, "PORT", caller->client_port);
	add_names(out, attributes);
	if (takes(attributes, "PROTO"))
		add_text(out, "PROTO", STR("ESMTP"));
	if (takes(attributes, "DESTADDR"))
		add_address(out, "DESTADDR", caller->local_ip);
	if (takes(attributes, "DESTPORT"))
		add_number(out, "DESTPORT", caller->local_port);
	if (takes(attributes, "SESSION"))
		add_text(out, "SESSION", str_of(caller->session));
	if (takes(attributes, "TTL"))
		add_number(out, "TTL", caller->ttl);
	if (takes(attributes, "HELO"))
		add_text(out, "HELO",
		    smtp_is_plain_name(task->hello) ? task->hello : STR("[UNAVAILABLE]"));
	buf_add_text(out, "\r\n");
	return true;
}
