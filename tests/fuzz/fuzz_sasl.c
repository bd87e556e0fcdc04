/*
 * fuzz_sasl.c - any bytes as a SASL exchange
 *
 * The first byte chooses the mechanism, whether there is an initial response, where a
 * token's user is looked for, and whether lines come as they are or are put into
 * base64 first, so that messages are reached. Lines are parted by "|". What is
 * taken is said again, and must then be read as the same.
 */
#include "front/sasl.h"

#include "base/mem.h"

#include <sodium.h>
#include <stdint.h>

static const enum token_place places[][2] = {
    {TOKEN_FIELD, TOKEN_CLAIM}, {TOKEN_CLAIM, TOKEN_FIELD}};
static const char *const claims[] = {"email", "preferred_username"};

struct exchange {
	struct sasl_rules rules;
	struct arena *arena;
	struct sasl sasl;
	struct credentials credentials;
	struct buf line;
	bool is_raw;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str
next_line(struct exchange *exchange, struct str *rest)
{
	size_t len = str_find(*rest, '|'), most;
	struct str bytes = str_make(rest->ptr, len);

	*rest = str_from(*rest, len < rest->len ? len + 1 : len);
	buf_clear(&exchange->line);
	if (exchange->is_raw) {
		buf_add_str(&exchange->line, bytes);
	} else {
		most = sodium_base64_ENCODED_LEN(bytes.len, sodium_base64_VARIANT_ORIGINAL);
		sodium_bin2base64(buf_room(&exchange->line, most), most,
		    (const unsigned char *)bytes.ptr, bytes.len, sodium_base64_VARIANT_ORIGINAL);
		buf_added(&exchange->line, most - 1);
	}
	return buf_str(&exchange->line);
}

static void
check_bytes(struct str bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		must((unsigned char)bytes.ptr[i] >= 0x20 && bytes.ptr[i] != 0x7f);
}

static void
check_ready(struct exchange *exchange)
{
	const struct credentials *first = &exchange->credentials;
	struct buf said = BUF_INIT;
	struct arenas *arenas = arenas_new(1);
	struct arena *arena = arena_borrow(arenas);
	struct credentials again;
	struct fault fault;
	struct sasl sasl;
	struct str initial;

	check_bytes(first->authcid);
	check_bytes(first->authzid);
	check_bytes(first->secret);
	must(first->authcid.len > 0 && first->authcid.len <= SASL_NAME_MOST);
	must(first->authzid.len <= SASL_NAME_MOST && first->secret.len > 0);
	sasl_say(first, STR(""), &said);
	initial = buf_str(&said);
	if (initial.len <= SASL_LINE_MOST) { /* codes of a name can make it longer than it was */
		must(sasl_begin(&sasl, &exchange->rules, arena,
			 first->mechanism == MECHANISM_LOGIN ? MECHANISM_PLAIN : first->mechanism,
			 &initial, &again, &fault) == SASL_READY);
		must(str_eq(again.authcid, first->authcid) && str_eq(again.secret, first->secret));
		must(str_eq(credentials_login(&again), credentials_login(first)));
	}
	arena_return(&arena);
	arenas_free(&arenas);
	buf_fini(&said);
}

static void
run(struct exchange *exchange, enum mechanism mechanism, bool initially, struct str rest)
{
	struct fault fault = {.verdict = VERDICT_FOUND};
	struct str initial;
	enum sasl_step step;
	bool is_ready = false;

	if (initially)
		initial = next_line(exchange, &rest);
	step = sasl_begin(&exchange->sasl, &exchange->rules, exchange->arena, mechanism,
	    initially ? &initial : NULL, &exchange->credentials, &fault);
	for (;;) {
		must(step != SASL_RESPONSE || is_ready);
		must(step != SASL_BAD || fault.verdict == VERDICT_PERM);
		if (step == SASL_READY && !is_ready) {
			check_ready(exchange);
			is_ready = true;
		}
		if (step == SASL_CANCELLED || step == SASL_BAD || step == SASL_TOKEN ||
		    rest.len == 0)
			return;
		if (is_ready)
			sasl_relay(&exchange->sasl);
		step = sasl_line(&exchange->sasl, next_line(exchange, &rest),
		    &exchange->credentials, &fault);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arenas *arenas;
	struct exchange exchange = {0};
	unsigned choice;

	if (size == 0)
		return 0;
	if (arenas == NULL)
		arenas = arenas_new(1);
	choice = data[0] / MECHANISM_COUNT;
	exchange.arena = arena_borrow(arenas);
	exchange.is_raw = choice & 1;
	exchange.rules = (struct sasl_rules){places[choice >> 2 & 1], 2, claims, 2};
	run(&exchange, data[0] % MECHANISM_COUNT, choice & 2,
	    str_make((const char *)data + 1, size - 1));
	arena_return(&exchange.arena);
	buf_fini(&exchange.line);
	return 0;
}
