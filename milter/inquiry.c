/*
 * inquiry.c - what the milter and policyd say to each other             (pure)
 */
#include "milter/inquiry.h"

#include "base/mem.h"
#include "map/account.h"
#include "map/record.h"
#include "net/netstring.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>

static const char *const hold_names[] = {
    [HOLD_NONE] = "none",
    [HOLD_MAIL] = "mail",
    [HOLD_ALL] = "all",
};

void
inquiry_init(struct inquiry *inquiry)
{
	*inquiry = (struct inquiry){.verdict = VERDICT_TEMP};
}

void
inquiry_fini(struct inquiry *inquiry)
{
	buf_fini(&inquiry->store);
}

void
inquiry_ask(struct buf *out, struct str address)
{
	struct buf request = BUF_INIT;

	buf_add_text(&request, "=ask ");
	buf_add_str(&request, address);
	netstring_add(out, buf_str(&request));
	buf_fini(&request);
}

static void
forget(struct inquiry *inquiry)
{
	struct buf store = inquiry->store;

	buf_clear(&store);
	*inquiry = (struct inquiry){.verdict = VERDICT_TEMP, .store = store};
}

void
inquiry_trouble(struct inquiry *inquiry, const char *reason)
{
	forget(inquiry);
	buf_add_text(&inquiry->store, reason);
	inquiry->reason = buf_str(&inquiry->store);
	if (inquiry->reason.len > INQUIRY_REASON_MOST)
		inquiry->reason.len = INQUIRY_REASON_MOST;
}

/* Position in a list of words, or -1. */
static int
word_at(const json_t *value, const char *const *words, int count)
{
	const char *text = json_string_value(value);

	for (int i = 0; text != NULL && i < count; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
	}
	return -1;
}

static int
verdict_of(const json_t *object)
{
	const char *names[VERDICT_COUNT];

	for (int i = 0; i < VERDICT_COUNT; i++)
		names[i] = verdict_name((enum verdict)i);
	return word_at(json_object_get(object, "verdict"), names, VERDICT_COUNT);
}

static struct str
text_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value) ? str_make(json_string_value(value), json_string_length(value))
				     : STR("");
}

/* Both texts behind one another, then lent: the memory has stopped moving. */
static void
keep_two(struct inquiry *inquiry, struct str account, struct str owner)
{
	buf_add_str(&inquiry->store, account);
	buf_add_str(&inquiry->store, owner);
	inquiry->account = str_make(buf_str(&inquiry->store).ptr, account.len);
	inquiry->owner = str_make(buf_str(&inquiry->store).ptr + account.len, owner.len);
}

/* NULL, or what is wrong. */
static const char *
read_found(struct inquiry *inquiry, const json_t *object)
{
	struct str account = text_of(object, "account"), owner = text_of(object, "owner");
	const json_t *unknown = json_object_get(object, "unknown"),
		     *epoch = json_object_get(object, "epoch");
	int hold = word_at(json_object_get(object, "hold"), hold_names, (int)ARRAY_LEN(hold_names));

	if (account.len == 0 || account.len > ACCOUNT_MAX_BYTES || !record_owner_is_valid(owner))
		return "policyd named no account or no owner";
	if (hold == -1 || !json_is_boolean(unknown) || !json_is_integer(epoch) ||
	    json_integer_value(epoch) < 0)
		return "policyd's answer lacks a field";
	inquiry->hold = (enum hold)hold;
	inquiry->is_unknown = json_is_true(unknown);
	inquiry->epoch = (uint64_t)json_integer_value(epoch);
	keep_two(inquiry, account, owner);
	return NULL;
}

static const char *
read_object(struct inquiry *inquiry, const json_t *object)
{
	int verdict = verdict_of(object);
	struct str reason = text_of(object, "reason");
	const char *why = NULL;

	if (verdict == -1)
		return "policyd's answer has no verdict";
	if (verdict == VERDICT_FOUND) {
		why = read_found(inquiry, object);
	} else if (verdict != VERDICT_ABSENT) {
		if (reason.len > INQUIRY_REASON_MOST)
			reason.len = INQUIRY_REASON_MOST;
		buf_add_str(&inquiry->store, reason);
		inquiry->reason = buf_str(&inquiry->store);
	}
	inquiry->verdict = (enum verdict)verdict;
	return why;
}

/* The object of a reply; the caller's. NULL: it has none. */
static json_t *
object_of(struct str reply)
{
	if (reply.len > INQUIRY_REPLY_MOST || !str_starts(reply, "OK "))
		return NULL;
	reply = str_from(reply, strlen("OK "));
	return json_loadb(reply.ptr, reply.len, JSON_REJECT_DUPLICATES, NULL);
}

void
inquiry_read(struct inquiry *inquiry, struct str reply)
{
	const char *why = "policyd's answer is not OK and a JSON object";
	json_t *object = object_of(reply);

	forget(inquiry);
	if (json_is_object(object))
		why = read_object(inquiry, object);
	json_decref(object);
	if (why != NULL)
		inquiry_trouble(inquiry, why);
}

/* ---- arrivals */

/* At most, in JSON without its quotes. */
static size_t
json_len(struct str text)
{
	size_t len = text.len;

	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] < 0x20)
			len += strlen("\\u0000") - 1;
		else if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			len++;
	}
	return len;
}

size_t
inquiry_fits(const struct arrival *arrivals, size_t count)
{
	/* What stands around them; a name of a server may be all backslashes. */
	size_t len = 200 + 2 * INQUIRY_FROM_MOST, fits = 0;

	while (fits < count) {
		const struct arrival *a = &arrivals[fits];

		len += json_len(a->account) + json_len(a->owner) + strlen("[\"\",\"\",false],");
		if (len > INQUIRY_REPORT_MOST && fits > 0)
			break;
		fits++;
	}
	return fits;
}

void
inquiry_arrived(struct buf *out, const unsigned char id[static INQUIRY_ID_BYTES], struct str from,
    uint64_t lost, const struct arrival *arrivals, size_t count)
{
	char hex[2 * INQUIRY_ID_BYTES + 1], *text;
	struct buf request = BUF_INIT;
	json_t *accounts = json_array(), *report;

	sodium_bin2hex(hex, sizeof(hex), id, INQUIRY_ID_BYTES);
	for (size_t i = 0; i < count; i++) {
		const struct arrival *a = &arrivals[i];

		json_array_append_new(accounts,
		    json_pack("[s%, s%, b]", a->account.ptr, a->account.len, a->owner.ptr,
			a->owner.len, a->is_stray));
	}
	report = json_pack("{s:s, s:I, s:s%, s:o}", "id", hex, "lost", (json_int_t)lost, "from",
	    from.ptr, from.len, "accounts", accounts);
	/* What we are told came as JSON, so it can be said as JSON. */
	must(report != NULL && json_array_size(accounts) == count);
	text = json_dumps(report, JSON_COMPACT);
	buf_add_text(&request, "=arrived ");
	buf_add_text(&request, text);
	netstring_add(out, buf_str(&request));
	buf_fini(&request);
	free(text);
	json_decref(report);
}

bool
inquiry_kept(struct str reply, size_t count)
{
	json_t *object = object_of(reply);
	const json_t *kept = json_object_get(object, "kept");
	bool all = json_is_integer(kept) && json_integer_value(kept) == (json_int_t)count;

	json_decref(object);
	return all;
}
