/*
 * test_settings.c - splitmx.conf: what is understood, and what is said about the rest
 *
 * Long because every mistake that a file can hold is a row here.
 */
#include "base/settings.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/suggest.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "problems.h"
#include "unit.h"

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
    "    { protocol = \"policy\"; address = \"unix:/run/splitmx/policy.sock\"; map = \"actions\"; "
    "},\n"
    "    { protocol = \"sink\"; address = \"inet:[::1]:10024\"; reply = \"450 4.2.1 Later\"; } );\n"
    "};\n";

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

/* ---- every kind of mistake, and what is said about it */

#define LISTEN(fields) "policyd = { listen = ( {\n" fields " } ); };\n"
#define SINK "protocol = \"sink\"; address = \"inet:127.0.0.1:24\"; "
#define MAP_T "maps = ( { name = \"transport\"; owners = { a = \"\"; }; } );"

static const struct mistake mistakes[] = {
    /* what the text looks like */
    {"an empty file is all defaults", "", ""},
    {"a byte order mark and CRLF are harmless", "\xef\xbb\xbfinstance = \"a\";\r\n", ""},
    {"comments of three kinds", "# a = (\n// \"\n/* {\n */\n", ""},
    {"a quote that is not closed", "instance = \"a;\nuser = b;\n",
	"f:1: the quote that is opened here is not closed\n"},
    {"a comment that does not end", "/* a\n\n", "f:1: the comment that begins here does not end\n"},
    {"brackets that do not fit", "log = {\nto = \"stderr\"; );\n",
	"f:2: ')' cannot close the '{' of line 1\n"},
    {"a bracket too many", "log = { }; }\n", "f:1: '}' closes nothing\n"},
    {"a bracket that is not closed", "\nlog = {\n to = \"stderr\";\n",
	"f:2: the '{' that is opened here is not closed\n"},
    {"brackets without end", "a=((((((((((((((((((((((((1",
	"f:1: more than 16 brackets are open here\n"
	"f:1: a: there is no such setting\n"},
    {"nothing behind the last comma", "domains = ( \"a.example\",\n\"b.example\",\n);\n",
	"f:3: nothing stands between ',' and ')'\n"},
    {"a missing =", "log { to = \"stderr\"; };\n",
	"f:1: syntax error, here or on the line before: is there a '=', a ',' or a quote "
	"missing?\n"},
    {"what was read before a syntax error is looked at too",
	"question_timeout = 1;\nlog = { level = \"inf\"; };\npolicyd = { listen = ( { map = \"a\"; "
	"} ) };\n"
	"user = = 3;\n",
	"f:1: question_timeout: 1 is not from 10 to 60000 milliseconds\n"
	"f:2: log.level: inf is not \"error\", \"warning\", \"info\" or \"debug\"; did you mean "
	"\"info\"?\n"
	"f:4: syntax error, here or on the line before: is there a '=', a ',' or a quote "
	"missing?\n"},
    {"nothing is concluded from what a syntax error hides",
	"domains_complete = true;\npolicyd = { listen = ( { protocol = \"policy\";\n"
	"address = \"inet:192.0.2.1:25\"; map = ; } ) };\ndomains = ( \"a.example\" );\n",
	"f:3: syntax error, here or on the line before: is there a '=', a ',' or a quote "
	"missing?\n"},
    {"a text without quotes", "log = { level = debug; };\n",
	"f:1: debug must stand in quotes: \"debug\"\n"},
    {"a text without quotes that does not fit either", "log = { level = verbose; };\n",
	"f:1: verbose must stand in quotes: \"verbose\"\n"
	"f:1: log.level: verbose is not \"error\", \"warning\", \"info\" or \"debug\"\n"},
    {"yes is not true", "fold_local = yes;\n",
	"f:1: fold_local: must be true or false, but is a text\n"},
    {"TRUE is true", "fold_local = TRUE;\n", ""},
    {"a NUL in a text", "user = \"a\\x00b\";\n", "f:1: a text must not hold the character \\x00\n"},
    {"a line break in a text", "user = \"a\\nb\";\n",
	"f:1: user: \"a\\x0ab\" holds a line break or another control character\n"},
    {"a real line break in a text", "user = \"a\nb\";\n",
	"f:1: user: \"a\\x0ab\" holds a line break or another control character\n"},
    {"include", "\n  @include \"/etc/passwd\"\n",
	"f:2: @include is not supported: all settings stand in one file\n"},
    {"@include in a comment or text is nothing", "# @include \"x\"\nuser = \"@include\";\n", ""},
    {"a star in a name", "use* = \"a\";\n", "f:1: use*: a name must not hold '*'\n"},

    /* names */
    {"an unknown setting", "wings = 2;\n", "f:1: wings: there is no such setting\n"},
    {"a slip of the pen", "cashe = { size = 1048576; };\n",
	"f:1: cashe: there is no such setting; did you mean cache?\n"},
    {"two letters exchanged", "policyd = { wrokers = 2; };\n",
	"f:1: policyd.wrokers: there is no such setting; did you mean workers?\n"},
    {"in the wrong group", "workers = 2;\n",
	"f:1: workers: there is no such setting here; did you mean policyd.workers or "
	"frontd.workers?\n"},
    {"in the wrong group, and there is one right one", "kick = 2;\n",
	"f:1: kick: there is no such setting here; did you mean destinations.kick?\n"},
    {"in a list of groups", LISTEN(SINK "mdoe = \"0660\";"),
	"f:2: policyd.listen.mdoe: there is no such setting; did you mean mode?\n"},
    {"given twice", "user = \"a\";\n\nuser = \"b\";\n",
	"f:3: user: is given twice, here and on line 1\n"},
    {"a group given twice, with mistakes in the first",
	"log = { to = \"here\"; };\nlog = { to = \"there\"; };\n",
	"f:1: log.to: here is not \"stderr\", \"syslog\" or \"journal\"\n"
	"f:2: log: is given twice, here and on line 1\n"},
    {"the same name in two groups is no mistake", "user = \"a\"; redis = { user = \"a\"; };\n", ""},
    {"an owner given twice",
	"maps = ( { name = \"a\"; owners = { new = \"x\";\nnew = \"y\"; }; } );\n",
	"f:2: new: is given twice, here and on line 1\n"},

    /* types */
    {"a text for a number", "question_timeout = \"1000\";\n",
	"f:1: question_timeout: must be a whole number, but is a text\n"},
    {"a fraction", "question_timeout = 1.5;\n",
	"f:1: question_timeout: must be a whole number, but is a number with a fraction\n"},
    {"a number for a text", "user = 5;\n",
	"f:1: user: must be a text in quotes, but is a number\n"},
    {"a mode without quotes",
	LISTEN("protocol = \"socketmap\"; address = \"unix:/a\";\nmode = 0660;"),
	"f:3: policyd.listen.mode: must be a text in quotes, but is a number\n"},
    {"a number for true", "fold_local = 1;\n",
	"f:1: fold_local: must be true or false, but is a number\n"},
    {"a text for a list", "domains = \"example.org\";\n",
	"f:1: domains: must be a list of texts: ( \"...\", \"...\" ), but is a text\n"},
    {"a number in a list of texts", "domains = ( \"a.example\",\n5 );\n",
	"f:2: domains: must be a text in quotes, but is a number\n"},
    {"an array is a list too", "domains = [ \"a.example\" ];\n", ""},
    {"a text for a group", "log = \"stderr\";\n",
	"f:1: log: must be a group: { ... }, but is a text\n"},
    {"a group for a list of groups", "destinations = { name = \"a\"; };\n",
	"f:1: destinations: must be a list of groups: ( { ... }, { ... } ), but is a group\n"},
    {"texts in a list of groups", "destinations = ( \"old\",\n\"new\" );\n",
	"f:1: destinations: must be a group: { ... }, but is a text\n"
	"f:2: destinations: must be a group: { ... }, but is a text\n"},
    {"a number for an owner's text", "maps = ( { name = \"a\"; owners = { new = 5; }; } );\n",
	"f:1: maps.owners.new: must be a text in quotes, but is a number\n"},

    /* limits */
    {"below the least", "question_timeout = 9;\n",
	"f:1: question_timeout: 9 is not from 10 to 60000 milliseconds\n"},
    {"the least", "question_timeout = 10;\n", ""},
    {"the most", "question_timeout = 60000;\n", ""},
    {"above the most", "question_timeout = 60001;\n",
	"f:1: question_timeout: 60001 is not from 10 to 60000 milliseconds\n"},
    {"negative", "policyd = { workers = -1; };\n",
	"f:1: policyd.workers: -1 is not from 1 to 64\n"},
    {"more than 32 bits, refused as written", "question_timeout = 5000000000;\n",
	"f:1: question_timeout: 5000000000 is not from 10 to 60000 milliseconds\n"},
    {"more than 32 bits in hexadecimal", "cache = { size = 0x100000000; };\n", ""},
    {"more than 64 bits in hexadecimal", "cache = { size = 0x10000000000000000; };\n",
	"f:1: cache.size: 9223372036854775807 is not from 1048576 to 1099511627776 bytes\n"},
    {"more than 64 bits", "cache = { size = 99999999999999999999; };\n",
	"f:1: cache.size: 9223372036854775807 is not from 1048576 to 1099511627776 bytes\n"},
    {"bytes", "cache = { size = 1; };\n",
	"f:1: cache.size: 1 is not from 1048576 to 1099511627776 bytes\n"},

    /* words and patterns */
    {"a wrong word", "log = { to = \"file\"; };\n",
	"f:1: log.to: file is not \"stderr\", \"syslog\" or \"journal\"\n"},
    {"nearly the right word", LISTEN("protocol = \"tcptable\"; address = \"unix:/a\";"),
	"f:2: policyd.listen.protocol: tcptable is not \"socketmap\", \"tcp_table\", \"policy\" or "
	"\"sink\"; did you mean \"tcp_table\"?\n"},
    {"instance", "instance = \"MX 1\";\n",
	"f:1: instance: \"MX 1\" is not a name of lower-case letters, digits, '.' and '-'\n"},
    {"an empty instance", "instance = \"\";\n",
	"f:1: instance: \"\" is not a name of lower-case letters, digits, '.' and '-'\n"},
    {"a relative path", "run_dir = \"run/splitmx\";\n",
	"f:1: run_dir: run/splitmx is not an absolute path\n"},
    {"an empty path", "state_dir = \"\";\n", "f:1: state_dir: \"\" is not an absolute path\n"},
    {"a prefix with a colon", "redis = { prefix = \"splitmx:\"; };\n",
	"f:1: redis.prefix: splitmx: is not a prefix of lower-case letters, digits, '.', '_' and "
	"'-'\n"},
    {"a Redis without scheme", "redis = { url = \"127.0.0.1:6379\"; };\n",
	"f:1: redis.url: 127.0.0.1:6379 is not \"unix:///PATH\", \"redis://HOST[:PORT]\" or "
	"\"rediss://HOST[:PORT]\"\n"},
    {"a Redis with a path", "redis = { url = \"redis://a/0\"; };\n",
	"f:1: redis.url: redis://a/0 is not \"unix:///PATH\", \"redis://HOST[:PORT]\" or "
	"\"rediss://HOST[:PORT]\"\n"},
    {"a Redis without port, by address", "redis = { url = \"redis://[::1]\"; };\n", ""},
    {"a Redis on a Unix socket with two slashes", "redis = { url = \"unix://run/redis\"; };\n",
	"f:1: redis.url: unix://run/redis is not \"unix:///PATH\", \"redis://HOST[:PORT]\" or "
	"\"rediss://HOST[:PORT]\"\n"},
    {"delimiters", "recipient_delimiter = \"+-\";\n", ""},
    {"a letter as delimiter", "recipient_delimiter = \"+x\";\n",
	"f:1: recipient_delimiter: +x is not delimiters such as \"+\"\n"},
    {"an address for a domain", "domains = ( \"ann@example.org\" );\n",
	"f:1: domains: ann@example.org is not a domain\n"},
    {"a destination's name", "destinations = ( { name = \"New\"; } );\n",
	"f:1: destinations.name: New is not a name of lower-case letters, digits and '-' that "
	"begins with a letter\n"},
    {"a destination's name that libconfig would not read",
	"destinations = ( { name = \"true\"; } );\n",
	"f:1: destinations.name: true cannot be the name of a destination\n"},
    {"a destination's name that says something else to unknown_login",
	"destinations = ( { name = \"refuse\"; } );\n",
	"f:1: destinations.name: refuse cannot be the name of a destination\n"},
    {"a mode", LISTEN("protocol = \"socketmap\"; address = \"unix:/a\"; mode = \"0999\";"),
	"f:2: policyd.listen.mode: 0999 is not a mode of four octal digits such as \"0660\"\n"},
    {"an address without port", LISTEN("protocol = \"socketmap\"; address = \"inet:127.0.0.1\";"),
	"f:2: policyd.listen.address: inet:127.0.0.1 is not \"unix:/PATH\" of at most 107 bytes or "
	"\"inet:HOST:PORT\"\n"},
    {"port 0", LISTEN("protocol = \"socketmap\"; address = \"inet:127.0.0.1:0\";"),
	"f:2: policyd.listen.address: inet:127.0.0.1:0 is not \"unix:/PATH\" of at most 107 bytes "
	"or \"inet:HOST:PORT\"\n"},
    {"IPv6 without brackets", LISTEN("protocol = \"socketmap\"; address = \"inet:::1:25\";"),
	"f:2: policyd.listen.address: inet:::1:25 is not \"unix:/PATH\" of at most 107 bytes or "
	"\"inet:HOST:PORT\"\n"},
    {"a relative socket", LISTEN("protocol = \"socketmap\"; address = \"unix:a\";"),
	"f:2: policyd.listen.address: unix:a is not \"unix:/PATH\" of at most 107 bytes or "
	"\"inet:HOST:PORT\"\n"},
    {"a socket path that is too long",
	LISTEN("protocol = \"socketmap\"; address = \"unix:/23456789/123456789/123456789/123456789"
	       "/123456789/123456789/123456789/123456789/123456789/123456789/12345678\";"),
	"f:2: policyd.listen.address: "
	"unix:/23456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/"
	"123456789/123456789/12345678 is not \"unix:/PATH\" of at most 107 bytes or "
	"\"inet:HOST:PORT\"\n"},
    {"the longest socket path",
	LISTEN("protocol = \"socketmap\"; address = \"unix:/23456789/123456789/123456789/123456789"
	       "/123456789/123456789/123456789/123456789/123456789/123456789/1234567\";"),
	""},
    {"a network",
	LISTEN("protocol = \"socketmap\"; address = \"inet:0.0.0.0:25\";"
	       "allow = ( \"10.0.0.0/33\", \"10.0.0.0/32\", \"::/0\", \"10.0.0\" );"),
	"f:2: policyd.listen.allow: 10.0.0.0/33 is not a network such as \"192.0.2.0/24\" or "
	"\"2001:db8::/32\"\n"
	"f:2: policyd.listen.allow: 10.0.0 is not a network such as \"192.0.2.0/24\" or "
	"\"2001:db8::/32\"\n"},
    {"a reply that says never", LISTEN(SINK "reply = \"550 5.1.1 No\";"),
	"f:2: policyd.listen.reply: \"550 5.1.1 No\" is not a reply that says later, such as \"450 "
	"4.2.1 Try again later\"\n"},
    {"a reply without enhanced code", LISTEN(SINK "reply = \"450 Later\";"),
	"f:2: policyd.listen.reply: \"450 Later\" is not a reply that says later, such as \"450 "
	"4.2.1 Try again later\"\n"},
    {"a reply whose codes differ", LISTEN(SINK "reply = \"450 5.2.1 Later\";"),
	"f:2: policyd.listen.reply: \"450 5.2.1 Later\" is not a reply that says later, such as "
	"\"450 4.2.1 Try again later\"\n"},
    {"a reply without words", LISTEN(SINK "reply = \"450 4.2.1 \";"),
	"f:2: policyd.listen.reply: \"450 4.2.1 \" is not a reply that says later, such as \"450 "
	"4.2.1 Try again later\"\n"},

    /* what is missing */
    {"a listener without anything", "policyd = {\n listen = (\n  { } ); };\n",
	"f:3: policyd.listen.protocol: is missing in the group that begins here\n"
	"f:3: policyd.listen.address: is missing in the group that begins here\n"},
    {"a map without anything", "maps = ( { } );\n",
	"f:1: maps.name: is missing in the group that begins here\n"
	"f:1: maps.owners: is missing in the group that begins here\n"},
    {"a destination without name", "destinations = ( { name = \"a\"; },\n{ } );\n",
	"f:2: destinations.name: is missing in the group that begins here\n"},

    /* several settings together */
    {"ten mistakes",
	"instance = \"MX\";\n"
	"log = { level = \"loud\"; };\n"
	"redis = { prefix = \"a:b\"; reconnect_least = 0; };\n"
	"cashe = { size = 1; };\n"
	"question_timeout = \"1000\";\n"
	"domains_complete = true;\n"
	"domains_complete = false;\n"
	"policyd = {\n"
	"  listen = (\n"
	"    { protocol = \"policy\"; address = \"unix:/a\"; map = \"actions\"; },\n"
	"    { protocol = \"sink\"; } );\n"
	"};\n",
	"f:1: instance: MX is not a name of lower-case letters, digits, '.' and '-'\n"
	"f:2: log.level: loud is not \"error\", \"warning\", \"info\" or \"debug\"\n"
	"f:3: redis.prefix: a:b is not a prefix of lower-case letters, digits, '.', '_' and '-'\n"
	"f:3: redis.reconnect_least: 0 is not from 1 to 60000 milliseconds\n"
	"f:4: cashe: there is no such setting; did you mean cache?\n"
	"f:5: question_timeout: must be a whole number, but is a text\n"
	"f:6: domains_complete: without domains nothing would be managed\n"
	"f:7: domains_complete: is given twice, here and on line 6\n"
	"f:10: policyd.listen.map: there is no map actions\n"
	"f:11: policyd.listen.address: is missing in the group that begins here\n"},
    {"two destinations of one name", "destinations = ( { name = \"a\"; },\n{ name = \"a\"; } );\n",
	"f:2: destinations.name: a is given twice, here and on line 1\n"},
    {"two maps of one name",
	"maps = ( { name = \"a\"; owners = { }; },\n { name = \"a\"; owners = { }; } );\n",
	"f:2: maps.name: a is given twice, here and on line 1\n"},
    {"a domain twice", "domains = ( \"a.example\",\n\"b.example\", \"a.example\" );\n",
	"f:2: domains: a.example is given twice, here and on line 1\n"},
    {"an address twice", "policyd = { listen = ( {" SINK "},\n{" SINK "} ); };\n",
	"f:2: policyd.listen.address: inet:127.0.0.1:24 is given twice, here and on line 1\n"},
    {"metrics for everybody", "policyd = { metrics = \"inet:192.0.2.1:9100\"; };\n",
	"f:1: policyd.metrics: inet:192.0.2.1:9100 is not a loopback address: whoever can reach it "
	"may read\n"},
    {"metrics where a listener is",
	"policyd = { listen = ( {" SINK "} );\nmetrics = \"inet:127.0.0.1:24\"; };\n",
	"f:2: policyd.metrics: inet:127.0.0.1:24 is given twice, here and on line 1\n"},
    {"tcp_table without map", LISTEN("protocol = \"tcp_table\"; address = \"unix:/a\";"),
	"f:1: policyd.listen.map: is missing: clients of this protocol cannot name a map\n"},
    {"policy without map", LISTEN("protocol = \"policy\"; address = \"unix:/a\";"),
	"f:1: policyd.listen.map: is missing: clients of this protocol cannot name a map\n"},
    {"a map that does not exist",
	MAP_T LISTEN("protocol = \"policy\"; address = \"unix:/a\"; map = \"actions\";"),
	"f:2: policyd.listen.map: there is no map actions\n"},
    {"a map that nearly exists",
	MAP_T LISTEN("protocol = \"policy\"; address = \"unix:/a\"; map = \"transprot\";"),
	"f:2: policyd.listen.map: there is no map transprot; did you mean transport?\n"},
    {"a map that was refused is not missing",
	LISTEN("protocol = \"policy\"; address = \"unix:/a\"; map = 5;"),
	"f:2: policyd.listen.map: must be a text in quotes, but is a number\n"},
    {"socketmap with a map",
	MAP_T LISTEN("protocol = \"socketmap\"; address = \"unix:/a\"; map = \"transport\";"),
	"f:2: policyd.listen.map: is for tcp_table and policy only\n"},
    {"a reply that nobody gives",
	LISTEN("protocol = \"socketmap\"; address = \"unix:/a\"; reply = \"450 4.2.1 Later\";"),
	"f:2: policyd.listen.reply: is for the sink only\n"},
    {"open to the world", LISTEN("protocol = \"socketmap\"; address = \"inet:192.0.2.1:25\";"),
	"f:2: policyd.listen.address: inet:192.0.2.1:25 is open to other hosts: say with allow "
	"which networks may connect\n"},
    {"open to some networks",
	LISTEN("protocol = \"socketmap\"; address = \"inet:192.0.2.1:25\"; allow = ( "
	       "\"192.0.2.0/24\" );"),
	""},
    {"loopback by its names",
	"policyd = { listen = ( { protocol = \"sink\"; address = \"inet:localhost:1\"; },\n"
	"{ protocol = \"sink\"; address = \"inet:[::1]:1\"; },\n"
	"{ protocol = \"sink\"; address = \"inet:127.3.2.1:1\"; } ); };\n",
	""},
    {"a name that only begins like loopback",
	LISTEN("protocol = \"sink\"; address = \"inet:127.example.org:1\";"),
	"f:2: policyd.listen.address: inet:127.example.org:1 is open to other hosts: say with "
	"allow which networks may connect\n"},
    {"permissions on TCP",
	LISTEN(SINK "mode = \"0660\"; owner = \"a\"; group = \"a\";\nusers = ( \"a\" );"),
	"f:2: policyd.listen.mode: is for Unix sockets only; for TCP there is allow\n"
	"f:2: policyd.listen.owner: is for Unix sockets only; for TCP there is allow\n"
	"f:2: policyd.listen.group: is for Unix sockets only; for TCP there is allow\n"
	"f:3: policyd.listen.users: is for Unix sockets only; for TCP there is allow\n"},
    {"networks on a Unix socket",
	LISTEN("protocol = \"sink\"; address = \"unix:/a\"; allow = ( \"127.0.0.1\" );"),
	"f:2: policyd.listen.allow: is for TCP only; for Unix sockets there are mode, group and "
	"users\n"},
    {"reconnect the wrong way round", "redis = { reconnect_least = 500; reconnect_most = 100; };\n",
	"f:1: redis.reconnect_least: 500 is more than reconnect_most, which is 100\n"},
    {"reconnect against a default", "redis = {\nreconnect_most = 10; };\n",
	"f:2: redis.reconnect_least: 50 is more than reconnect_most, which is 10\n"},
    {"tls without rediss", "redis = { url = \"redis://a\"; tls = {\nca_file = \"/a\"; }; };\n",
	"f:2: redis.tls: is for a url that begins with rediss://, and for sentinel_tls, "
	"only\n"},
    {"tls with sentinels that speak it",
	"redis = { sentinels = ( \"a:1\" ); sentinel_master = \"m\"; sentinel_tls = true; "
	"tls = { ca_file = \"/a\"; }; };\n",
	""},
    {"sentinels",
	"redis = { sentinels = ( \"127.0.0.1:26379\", \"[::1]:26379\", \"s.example.org:1\" ); "
	"sentinel_master = \"m\"; };\n",
	""},
    {"sentinels without a port",
	"redis = { sentinels = ( \"a:1\", \"::1\" ); sentinel_master = \"m\"; };\n",
	"f:1: redis.sentinels: ::1 is not a host and a port such as \"192.0.2.1:26379\" or "
	"\"[2001:db8::1]:26379\"\n"},
    {"sentinels and a url",
	"redis = { url = \"redis://a\";\nsentinels = ( \"a:1\" ); sentinel_master = \"m\"; };\n",
	"f:2: redis.sentinels: there is a url too: give one of the two, the sentinels say where "
	"Redis is\n"},
    {"sentinels without the master's name", "redis = { sentinels = ( \"a:1\" ); };\n",
	"f:1: redis.sentinels: sentinel_master is missing: the name of the master to ask them "
	"for\n"},
    {"no sentinel in the list", "redis = { sentinels = ( ); sentinel_master = \"m\"; };\n",
	"f:1: redis.sentinels: names no sentinel\n"},
    {"what is for sentinels only",
	"redis = { sentinel_master = \"m\";\nsentinel_user = \"u\";\n"
	"sentinel_password_file = \"/p\";\nsentinel_tls = false; };\n",
	"f:1: redis.sentinel_master: is for sentinels only, and there are none\n"
	"f:2: redis.sentinel_user: is for sentinels only, and there are none\n"
	"f:3: redis.sentinel_password_file: is for sentinels only, and there are none\n"
	"f:4: redis.sentinel_tls: is for sentinels only, and there are none\n"},
    {"a certificate without key",
	"redis = { url = \"rediss://a\"; tls = { cert_file = \"/a\"; }; };\n",
	"f:1: redis.tls.cert_file: its key_file is missing\n"},
    {"a key without certificate",
	"redis = { url = \"rediss://a\"; tls = { key_file = \"/a\"; }; };\n",
	"f:1: redis.tls.key_file: its cert_file is missing\n"},
    {"a sink on every address", LISTEN("protocol = \"sink\"; address = \"inet:0.0.0.0:1\";"),
	"f:2: policyd.listen.address: inet:0.0.0.0:1 is open to other hosts: say with allow which "
	"networks may connect\n"},
    {"complete without domains", "domains_complete = true;\n",
	"f:1: domains_complete: without domains nothing would be managed\n"},
    {"complete, but domains were refused", "domains_complete = true; domains = 5;\n",
	"f:1: domains: must be a list of texts: ( \"...\", \"...\" ), but is a number\n"},
};

static void
each_mistake_is_named(void **state)
{
	assert_mistakes(mistakes, ARRAY_LEN(mistakes));
}

static void
nothing_breaks_however_the_file_is_cut(void **state)
{
	char *text = xstrdup(whole_file);
	struct settings *s;

	for (size_t len = sizeof(whole_file) - 2; len > 0; len--) {
		text[len] = '\0';
		s = settings_load_text(text, "f");
		assert_non_null(s->instance);
		settings_free(&s);
	}
	free(text);
}

static void
what_is_absent_has_its_default(void **state)
{
	struct settings *s = settings_load_text("policyd = { listen = ( {" SINK "} ); };", "f");

	assert_problems(s, "");
	assert_true(*s->instance);
	assert_string_equal(s->run_dir, "/run/splitmx");
	assert_int_equal(s->log_level, LOG_LEVEL_INFO);
	assert_null(s->redis.url);
	assert_null(s->redis.password_file);
	assert_string_equal(s->redis.user, "");
	assert_string_equal(s->redis.prefix, "splitmx");
	assert_int_equal(s->redis.connect_timeout_ms, 1000);
	assert_int_equal(s->cache_size_bytes, 256 << 20);
	assert_int_equal(s->domain_count, 0);
	assert_false(s->domains_complete);
	assert_true(s->fold_local);
	assert_int_equal(s->policyd.idle_timeout_ms, 1800000);
	assert_string_equal(s->policyd.listen[0].mode, "0660");
	assert_string_equal(s->policyd.listen[0].reply,
	    "450 4.2.1 Mailbox is being moved, try again later");
	assert_null(s->policyd.listen[0].map);
	settings_free(&s);
}

static void
lines_say_where_a_value_stands(void **state)
{
	struct settings *s = settings_load_text(
	    "\nquestion_timeout = 20;\ncache = { size = 1; };\ndomains = (\n\"a\", \"b\" );\n",
	    "f");

	assert_int_equal(settings_line(s, &s->question_timeout_ms), 2);
	assert_int_equal(settings_line(s, &s->cache_size_bytes), -3);
	assert_int_equal(settings_line(s, &s->fold_local), 0);
	assert_int_equal(settings_line(s, &s->domains), 4);
	assert_int_equal(settings_line(s, &s->domains[0]), 5);
	settings_free(&s);
}

static void
later_problems_find_their_place(void **state)
{
	struct settings *s = settings_load_text("user = 1;\n\ngroup = 1;\n", "f");

	settings_problem(s, 2, "maps", "there is no destination %s", "new");
	settings_problem(s, 0, "", "is strange");
	assert_problems(s, "f: is strange\n"
			   "f:1: user: must be a text in quotes, but is a number\n"
			   "f:2: maps: there is no destination new\n"
			   "f:3: group: must be a text in quotes, but is a number\n");
	settings_free(&s);
}

static void
a_file_that_cannot_be_read_is_a_problem(void **state)
{
	struct settings *s = settings_load("/nonexistent/splitmx.conf");

	assert_problems(s,
	    "/nonexistent/splitmx.conf: cannot be read: No such file or directory\n");
	settings_free(&s);
	s = settings_load("/");
	assert_problems(s, "/: cannot be read: Is a directory\n");
	settings_free(&s);
	s = settings_load("/dev/null");
	assert_problems(s, "");
	settings_free(&s);
}

static void
a_file_with_a_NUL_is_no_text(void **state)
{
	char path[] = "/tmp/splitmx-settings-XXXXXX", *expected;
	int fd = mkstemp(path);
	struct settings *s;

	assert_true(fd != -1);
	assert_int_equal(write(fd, "user = 1;\0", 10), 10);
	close(fd);
	s = settings_load(path);
	expected = xasprintf("%s:1: a NUL byte stands here: this is no text\n"
			     "%s:1: user: must be a text in quotes, but is a number\n",
	    path, path);
	unlink(path);
	assert_problems(s, expected);
	settings_free(&s);
	free(expected);
}

static void
the_example_has_no_problems(void **state)
{
	const char *source = getenv("srcdir");
	char *path = xasprintf("%s/doc/splitmx.conf.example", source ? source : ".");
	struct settings *s = settings_load(path);

	assert_problems(s, "");
	assert_int_equal(s->destination_count, 2);
	settings_free(&s);
	free(path);
}

/* ---- what a reload cannot change */

#define ONE_LISTENER(fields) "policyd = { listen = ( {" fields "} ); };"

static const struct {
	const char *title, *was, *is, *names;
} changes[] = {
    {"nothing", whole_file, whole_file, ""},
    {"a number that reloads", "question_timeout = 10;", "question_timeout = 20;", ""},
    {"a number that does not", "policyd = { workers = 1; };", "policyd = { workers = 2; };",
	"policyd.workers "},
    {"a text", "run_dir = \"/a\";", "run_dir = \"/b\";", "run_dir "},
    {"the default, and the same written down", "", "run_dir = \"/run/splitmx\";", ""},
    {"a text that was not there", "", "redis = { url = \"redis://a\"; };", "redis.url "},
    {"deep in groups", "redis = { url = \"rediss://a\"; tls = { ca_file = \"/a\"; }; };",
	"redis = { url = \"rediss://b\"; tls = { ca_file = \"/b\"; }; };",
	"redis.url redis.tls.ca_file "},
    {"a list that does not reload",
	"redis = { sentinels = ( \"a:1\", \"b:1\" ); sentinel_master = \"m\"; };",
	"redis = { sentinels = ( \"a:1\", \"c:1\" ); sentinel_master = \"m\"; };",
	"redis.sentinels "},
    {"a list that was not there", "",
	"redis = { sentinels = ( \"a:1\" ); sentinel_master = \"m\"; };",
	"redis.sentinels redis.sentinel_master "},
    {"a list that is not there any more",
	"redis = { sentinels = ( \"a:1\" ); sentinel_master = \"m\"; };", "",
	"redis.sentinels redis.sentinel_master "},
    {"maps and destinations", "destinations = ( { name = \"a\"; } );",
	MAP_T "destinations = ( { name = \"b\"; }, { name = \"c\"; } );", ""},
    {"one listener more", "", ONE_LISTENER(SINK), ""},
    {"a listener elsewhere", ONE_LISTENER(SINK),
	ONE_LISTENER("protocol = \"sink\"; address = \"inet:127.0.0.1:25\";"), ""},
    {"what a listener says", ONE_LISTENER(SINK), ONE_LISTENER(SINK "reply = \"451 4.2.1 Later\";"),
	""},
    {"who may connect", ONE_LISTENER(SINK), ONE_LISTENER(SINK "allow = ( \"127.0.0.1\" );"), ""},
};

static void
add_name(void *ctx, const char *setting)
{
	buf_addf(ctx, "%s ", setting);
}

static void
a_reload_knows_what_it_cannot_change(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct settings *was = settings_load_text(changes[i].was, "f");
		struct settings *is = settings_load_text(changes[i].is, "f");
		struct buf names = BUF_INIT;
		size_t count = 0;

		assert_problems(was, "");
		assert_problems(is, "");
		for (const char *p = changes[i].names; *p; p++)
			count += *p == ' ';
		assert_int_equal(settings_unreloadable(was, is, add_name, &names), count);
		assert_string_equal(buf_cstr(&names), changes[i].names);
		settings_keep(is, was);
		assert_int_equal(settings_unreloadable(was, is, add_name, &names), 0);
		buf_fini(&names);
		settings_free(&was); /* what was kept is a copy */
		settings_free(&is);
	}
}

/* ---- did you mean ...? */

static const struct {
	const char *title, *word, *best;
} guesses[] = {
    {"the word itself", "level", "level"},
    {"one letter wrong", "lavel", "level"},
    {"one too many", "levell", "level"},
    {"one missing", "evel", "level"},
    {"two exchanged", "leevl", "level"},
    {"the nearer of two", "domain", "domains"},
    {"too far away", "wings", NULL},
    {"nothing", "", NULL},
    {"short words are near to little", "xx", NULL},
    {"a very long word", "levellevellevellevellevellevellevellevellevellevellevellevellevellevel",
	NULL},
};

static void
a_slip_of_the_pen_is_understood(void **state)
{
	static const char *const known[] = {"to", "level", "domains_complete", "domains"};

	for (size_t i = 0; i < ARRAY_LEN(guesses); i++) {
		struct suggestion s = suggestion_for(guesses[i].word);

		for (size_t j = 0; j < ARRAY_LEN(known); j++)
			suggestion_offer(&s, known[j]);
		if (guesses[i].best == NULL)
			assert_null(s.best);
		else
			assert_string_equal(s.best, guesses[i].best);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_file_is_understood),
	    cmocka_unit_test(each_mistake_is_named),
	    cmocka_unit_test(nothing_breaks_however_the_file_is_cut),
	    cmocka_unit_test(what_is_absent_has_its_default),
	    cmocka_unit_test(lines_say_where_a_value_stands),
	    cmocka_unit_test(later_problems_find_their_place),
	    cmocka_unit_test(a_file_that_cannot_be_read_is_a_problem),
	    cmocka_unit_test(a_file_with_a_NUL_is_no_text),
	    cmocka_unit_test(a_reload_knows_what_it_cannot_change),
	    cmocka_unit_test(a_slip_of_the_pen_is_understood),
	    cmocka_unit_test(the_example_has_no_problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
