/*
 * test_settings.c - splitmx.conf: what is understood, and what is said about the rest
 */
#include "base/settings.h"

#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char whole_file[] =
    "instance = \"mx1\";\n"
    "run_dir = \"/run/splitmx\";\n"
    "state_dir = \"/var/lib/splitmx\";\n"
    "user = \"splitmx\"; group = \"splitmx\";   # only used when started as root\n"
    "log = { to = \"stderr\"; level = \"info\"; };\n"
    "redis = {\n"
    "  url = \"unix:///run/redis/redis.sock\";\n"
    "  user = \"\"; password_file = \"/etc/splitmx/redis.password\"; prefix = \"splitmx\";\n"
    "  connect_timeout = 1000; reconnect_least = 50; reconnect_most = 5000;\n"
    "};\n"
    "cache = { size = 5000000000; };\n"
    "question_timeout = 1000;\n"
    "domains = ( \"example.org\" );\n"
    "domains_complete = false;\n"
    "recipient_delimiter = \"+\";\n"
    "fold_local = true;\n"
    "destinations = ( { name = \"old\"; }, { name = \"new\"; } );\n"
    "maps = ( { name = \"transport\"; owners = { new = \"lmtp:unix:private/dovecot-lmtp\";\n"
    "                                            old = \"relay:[old.internal]:10026\"; };\n"
    "           held = \"splitmx-hold:[127.0.0.1]:10024\"; },\n"
    "         { name = \"actions\"; owners = { new = \"DUNNO\"; old = \"\"; }; } );\n"
    "policyd = {\n"
    "  workers = 1; max_connections = 10000; idle_timeout = 1800000; drain_timeout = 10000;\n"
    "  listen = (\n"
    "    { protocol = \"socketmap\"; address = \"unix:/run/splitmx/map.sock\"; mode = \"0660\";\n"
    "      group = \"postfix\"; users = (\"postfix\",\"root\"); },\n"
    "    { protocol = \"socketmap\"; address = \"inet:127.0.0.1:10028\";\n"
    "      allow = (\"127.0.0.0/8\"); },\n"
    "    { protocol = \"tcp_table\"; address = \"inet:127.0.0.1:10025\"; map = \"transport\"; },\n"
    "    { protocol = \"policy\"; address = \"unix:/run/splitmx/policy.sock\"; map = \"actions\"; },\n"
    "    { protocol = \"sink\"; address = \"inet:[::1]:10024\"; reply = \"450 4.2.1 Later\"; } );\n"
    "};\n";

/* The problems, one in a line; the caller's. */
static char *
problems_of(const struct settings *settings)
{
	struct buf text = BUF_INIT;
	char *copy;

	for (size_t i = 0; i < settings_problem_count(settings); i++)
		buf_addf(&text, "%s\n", settings_problem_text(settings, i));
	copy = xstrdup(buf_cstr(&text));
	buf_fini(&text);
	return copy;
}

static void
assert_problems(const struct settings *settings, const char *expected)
{
	char *found = problems_of(settings);

	assert_string_equal(found, expected);
	free(found);
}

static void
a_whole_file_is_understood(void **state)
{
	struct settings *s = settings_load_text(whole_file, "f");

	assert_problems(s, "");
	assert_string_equal(s->path, "f");
	assert_string_equal(s->instance, "mx1");
	assert_int_equal(s->log_to, LOG_TO_STDERR);
	assert_int_equal(s->log_level, LOG_LEVEL_INFO);
	assert_string_equal(s->redis.url, "unix:///run/redis/redis.sock");
	assert_string_equal(s->redis.password_file, "/etc/splitmx/redis.password");
	assert_null(s->redis.tls.ca_file);
	assert_int_equal(s->redis.reconnect_most_ms, 5000);
	assert_true(s->cache_size_bytes == 5000000000);
	assert_int_equal(s->domain_count, 1);
	assert_string_equal(s->domains[0], "example.org");
	assert_true(s->fold_local);
	assert_int_equal(s->destination_count, 2);
	assert_string_equal(s->destinations[1].name, "new");
	assert_int_equal(s->map_count, 2);
	assert_int_equal(s->maps[0].owner_count, 2);
	assert_string_equal(s->maps[0].owners[1].destination, "old");
	assert_string_equal(s->maps[0].owners[1].text, "relay:[old.internal]:10026");
	assert_int_equal(s->maps[0].owners[1].line, 19);
	assert_int_equal(s->maps[0].held_line, 20);
	assert_null(s->maps[1].held);
	assert_int_equal(s->maps[1].line, 21);
	assert_int_equal(s->policyd.listen_count, 5);
	assert_int_equal(s->policyd.listen[0].user_count, 2);
	assert_string_equal(s->policyd.listen[0].users[1], "root");
	assert_int_equal(s->policyd.listen[3].protocol, LISTEN_POLICY);
	assert_int_equal(s->policyd.listen[3].backlog, 1024);
	assert_string_equal(s->policyd.listen[4].reply, "450 4.2.1 Later");
	settings_free(&s);
	assert_null(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_file_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
