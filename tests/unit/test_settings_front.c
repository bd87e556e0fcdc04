/*
 * test_settings_front.c - the login front's settings, and what is said about mistakes
 *
 * Long because every mistake that a file can hold is a row here.
 */
#include "base/settings.h"

#include "base/mem.h"
#include "rules/ruleset.h"

#include <string.h>

#include "problems.h"
#include "unit.h"

/* Two destinations with four protocols: what a provider would write. */
static const char whole_file[] =
    "domains = ( \"example.org\" );\n"
    "destinations = (\n"
    "  { name = \"old\"; kick = ( \"/usr/bin/doveadm\", \"kick\", \"%a\" ); services = (\n"
    "    { protocol = \"imap\"; addresses = ( \"inet:10.0.0.1:143\", \"inet:10.0.0.2:143\" );\n"
    "      tls = \"none\"; trusted = true; caller = \"id\"; login = \"%u\"; },\n"
    "    { protocol = \"pop3\"; addresses = ( \"unix:/run/dovecot/pop3\" ); tls = \"none\";\n"
    "      trusted = false; caller = \"xclient\"; },\n"
    "    { protocol = \"submission\"; addresses = ( \"inet:old.internal:587\" );\n"
    "      tls = \"starttls\"; caller = \"xclient\"; verify = false; },\n"
    "    { protocol = \"sieve\"; addresses = ( \"inet:10.0.0.1:4190\" ); tls = \"starttls\";\n"
    "      caller = \"none\"; ca_file = \"/etc/splitmx/old.pem\"; server_name = \"old\"; } ); },\n"
    "  { name = \"new\"; services = (\n"
    "    { protocol = \"imap\"; addresses = ( \"inet:new.internal:993\" ); tls = \"implicit\";\n"
    "      caller = \"proxy\"; cert_file = \"/a\"; key_file = \"/b\"; connect_timeout = 500; },\n"
    "    { protocol = \"pop3\"; addresses = ( \"inet:new.internal:995\" ); tls = \"implicit\";\n"
    "      caller = \"proxy\"; pins = (\n"
    "      \"0123456789abcdef0123456789abcdef0123456789ABCDEF0123456789abcdef\" ); },\n"
    "    { protocol = \"submission\"; addresses = ( \"inet:new.internal:465\" );\n"
    "      tls = \"implicit\"; caller = \"proxy\"; },\n"
    "    { protocol = \"sieve\"; addresses = ( \"inet:new.internal:4190\" );\n"
    "      tls = \"starttls\"; caller = \"proxy\"; } ); },\n"
    "  { name = \"archive\"; } );\n" /* gets mail, lets nobody log in */
    "frontd = {\n"
    "  workers = 4; host_name = \"mail.example.org\"; default_domain = \"example.org\";\n"
    "  master_separators = \"*\"; unknown_login = \"old\";\n"
    "  park_end = \"refuse\"; metrics = \"inet:127.0.0.1:9101\"; tls_oldest = \"1.3\";\n"
    "  token_claims = ( \"email\", \"sub\" ); token_claims_first = true;\n"
    "  certificates = ( { cert_file = \"/c\"; key_file = \"/k\"; }, { cert_file = \"/d\"; } );\n"
    "  listen = (\n"
    "    { protocol = \"imap\"; address = \"inet:[::]:993\"; tls = \"implicit\"; },\n"
    "    { protocol = \"imap\"; address = \"inet:[::]:143\"; tls = \"starttls\"; },\n"
    "    { protocol = \"imap\"; address = \"inet:10.0.0.9:993\"; tls = \"none\";\n"
    "      plaintext_login = true; proxy_from = ( \"10.0.0.0/24\", \"2001:db8::7\" ); },\n"
    "    { protocol = \"pop3\"; address = \"inet:[::]:110\"; tls = \"starttls\";\n"
    "      plaintext_login = true; },\n"
    "    { protocol = \"submission\"; address = \"inet:[::]:587\"; tls = \"starttls\"; },\n"
    "    { protocol = \"sieve\"; address = \"inet:[::]:4190\"; tls = \"starttls\"; } );\n"
    "};\n";

static const char policyd_part[] =
    "maps = ( { name = \"t\"; owners = { old = \"\"; new = \"\"; archive = \"\"; }; } );\n"
    "policyd = { metrics = \"inet:[::1]:9100\";\n"
    "  listen = ( { protocol = \"socketmap\"; address = \"unix:/run/splitmx/map\"; } ); };\n";

static void
a_whole_file_is_understood(void **state)
{
	struct settings *s = settings_load_text(whole_file, "f");
	const struct destination_settings *old = &s->destinations[0], *new = &s->destinations[1];
	const struct frontd_settings *f = &s->frontd;

	assert_problems(s, "");
	assert_int_equal(s->destination_count, 3);
	assert_int_equal(old->kick_count, 3);
	assert_string_equal(old->kick[2], "%a");
	assert_int_equal(old->service_count, 4);
	assert_int_equal(old->services[0].address_count, 2);
	assert_string_equal(old->services[0].addresses[1], "inet:10.0.0.2:143");
	assert_int_equal(old->services[0].caller, SERVICE_CALLER_ID);
	assert_string_equal(old->services[0].login, "%u");
	assert_true(old->services[0].trusted);
	assert_false(old->services[1].trusted);
	assert_false(old->services[2].verify);
	assert_string_equal(old->services[3].server_name, "old");
	assert_int_equal(old->services[3].protocol, SERVICE_SIEVE);
	assert_int_equal(new->services[0].tls, TLS_MODE_IMPLICIT);
	assert_int_equal(new->services[0].connect_timeout_ms, 500);
	assert_int_equal(new->services[1].pin_count, 1);
	assert_true(new->services[1].verify);
	assert_int_equal(s->destinations[2].service_count, 0);
	assert_int_equal(f->workers, 4);
	assert_string_equal(f->unknown_login, "old");
	assert_int_equal(f->park_end, PARK_END_REFUSE);
	assert_int_equal(f->tls_oldest, TLS_OLDEST_1_3);
	assert_int_equal(f->token_claim_count, 2);
	assert_string_equal(f->token_claims[0], "email");
	assert_int_equal(f->certificate_count, 2);
	assert_null(f->certificates[1].key_file);
	assert_int_equal(f->listen_count, 6);
	assert_int_equal(f->listen[2].proxy_from_count, 2);
	assert_int_equal(f->listen[5].tls, TLS_MODE_STARTTLS);
	settings_free(&s);
}

static void
what_is_absent_has_its_default(void **state)
{
	struct settings *s = settings_load_text("", "f");
	const struct frontd_settings *f = &s->frontd;

	assert_string_equal(f->unknown_login, "refuse");
	assert_string_equal(f->default_domain, "");
	assert_string_equal(f->master_separators, "");
	assert_int_equal(f->park_end, PARK_END_CLOSE);
	assert_int_equal(f->tls_oldest, TLS_OLDEST_1_2);
	assert_int_equal(f->fail_delay_ms, 2000);
	assert_int_equal(f->idle_timeout_ms, 31 * 60 * 1000);
	assert_null(f->metrics);
	assert_null(s->policyd.metrics);
	assert_null(f->host_name);
	assert_false(f->token_claims_first);
	settings_free(&s);
	s = settings_load_text(
	    "destinations = ( { name = \"a\"; services = ( { protocol = \"imap\";\n"
	    "addresses = ( \"inet:a:1\" ); tls = \"starttls\"; caller = \"id\"; } ); } );",
	    "f");
	assert_problems(s, "");
	assert_true(s->destinations[0].services[0].verify);
	assert_false(s->destinations[0].services[0].trusted);
	assert_string_equal(s->destinations[0].services[0].login, "");
	assert_int_equal(s->destinations[0].services[0].connect_timeout_ms, 2000);
	settings_free(&s);
}

/* policyd and frontd read the same file; on some hosts only one of them runs. */
static void
each_daemon_goes_without_the_other(void **state)
{
	char *both = xasprintf("%s%s", whole_file, policyd_part);
	struct settings *s = settings_load_text(both, "f");
	struct ruleset *rules;

	assert_problems(s, "");
	rules = ruleset_new(s); /* what policyd looks at besides */
	assert_non_null(rules);
	ruleset_free(&rules);
	settings_free(&s);
	s = settings_load_text("destinations = ( { name = \"old\"; }, { name = \"new\"; }, "
			       "{ name = \"archive\"; } );",
	    "f");
	assert_problems(s, "");
	settings_free(&s);
	free(both);
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

/* ---- destinations */

/* A destination on line 1, its service on line 2 with "fields", on line 3 with "more". */
#define SERVICES(first, more)                                                                      \
	"destinations = ( { name = \"a\"; services = (\n{ " first " }" more " ); } );\n"
#define SERVICE(fields) SERVICES(fields, "")
#define AT "addresses = ( \"inet:h:1\" ); "
#define IMAP "protocol = \"imap\"; " AT
#define CLEAR IMAP "caller = \"id\"; tls = \"none\"; "
#define WRAPPED IMAP "caller = \"id\"; tls = \"starttls\"; "
#define PIN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define IN_SERVICE "f:2: destinations.services."
#define KICK(texts)                                                                                \
	"destinations = ( { name = \"a\"; services = ( { " CLEAR                                   \
	"trusted = true; } );\nkick = ( " texts " ); } );\n"

static const struct mistake service_mistakes[] = {
    {"nothing in it", SERVICE(""),
	IN_SERVICE "protocol: is missing in the group that begins here\n" IN_SERVICE
		   "tls: is missing in the group that begins here\n" IN_SERVICE
		   "caller: is missing in the group that begins here\n" IN_SERVICE
		   "addresses: is missing: where is it spoken?\n"},
    {"a list without services", "destinations = ( { name = \"a\"; services = ( ); } );\n",
	"f:1: destinations.services: names no service: leave it out where nobody can log in\n"},
    {"two of one protocol", SERVICES(WRAPPED, ",\n{ " WRAPPED "}"),
	"f:3: destinations.services.protocol: imap is given twice, here and on line 2; one service "
	"may have several addresses\n"},
    {"one protocol at two destinations",
	"destinations = ( { name = \"a\"; services = ( { " WRAPPED "} ); },\n"
	"{ name = \"b\"; services = ( { " WRAPPED "} ); } );\n",
	""},

    /* where */
    {"no addresses in the list",
	SERVICE("protocol = \"imap\"; caller = \"id\"; tls = \"starttls\"; addresses = ( );"),
	IN_SERVICE "addresses: names no address\n"},
    {"a refused address is not a missing one",
	SERVICE("protocol = \"imap\"; caller = \"id\"; tls = \"starttls\"; addresses = ( \"h\" );"),
	IN_SERVICE
	"addresses: h is not \"unix:/PATH\" of at most 107 bytes or \"inet:HOST:PORT\"\n"},
    {"an address twice",
	SERVICE("protocol = \"imap\"; caller = \"id\"; tls = \"starttls\";\n"
		"addresses = ( \"inet:h:1\", \"inet:h:1\" );"),
	"f:3: destinations.services.addresses: inet:h:1 is given twice, here and on line 3\n"},
    {"the front's own listener",
	SERVICE(
	    "protocol = \"imap\"; caller = \"none\"; tls = \"starttls\";\n"
	    "addresses = ( \"inet:127.0.0.1:1143\" );") "frontd = { listen = ( { protocol = \"imap\"; address = \"inet:127.0.0.1:1143\";\n"
							"tls = \"none\"; plaintext_login = true; } ); };\n",
	"f:3: destinations.services.addresses: inet:127.0.0.1:1143 is where the front itself "
	"listens, on line 4\n"},
    {"another protocol's port",
	SERVICE("protocol = \"pop3\"; caller = \"none\"; tls = \"starttls\"; addresses = ( "
		"\"inet:h:143\" );"),
	IN_SERVICE "addresses: port 143 is for imap, not for pop3\n"},
    {"STARTTLS where TLS begins at once",
	SERVICE("protocol = \"submission\"; caller = \"none\"; tls = \"starttls\"; addresses = ( "
		"\"inet:h:465\" );"),
	IN_SERVICE "addresses: on port 465 TLS begins at once: tls must be \"implicit\"\n"},
    {"no TLS where TLS begins at once",
	SERVICE("protocol = \"imap\"; caller = \"none\"; tls = \"none\"; trusted = true; addresses "
		"= ( \"inet:[::1]:993\" );"),
	IN_SERVICE "addresses: on port 993 TLS begins at once: tls must be \"implicit\"\n"},
    {"TLS at once where it begins with a command",
	SERVICE("protocol = \"sieve\"; caller = \"none\"; tls = \"implicit\"; addresses = ( "
		"\"inet:h:4190\" );"),
	IN_SERVICE "addresses: on port 4190 TLS begins with a command: tls must be \"starttls\"\n"},
    {"a port that ends like a known one",
	SERVICE("protocol = \"imap\"; caller = \"none\"; tls = \"starttls\"; addresses = ( "
		"\"inet:h:2993\", \"unix:/a:993\" ); server_name = \"h\";"),
	""},

    /* who is calling */
    {"id for pop3", SERVICE("protocol = \"pop3\"; " AT "tls = \"starttls\"; caller = \"id\";"),
	IN_SERVICE "caller: id is a command of imap; for pop3 there are \"proxy\", \"xclient\" and "
		   "\"none\"\n"},
    {"id for submission",
	SERVICE("protocol = \"submission\"; " AT "tls = \"starttls\"; caller = \"id\";"),
	IN_SERVICE
	"caller: id is a command of imap; for submission there are \"proxy\", \"xclient\" "
	"and \"none\"\n"},
    {"id for sieve", SERVICE("protocol = \"sieve\"; " AT "tls = \"starttls\"; caller = \"id\";"),
	IN_SERVICE
	"caller: id is a command of imap; for sieve there are \"proxy\", \"xclient\" and "
	"\"none\"\n"},
    {"xclient for imap", SERVICE(IMAP "tls = \"starttls\"; caller = \"xclient\";"),
	IN_SERVICE "caller: imap has no xclient; there are \"proxy\", \"id\" and \"none\"\n"},
    {"xclient for the others",
	SERVICES("protocol = \"pop3\"; " AT "tls = \"starttls\"; caller = \"xclient\";",
	    ", { protocol = \"submission\"; " AT "tls = \"starttls\"; caller = \"xclient\"; }, "
	    "{ protocol = \"sieve\"; " AT "tls = \"starttls\"; caller = \"xclient\"; }"),
	""},
    {"a word that is none", SERVICE(IMAP "tls = \"starttls\"; caller = \"xlient\";"),
	IN_SERVICE "caller: xlient is not \"proxy\", \"xclient\", \"id\" or \"none\"; did you mean "
		   "\"xclient\"?\n"},

    /* TLS */
    {"passwords in the clear, and nobody said that they may", SERVICE(CLEAR),
	IN_SERVICE "trusted: is missing: with tls = \"none\", may passwords be sent there?\n"},
    {"passwords in the clear, allowed", SERVICE(CLEAR "trusted = true;"), ""},
    {"passwords in the clear, forbidden", SERVICE(CLEAR "trusted = false;"), ""},
    {"trusted with TLS", SERVICE(WRAPPED "trusted = true;"),
	IN_SERVICE
	"trusted: is for tls = \"none\" only: with TLS passwords are sent in any case\n"},
    {"what is for TLS only",
	SERVICE(CLEAR "trusted = true; verify = true; ca_file = \"/a\"; cert_file = \"/a\";\n"
		      "key_file = \"/a\"; server_name = \"h\"; pins = ( \"" PIN "\" );"),
	IN_SERVICE "verify: is for TLS, and tls is \"none\"\n" IN_SERVICE
		   "ca_file: is for TLS, and tls is \"none\"\n" IN_SERVICE
		   "cert_file: is for TLS, and tls is \"none\"\n"
		   "f:3: destinations.services.key_file: is for TLS, and tls is \"none\"\n"
		   "f:3: destinations.services.server_name: is for TLS, and tls is \"none\"\n"
		   "f:3: destinations.services.pins: is for TLS, and tls is \"none\"\n"},
    {"nothing is concluded from a mode that was refused",
	SERVICE(IMAP "caller = \"id\"; tls = \"ssl\"; trusted = true; verify = false;"),
	IN_SERVICE "tls: ssl is not \"none\", \"starttls\" or \"implicit\"\n"},
    {"not verified, but pinned", SERVICE(WRAPPED "verify = false; pins = ( \"" PIN "\" );"),
	IN_SERVICE "pins: has no effect with verify = false\n"},
    {"not verified, but by whose signature", SERVICE(WRAPPED "verify = false;\nca_file = \"/a\";"),
	"f:3: destinations.services.ca_file: has no effect with verify = false\n"},
    {"not verified", SERVICE(WRAPPED "verify = false;"), ""},
    {"pinned, and signed by one of ours",
	SERVICE(WRAPPED "ca_file = \"/a\"; pins = ( \"" PIN "\" );"), ""},
    {"no pins in the list", SERVICE(WRAPPED "pins = ( );"),
	IN_SERVICE "pins: names no key: leave it out to take any\n"},
    {"a pin twice", SERVICE(WRAPPED "pins = ( \"" PIN "\", \"" PIN "\" );"),
	IN_SERVICE "pins: " PIN " is given twice, here and on line 2\n"},
    {"a pin that is too short", SERVICE(WRAPPED "pins = ( \"0123\" );"),
	IN_SERVICE "pins: 0123 is not 64 hexadecimal digits\n"},
    {"a key without certificate", SERVICE(WRAPPED "key_file = \"/a\";"),
	IN_SERVICE "key_file: its cert_file is missing\n"},
    {"a certificate with its key in it", SERVICE(WRAPPED "cert_file = \"/a\";"), ""},
    {"a socket file and no name to expect",
	SERVICE("protocol = \"imap\"; caller = \"id\"; tls = \"starttls\"; addresses = ( "
		"\"inet:h:1\",\n\"unix:/a\", \"unix:/b\" );"),
	"f:3: destinations.services.server_name: is missing: whose certificate is to be expected "
	"at unix:/a?\n"},
    {"a socket file and anybody's certificate",
	SERVICE("protocol = \"imap\"; caller = \"id\"; tls = \"starttls\"; addresses = ( "
		"\"unix:/a\" ); verify = false;"),
	""},

    /* the name to log in with */
    {"every expansion", SERVICE(WRAPPED "login = \"%a%u%d%l%%\";"), ""},
    {"an expansion of another place", SERVICE(WRAPPED "login = \"%u@%o\";"),
	IN_SERVICE
	"login: %u@%o has a '%' that does not begin one of the expansions it may have; a "
	"percent sign is %%\n"},
    {"a percent sign at the end", SERVICE(WRAPPED "login = \"%u%\";"),
	IN_SERVICE "login: %u% has a '%' that does not begin one of the expansions it may have; a "
		   "percent sign is %%\n"},
    {"one name for everybody", SERVICE(WRAPPED "login = \"ann@%d\";"),
	IN_SERVICE "login: ann@%d has no %a, %u or %l: everybody would log in by the same name\n"},

    /* ending sessions */
    {"a command with every expansion", KICK("\"/bin/kick\", \"-x\", \"%a %u %d %o %%\""), ""},
    {"no command", KICK(""), "f:2: destinations.kick: names no command\n"},
    {"a command that a shell would look for", KICK("\"doveadm\", \"kick\", \"%a\""),
	"f:2: destinations.kick: doveadm is not an absolute path; no shell looks for it\n"},
    {"a whole line of shell", KICK("\"/usr/bin/doveadm kick %a\""),
	"f:2: destinations.kick: no argument has %a or %u in it: whose sessions are to be ended?\n"},
    {"a command for everybody", KICK("\"/bin/kick\", \"%d\""),
	"f:2: destinations.kick: no argument has %a or %u in it: whose sessions are to be ended?\n"},
    {"an expansion that it does not have", KICK("\"/bin/kick\", \"%a\",\n\"%l\""),
	"f:3: destinations.kick: %l has a '%' that does not begin one of the expansions it may "
	"have; a percent sign is %%\n"},
    {"a text in place of the list",
	"destinations = ( { name = \"a\"; kick = \"/bin/kick %a\"; } );\n",
	"f:1: destinations.kick: must be a list of texts: ( \"...\", \"...\" ), but is a text\n"},
    {"a command without sessions",
	"destinations = ( { name = \"a\"; kick = ( \"/bin/kick\", \"%a\" ); } );\n",
	"f:1: destinations.kick: is for destinations with services only: without them there are no "
	"sessions\n"},
};

static void
each_mistake_of_a_destination_is_named(void **state)
{
	assert_mistakes(service_mistakes, ARRAY_LEN(service_mistakes));
}

/* ---- frontd */

#define HOME SERVICE(CLEAR "trusted = true;") /* two lines and an end */
#define FRONT(fields) HOME "frontd = { " fields " };\n"
#define LISTEN(fields) FRONT("listen = ( { protocol = \"imap\"; " fields " } );")
#define SHOWN(fields)                                                                               \
	FRONT(                                                                                      \
	    "certificates = ( { cert_file = \"/c\"; } ); listen = ( { protocol = \"imap\"; " fields \
	    " } );")
#define HERE "address = \"inet:0.0.0.0:1143\"; "
#define PLAIN HERE "tls = \"none\"; plaintext_login = true; "

static const struct mistake front_mistakes[] = {
    {"a listener without anything", FRONT("listen = ( { } );"),
	"f:3: frontd.listen.protocol: is missing in the group that begins here\n"
	"f:3: frontd.listen.address: is missing in the group that begins here\n"
	"f:3: frontd.listen.tls: is missing in the group that begins here\n"},
    {"no listener", FRONT("workers = 2;"), ""},

    /* addresses */
    {"a socket file", SHOWN("address = \"unix:/run/splitmx/imap\"; tls = \"starttls\";"),
	"f:3: frontd.listen.address: unix:/run/splitmx/imap: clients come by TCP, so it must be "
	"inet:HOST:PORT\n"},
    {"an address twice",
	FRONT("listen = ( { protocol = \"imap\"; " PLAIN "},\n{ protocol = \"imap\"; " PLAIN
	      "} );"),
	"f:4: frontd.listen.address: inet:0.0.0.0:1143 is given twice, here and on line 3\n"},
    {"an address of policyd",
	LISTEN(PLAIN) "policyd = { listen = ( { protocol = \"sink\"; address = "
		      "\"inet:0.0.0.0:1143\"; allow = ( \"10.0.0.1\" ); } ); };\n",
	"f:3: frontd.listen.address: inet:0.0.0.0:1143 is given twice, here and on line 4\n"},
    {"an address of policyd for metrics",
	FRONT("metrics = \"inet:127.0.0.1:9100\";") "policyd = { metrics = "
						    "\"inet:127.0.0.1:9100\"; };\n",
	"f:3: frontd.metrics: inet:127.0.0.1:9100 is given twice, here and on line 4\n"},
    {"another protocol's port", SHOWN("address = \"inet:0.0.0.0:995\"; tls = \"implicit\";"),
	"f:3: frontd.listen.address: port 995 is for pop3, not for imap\n"},
    {"STARTTLS where clients begin with TLS",
	SHOWN("address = \"inet:0.0.0.0:993\"; tls = \"starttls\";"),
	"f:3: frontd.listen.address: on port 993 TLS begins at once: tls must be \"implicit\"\n"},
    {"TLS where clients begin without", SHOWN("address = \"inet:[::]:143\"; tls = \"implicit\";"),
	"f:3: frontd.listen.address: on port 143 TLS begins with a command: tls must be "
	"\"starttls\"\n"},
    {"a balancer that unwraps",
	LISTEN("address = \"inet:[::]:993\"; tls = \"none\"; plaintext_login = true; proxy_from = "
	       "( \"10.0.0.7\" );"),
	""},
    {"nobody serves it", FRONT("listen = ( { protocol = \"pop3\"; " PLAIN "} );"),
	"f:3: frontd.listen.protocol: no destination has a service for pop3\n"},
    {"there is nobody", "frontd = { listen = ( { protocol = \"imap\"; " PLAIN "} ); };\n",
	"f:1: frontd.listen.protocol: no destination has a service for imap\n"},
    {"somebody may serve it, but was refused",
	"destinations = ( { name = \"a\"; services = 5; } );\n"
	"frontd = { listen = ( { protocol = \"pop3\"; " PLAIN "} ); };\n",
	"f:1: destinations.services: must be a list of groups: ( { ... }, { ... } ), but is a "
	"number\n"},

    {"somebody may serve it, but what he speaks was refused",
	SERVICE(
	    "protocol = \"imaps\"; " AT
	    "tls = \"starttls\"; caller = \"none\";") "frontd = { listen = ( { protocol = \"pop3\"; " PLAIN
						      "} ); };\n",
	IN_SERVICE
	"protocol: imaps is not \"imap\", \"pop3\", \"submission\" or \"sieve\"; did you "
	"mean \"imap\"?\n"},
    {"nothing is concluded from what was refused",
	FRONT("listen = ( { protocol = \"imaps\"; address = \"inet:0.0.0.0\"; tls = \"ssl\"; } );"),
	"f:3: frontd.listen.protocol: imaps is not \"imap\", \"pop3\", \"submission\" or \"sieve\"; "
	"did you mean \"imap\"?\n"
	"f:3: frontd.listen.address: inet:0.0.0.0 is not \"unix:/PATH\" of at most 107 bytes or "
	"\"inet:HOST:PORT\"\n"
	"f:3: frontd.listen.tls: ssl is not \"none\", \"starttls\" or \"implicit\"\n"},

    /* TLS */
    {"STARTTLS without certificates", LISTEN(HERE "tls = \"starttls\";"),
	"f:3: frontd.listen.tls: there are no frontd.certificates to show\n"},
    {"TLS without certificates", LISTEN(HERE "tls = \"implicit\";"),
	"f:3: frontd.listen.tls: there are no frontd.certificates to show\n"},
    {"TLS with an empty list of them",
	FRONT("certificates = ( ); listen = ( { protocol = \"imap\"; " HERE
	      "tls = \"implicit\"; } );"),
	"f:3: frontd.listen.tls: there are no frontd.certificates to show\n"},
    {"TLS, but the certificates were refused",
	FRONT("certificates = 5; listen = ( { protocol = \"imap\"; " HERE
	      "tls = \"implicit\"; } );"),
	"f:3: frontd.certificates: must be a list of groups: ( { ... }, { ... } ), but is a "
	"number\n"},
    {"a certificate without file", FRONT("certificates = ( {\nkey_file = \"/k\"; } );"),
	"f:3: frontd.certificates.cert_file: is missing in the group that begins here\n"},
    {"a certificate twice",
	FRONT("certificates = ( { cert_file = \"/c\"; },\n{ cert_file = \"/c\"; } );"),
	"f:4: frontd.certificates.cert_file: /c is given twice, here and on line 3\n"},
    {"without TLS, and nobody said that passwords are taken", LISTEN(HERE "tls = \"none\";"),
	"f:3: frontd.listen.plaintext_login: is missing or false: with tls = \"none\" nobody could "
	"log in here\n"},
    {"without TLS and passwords on a loopback address",
	LISTEN("address = \"inet:127.0.0.1:1143\"; tls = \"none\"; plaintext_login = false;"),
	"f:3: frontd.listen.plaintext_login: is missing or false: with tls = \"none\" nobody could "
	"log in here\n"},
    {"passwords without TLS where there is always TLS",
	SHOWN(HERE "tls = \"implicit\";\nplaintext_login = true;"),
	"f:4: frontd.listen.plaintext_login: has no effect: with tls = \"implicit\" there is "
	"nothing without TLS\n"},
    {"no passwords without TLS where there is always TLS",
	SHOWN(HERE "tls = \"implicit\"; plaintext_login = false;"), ""},
    {"passwords without TLS beside STARTTLS",
	SHOWN(HERE "tls = \"starttls\"; plaintext_login = true;"), ""},
    {"a version that is too old", FRONT("tls_oldest = \"1.1\";"),
	"f:3: frontd.tls_oldest: 1.1 is not \"1.2\" or \"1.3\"; did you mean \"1.2\"?\n"},

    /* PROXY headers */
    {"test_C16: a list that trusts nobody", LISTEN(PLAIN "proxy_from = ( );"),
	"f:3: frontd.listen.proxy_from: names no network: leave it out where nobody sends PROXY "
	"headers\n"},
    {"test_C16: a list that trusts everybody",
	LISTEN(PLAIN "proxy_from = ( \"10.0.0.0/8\",\n\"0.0.0.0/0\", \"::/00\" );"),
	"f:4: frontd.listen.proxy_from: 0.0.0.0/0 would let everybody say who he is\n"
	"f:4: frontd.listen.proxy_from: ::/00 would let everybody say who he is\n"},
    {"a network twice", LISTEN(PLAIN "proxy_from = ( \"10.0.0.7\", \"10.0.0.7\" );"),
	"f:3: frontd.listen.proxy_from: 10.0.0.7 is given twice, here and on line 3\n"},
    {"a network that is half a host",
	LISTEN(PLAIN "proxy_from = ( \"10.0.0.7/24\", \"2001:db8::7/127\", \"2001:db8::6/127\" );"),
	"f:3: frontd.listen.proxy_from: 10.0.0.7/24 is not a network such as \"192.0.2.0/24\" or "
	"\"2001:db8::/32\"\n"
	"f:3: frontd.listen.proxy_from: 2001:db8::7/127 is not a network such as \"192.0.2.0/24\" or "
	"\"2001:db8::/32\"\n"},
    {"a refused network is not a missing one", LISTEN(PLAIN "proxy_from = ( \"10.0.0\" );"),
	"f:3: frontd.listen.proxy_from: 10.0.0 is not a network such as \"192.0.2.0/24\" or "
	"\"2001:db8::/32\"\n"},

    /* who may log in */
    {"unknown logins are refused", FRONT("unknown_login = \"refuse\";"), ""},
    {"unknown logins go somewhere", FRONT("unknown_login = \"a\";"), ""},
    {"unknown logins go nowhere", FRONT("unknown_login = \"olds\";"),
	"f:3: frontd.unknown_login: there is no destination olds\n"},
    {"a slip of the pen",
	"destinations = ( { name = \"legacy\"; services = ( { " WRAPPED "} ); } );\n"
	"frontd = { unknown_login = \"lagacy\"; };\n",
	"f:2: frontd.unknown_login: there is no destination lagacy; did you mean legacy?\n"},
    {"unknown logins go where nobody logs in",
	"destinations = ( { name = \"a\"; } );\nfrontd = { unknown_login = \"a\"; };\n",
	"f:2: frontd.unknown_login: destination a has no services: nobody can log in there\n"},
    {"who is there", SERVICE(CLEAR "trusted = true; who = ( \"/bin/who\", \"%a %u %d %o %%\" );"),
	""},
    {"who without a program", SERVICE(CLEAR "trusted = true; who = ();"),
	IN_SERVICE "who: names no command\n"},
    {"who of a shell", SERVICE(CLEAR "trusted = true; who = ( \"doveadm who\" );"),
	IN_SERVICE "who: doveadm who is not an absolute path; no shell looks for it\n"},
    {"who of nobody", SERVICE(CLEAR "trusted = true; who = ( \"/bin/who\", \"%l\" );"),
	IN_SERVICE "who: %l has a '%' that does not begin one of the expansions it may have; a "
		   "percent sign is %%\n"},
    {"logins are tried elsewhere, too",
	"destinations = ( { name = \"a\"; rehearse = \"b\"; services = ( { " WRAPPED "} ); },\n"
	"{ name = \"b\"; services = ( { " WRAPPED "} ); } );\n",
	""},
    {"logins are tried where they were",
	"destinations = ( { name = \"a\"; rehearse = \"a\"; services = ( { " WRAPPED "} ); } );\n",
	"f:1: destinations.rehearse: is this destination itself: its logins have succeeded "
	"already\n"},
    {"logins are tried nowhere",
	"destinations = ( { name = \"a\"; rehearse = \"new\"; services = ( { " WRAPPED
	"} ); } );\n",
	"f:1: destinations.rehearse: there is no destination new\n"},
    {"logins are tried where nobody logs in",
	"destinations = ( { name = \"a\"; rehearse = \"b\"; },\n{ name = \"b\"; } );\n",
	"f:1: destinations.rehearse: destination b has no services: nobody can log in there\n"
	"f:1: destinations.rehearse: is for destinations with services only: without them nobody "
	"logs in\n"},
    {"a destination that was refused is not missing",
	"destinations = 5;\nfrontd = { unknown_login = \"a\"; };\n",
	"f:1: destinations: must be a list of groups: ( { ... }, { ... } ), but is a number\n"},
    {"no default domain, said so", FRONT("default_domain = \"\";"), ""},
    {"an address for a domain", FRONT("default_domain = \"a@example.org\";"),
	"f:3: frontd.default_domain: a@example.org is not a domain\n"},
    {"a separator that begins an extension", FRONT("master_separators = \"*+\";"),
	"f:3: frontd.master_separators: '+' begins an address extension, too, by "
	"recipient_delimiter\n"},
    {"a separator that would begin one elsewhere",
	"recipient_delimiter = \"\";\nfrontd = { master_separators = \"+\"; };\n", ""},
    {"a claim twice", FRONT("token_claims = ( \"sub\", \"sub\" );"),
	"f:3: frontd.token_claims: sub is given twice, here and on line 3\n"},
    {"claims first without claims", FRONT("token_claims_first = true;"),
	"f:3: frontd.token_claims_first: has no effect without token_claims\n"},

    /* the rest */
    {"metrics for everybody", FRONT("metrics = \"inet:0.0.0.0:9101\";"),
	"f:3: frontd.metrics: inet:0.0.0.0:9101 is not a loopback address: whoever can reach it may "
	"read\n"},
    {"metrics in a socket file", FRONT("metrics = \"unix:/run/splitmx/metrics\";"),
	"f:3: frontd.metrics: unix:/run/splitmx/metrics is not a loopback address: whoever can "
	"reach it may read\n"},
    {"metrics on a loopback address", FRONT("metrics = \"inet:[::1]:9101\";"), ""},
    {"a refusal later than the end", FRONT("login_timeout = 5000; fail_delay = 5000;"),
	"f:3: frontd.fail_delay: 5000 is not less than login_timeout, which is 5000: nobody would "
	"hear that a password is wrong\n"},
    {"a default refusal later than the end", FRONT("\nlogin_timeout = 2000;"),
	"f:4: frontd.fail_delay: 2000 is not less than login_timeout, which is 2000: nobody would "
	"hear that a password is wrong\n"},
    {"how waiting ends", FRONT("park_end = \"bye\";"),
	"f:3: frontd.park_end: bye is not \"close\" or \"refuse\"\n"},
};

static void
each_mistake_of_frontd_is_named(void **state)
{
	assert_mistakes(front_mistakes, ARRAY_LEN(front_mistakes));
}

/* ---- what a reload cannot change */

static void
add_name(void *ctx, const char *setting)
{
	buf_addf(ctx, "%s ", setting);
}

/* Everything but the number of workers and what was promised to the map. */
static void
a_reload_changes_nearly_all(void **state)
{
	struct settings *was = settings_load_text("", "f");
	struct settings *is = settings_load_text(whole_file, "f");
	struct buf names = BUF_INIT;

	settings_unreloadable(was, is, add_name, &names);
	assert_string_equal(buf_cstr(&names), "frontd.workers ");
	settings_free(&is);
	is = settings_load_text("frontd = { end_timeout = 100; };", "f");
	buf_clear(&names);
	settings_unreloadable(was, is, add_name, &names);
	assert_string_equal(buf_cstr(&names), "frontd.end_timeout ");
	buf_fini(&names);
	settings_free(&was);
	settings_free(&is);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_file_is_understood),
	    cmocka_unit_test(what_is_absent_has_its_default),
	    cmocka_unit_test(each_daemon_goes_without_the_other),
	    cmocka_unit_test(nothing_breaks_however_the_file_is_cut),
	    cmocka_unit_test(each_mistake_of_a_destination_is_named),
	    cmocka_unit_test(each_mistake_of_frontd_is_named),
	    cmocka_unit_test(a_reload_changes_nearly_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
