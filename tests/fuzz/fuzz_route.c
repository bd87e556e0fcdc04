/*
 * fuzz_route.c - any bytes as a login: who is asked about is one name, and the same again
 *
 * The first byte chooses the rules and a destination's template.
 */
#include "front/route.h"

#include "base/mem.h"
#include "front/sasl.h"

#include <stdint.h>

static const struct route_rules kinds[] = {
    {"example.org", "*%"}, {"", "*"}, {"example.org", ""}, {"", ""}};
static const char *const templates[] = {"", "%l", "%a", "%u", "%d\\%u", "%l%%x", "%l%l", "%x"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_bytes(struct str name, size_t most)
{
	must(name.len > 0 && name.len <= most);
	for (size_t i = 0; i < name.len; i++)
		must((unsigned char)name.ptr[i] >= 0x20 && name.ptr[i] != 0x7f);
}

static void
check_name(const struct route_rules *rules, struct str name)
{
	struct buf again = BUF_INIT;
	struct fault fault;
	size_t at = str_find(name, '@');

	check_bytes(name, SASL_NAME_MOST + sizeof("@example.org"));
	must(at < name.len || rules->default_domain[0] == '\0');
	must(at == name.len || (at > 0 && at + 1 < name.len && at == str_rfind(name, '@')));
	if (name.len <= SASL_NAME_MOST) {
		must(route_login(rules, name, &again, &fault) == 0);
		must(str_eq(buf_str(&again), name));
	}
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct route_rules *rules;
	const char *template;
	struct buf name = BUF_INIT, presented = BUF_INIT;
	struct fault fault = {.verdict = VERDICT_FOUND};
	struct str login;

	if (size == 0)
		return 0;
	rules = &kinds[data[0] % ARRAY_LEN(kinds)];
	template = templates[data[0] / ARRAY_LEN(kinds) % ARRAY_LEN(templates)];
	login = str_make((const char *)data + 1, size - 1);
	if (route_login(rules, login, &name, &fault) == 0)
		check_name(rules, buf_str(&name));
	else
		must(fault.verdict == VERDICT_PERM && buf_len(&name) == 0);
	if (!route_rewrite(rules, template, login, STR("ann@example.net"), &presented))
		must(buf_len(&presented) == 0);
	else if (template[0] != '\0')
		check_bytes(buf_str(&presented), SASL_NAME_MOST);
	buf_fini(&name);
	buf_fini(&presented);
	return 0;
}
