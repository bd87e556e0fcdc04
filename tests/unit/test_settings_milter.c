/*
 * test_settings_milter.c - the group "milter" of splitmx.conf
 */
#include "problems.h"

#define HERE "f:1: milter."
#define UNIX_ONLY "is for Unix sockets only, and there is none\n"

static const struct mistake milter_mistakes[] = {
    {"nothing of it", "", ""},
    {"a Unix socket", "milter = { listen = ( \"unix:/s\" ); mode = \"0600\"; group = \"g\"; };",
	""},
    {"both kinds", "milter = { listen = ( \"unix:/s\", \"inet:[::1]:1\" ); owner = \"o\"; };", ""},
    {"an empty list", "milter = { listen = (); };", HERE "listen: names no address\n"},
    {"the same address twice",
	"milter = { listen = ( \"inet:127.0.0.1:1\",\n\"inet:127.0.0.1:1\" ); };",
	"f:2: milter.listen: inet:127.0.0.1:1 is given twice, here and on line 1\n"},
    {"policyd's address",
	"policyd = { listen = ( { protocol = \"sink\"; address = \"inet:127.0.0.1:1\"; } ); };\n"
	"milter = { listen = ( \"inet:127.0.0.1:1\" ); };",
	"f:2: milter.listen: inet:127.0.0.1:1 is given twice, here and on line 1\n"},
    {"seventeen addresses",
	"milter = { listen = ( \"unix:/a\", \"unix:/b\", \"unix:/c\", \"unix:/d\", \"unix:/e\", "
	"\"unix:/f\", \"unix:/g\", \"unix:/h\", \"unix:/i\", \"unix:/j\", \"unix:/k\", \"unix:/l\", "
	"\"unix:/m\", \"unix:/n\", \"unix:/o\", \"unix:/p\", \"unix:/q\" ); };",
	HERE "listen: has more than 16 addresses\n"},
    {"no address", "milter = { listen = ( \"/s\" ); };",
	HERE "listen: /s is not \"unix:/PATH\" of at most 107 bytes or \"inet:HOST:PORT\"\n"},
    {"open to others", "milter = { listen = ( \"inet:0.0.0.0:1\" ); };",
	HERE "listen: inet:0.0.0.0:1 is open to other hosts, and the milter cannot see which one "
	     "connects: say with open_to_network that something else decides it\n"},
    {"open to others, as it is meant to be",
	"milter = { listen = ( \"inet:0.0.0.0:1\" ); open_to_network = true; };", ""},
    {"a word too many", "milter = { listen = ( \"inet:[::1]:1\" ); open_to_network = true; };",
	HERE "open_to_network: has no effect: no address of listen is open to other hosts\n"},
    {"permissions of nothing",
	"milter = { listen = ( \"inet:127.0.0.1:1\" ); mode = \"0600\"; owner = \"o\"; group = "
	"\"g\"; };",
	HERE "mode: " UNIX_ONLY HERE "owner: " UNIX_ONLY HERE "group: " UNIX_ONLY},
    {"nobody's side", "milter = { side = \"old\"; };", HERE "side: there is no destination old\n"},
    {"somebody's side", "destinations = ( { name = \"old\"; } ); milter = { side = \"old\"; };",
	""},
    {"numbers for everybody", "milter = { metrics = \"inet:0.0.0.0:1\"; };",
	HERE "metrics: inet:0.0.0.0:1 is not a loopback address: whoever can reach it may read\n"},
    {"a path that no socket can have",
	"milter = { policyd = "
	"\"/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/"
	"0123456789/0123456789/0123456789\"; };",
	HERE "policyd: "
	     "/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/"
	     "0123456789/0123456789/0123456789 is too long for a Unix socket\n"},
};

static void
every_mistake_is_named(void **state)
{
	assert_mistakes(milter_mistakes, ARRAY_LEN(milter_mistakes));
}

static void
what_is_not_given_has_a_default(void **state)
{
	struct settings *s = settings_load_text("milter = { listen = ( \"unix:/s\" ); };", "f");

	assert_problems(s, "");
	assert_int_equal(s->milter.listen_count, 1);
	assert_string_equal(s->milter.listen[0], "unix:/s");
	assert_string_equal(s->milter.mode, "0660");
	assert_string_equal(s->milter.policyd, "/run/splitmx/ask.sock");
	assert_int_equal(s->milter.policyd_timeout_ms, 2000);
	assert_int_equal(s->milter.idle_timeout_ms, 7210000);
	assert_null(s->milter.trace_keys);
	assert_null(s->milter.instance);
	assert_null(s->milter.side);
	assert_false(s->milter.defers_held || s->milter.strips_outgoing);
	settings_free(&s);
}

static void
add_name(void *ctx, const char *setting)
{
	buf_addf(ctx, "%s ", setting);
}

static void
listeners_need_a_restart_and_the_rest_does_not(void **state)
{
	struct settings *was = settings_load_text("milter = { listen = ( \"unix:/a\" ); };", "f");
	struct settings *is =
	    settings_load_text("milter = { listen = ( \"unix:/b\", \"unix:/c\" ); "
			       "mode = \"0600\"; defers_held = true; "
			       "max_sessions = 7; };",
		"f");
	struct buf names = BUF_INIT;

	assert_int_equal(settings_unreloadable(was, is, add_name, &names), 1);
	assert_string_equal(buf_cstr(&names), "milter.listen ");
	settings_keep(is, was);
	assert_int_equal(is->milter.listen_count, 1);
	assert_string_equal(is->milter.listen[0], "unix:/a");
	assert_string_equal(is->milter.mode, "0600");
	buf_fini(&names);
	settings_free(&was);
	settings_free(&is);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_mistake_is_named),
	    cmocka_unit_test(what_is_not_given_has_a_default),
	    cmocka_unit_test(listeners_need_a_restart_and_the_rest_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
