/*
 * test_imap_back.c - IMAP with a backend, until the login stands
 *
 * Each row is what a backend says and what it hears; what the machine tells its
 * driver stands in the transcript in angle brackets. Long, because half of it is rows.
 */
#include "front/imap_back.h"

#include "base/mem.h"
#include "cuts.h"
#include "unit.h"

enum {
	START_TLS = 1,
	UNSAFE = 2, /* the leg is clear, and nobody said that this is well */
	TELL_ID = 4, /* caller = id */
	CLIENT_ID = 8, /* the client has said who it is */
	OTHER_NAME = 16, /* the login name is rewritten */
};

/* clang-format off */
#define WITH(mechanism_, name_, secret_) \
	{.mechanism = mechanism_, .authcid = STR(name_), .secret = STR(secret_)}
#define PASSWORD WITH(MECHANISM_PLAIN, "ann", "secret")
#define WORDS(name_, secret_) WITH(MECHANISM_LOGIN, name_, secret_)
#define TOKEN WITH(MECHANISM_XOAUTH2, "ann", "token")
#define SCRAM WITH(MECHANISM_SCRAM_SHA_256, "ann", "n,,n=ann,r=xyz")
#define AS_BOB \
	{.mechanism = MECHANISM_PLAIN, .authzid = STR("bob"), .authcid = STR("ann"), \
	    .secret = STR("secret")}
/* clang-format on */

#define HELLO(caps) "* OK [CAPABILITY IMAP4rev1 " caps "] hello\r\n"
#define ALL HELLO("ID SASL-IR AUTH=PLAIN")
/* base64 of NUL ann NUL secret, and with bob before it or another name in it. */
#define PLAIN "AGFubgBzZWNyZXQ="
#define PLAIN_BOB "Ym9iAGFubgBzZWNyZXQ="
#define PLAIN_OTHER "AGFubkBvbGQAc2VjcmV0"
#define CALLER                                                                                     \
	"(\"x-session-id\" \"0123456789abcdef\" \"x-originating-ip\" \"192.0.2.7\" "               \
	"\"x-originating-port\" \"51022\" \"x-connected-ip\" \"198.51.100.1\" "                    \
	"\"x-connected-port\" \"993\" \"x-proxy-ttl\" \"4\""

static const struct {
	const char *name;
	unsigned how;
	struct credentials credentials;
	struct str says, hears;
} rows[] = {
    /* one flight where it can be one */
    {"AUTHENTICATE PLAIN at once", 0, PASSWORD, STR(ALL "a OK in\r\n* 3 EXISTS\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<accepted |OK in><left * 3 EXISTS\r\n>")},
    {"ID and login in one write", TELL_ID | CLIENT_ID, PASSWORD,
	STR(ALL "* ID (\"name\" \"Dovecot\")\r\ni OK\r\na OK in\r\n"),
	STR("i ID " CALLER " \"name\" \"mutt\")\r\na AUTHENTICATE PLAIN " PLAIN
	    "\r\n<accepted |OK in>")},
    {"the client's ID alone", CLIENT_ID, PASSWORD, STR(ALL "i NO\r\na OK in\r\n"),
	STR("i ID (\"name\" \"mutt\")\r\na AUTHENTICATE PLAIN " PLAIN "\r\n<accepted |OK in>")},
    {"the client's ID where there is none", CLIENT_ID, PASSWORD, STR(HELLO("") "a OK in\r\n"),
	STR("a LOGIN \"ann\" \"secret\"\r\n<accepted |OK in>")},
    {"ID is answered late", TELL_ID, PASSWORD, STR(ALL "a OK in\r\ni OK\r\n* 3 EXISTS\r\n"),
	STR("i ID " CALLER ")\r\na AUTHENTICATE PLAIN " PLAIN
	    "\r\n<accepted |OK in><left * 3 EXISTS\r\n>")},
    {"capabilities have to be asked for", 0, PASSWORD,
	STR("* OK hello\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\nc OK\r\na OK in\r\n"),
	STR("c CAPABILITY\r\na AUTHENTICATE PLAIN " PLAIN "\r\n<accepted |OK in>")},
    {"untagged lines and the list are passed", 0, PASSWORD,
	STR(ALL "* OK [ALERT] be nice\r\n* CAPABILITY IMAP4rev1 IDLE\r\n"
		"* X ({3}\r\n\r\na)\r\na OK [CAPABILITY IMAP4rev1 IDLE] in\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN
	    "\r\n<accepted * OK [ALERT] be nice\r\n* CAPABILITY IMAP4rev1 IDLE\r\n"
	    "* X ({3}\r\n\r\na)\r\n|OK [CAPABILITY IMAP4rev1 IDLE] in>")},

    /* how a password can be said */
    {"LOGIN with quoted strings", 0, WORDS("a \"n\" {3}", "%n\\"), STR(HELLO("") "a OK\r\n"),
	STR("a LOGIN \"a \\\"n\\\" {3}\" \"%n\\\\\"\r\n<accepted |OK>")},
    {"LOGIN saves a round trip", 0, PASSWORD, STR(HELLO("AUTH=PLAIN") "a OK\r\n"),
	STR("a LOGIN \"ann\" \"secret\"\r\n<accepted |OK>")},
    {"AUTHENTICATE PLAIN when asked", 0, PASSWORD,
	STR(HELLO("AUTH=PLAIN LOGINDISABLED") "+ \r\na OK\r\n"),
	STR("a AUTHENTICATE PLAIN\r\n" PLAIN "\r\n<accepted |OK>")},
    {"AUTHENTICATE LOGIN", 0, PASSWORD,
	STR(HELLO("AUTH=LOGIN LOGINDISABLED SASL-IR") "+ VXNlcm5hbWU6\r\n+ \r\na OK\r\n"),
	STR("a AUTHENTICATE LOGIN\r\nYW5u\r\nc2VjcmV0\r\n<accepted |OK>")},
    {"LOGIN with literals that need no leave", 0, WORDS("j\xc3\xb6rg", "p\xc3\xa4ss"),
	STR(HELLO("LITERAL-") "a OK\r\n"),
	STR("a LOGIN {5+}\r\nj\xc3\xb6rg {5+}\r\np\xc3\xa4ss\r\n<accepted |OK>")},
    {"LOGIN with literals that need it", 0, WORDS("j\xc3\xb6rg", "p\xc3\xa4ss"),
	STR(HELLO("") "+ go\r\n+\r\na OK\r\n"),
	STR("a LOGIN {5}\r\nj\xc3\xb6rg {5}\r\np\xc3\xa4ss\r\n<accepted |OK>")},
    {"LOGIN, mixed", 0, WORDS("ann", "p\xc3\xa4ss"), STR(HELLO("") "+ go\r\na OK\r\n"),
	STR("a LOGIN \"ann\" {5}\r\np\xc3\xa4ss\r\n<accepted |OK>")},
    {"AUTHENTICATE before literals that need leave", 0, WORDS("ann", "p\xc3\xa4ss"),
	STR(HELLO("AUTH=PLAIN") "+\r\na OK\r\n"),
	STR("a AUTHENTICATE PLAIN\r\nAGFubgBww6Rzcw==\r\n<accepted |OK>")},
    {"another name", OTHER_NAME, PASSWORD, STR(HELLO("SASL-IR AUTH=PLAIN") "a OK\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_OTHER "\r\n<accepted |OK>")},
    {"another name with LOGIN", OTHER_NAME, PASSWORD, STR(HELLO("") "a OK\r\n"),
	STR("a LOGIN \"ann@old\" \"secret\"\r\n<accepted |OK>")},
    {"C9 an authorization id only with PLAIN", 0, AS_BOB,
	STR(HELLO("AUTH=PLAIN AUTH=LOGIN") "+\r\na OK\r\n"),
	STR("a AUTHENTICATE PLAIN\r\n" PLAIN_BOB "\r\n<accepted |OK>")},
    {"C9 and nowhere else", 0, AS_BOB, STR(HELLO("AUTH=LOGIN")),
	STR("<refused later NO [CANNOT] This login is not possible here>")},
    {"no way for a password", 0, PASSWORD, STR(HELLO("LOGINDISABLED AUTH=SCRAM-SHA-1")),
	STR("<broken>")},

    /* mechanisms with something to ask */
    {"SCRAM passes through", 0, SCRAM,
	STR(HELLO("AUTH=SCRAM-SHA-256 SASL-IR") "+ c2VydmVy\r\n+ Zmlu\r\na OK\r\n"),
	STR("a AUTHENTICATE SCRAM-SHA-256 biwsbj1hbm4scj14eXo=\r\n<challenge c2VydmVy>Y2xpZW50\r\n"
	    "<challenge Zmlu>Y2xpZW50\r\n<accepted |OK>")},
    {"SCRAM without an initial response", UNSAFE, SCRAM,
	STR(HELLO("AUTH=SCRAM-SHA-256") "+ \r\n+ c2VydmVy\r\na NO\r\n"),
	STR("a AUTHENTICATE SCRAM-SHA-256\r\nbiwsbj1hbm4scj14eXo=\r\n<challenge c2VydmVy>Y2xpZW50"
	    "\r\n<refused wrong >")},
    {"SCRAM where there is none", 0, SCRAM, STR(HELLO("AUTH=SCRAM-SHA-1")),
	STR("<refused later NO [CANNOT] This login is not possible here>")},
    {"a token is refused with a reason", 0, TOKEN,
	STR(HELLO("AUTH=XOAUTH2 SASL-IR") "+ eyJ9\r\na NO [AUTHENTICATIONFAILED] x\r\n"),
	STR("a AUTHENTICATE XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgdG9rZW4BAQ==\r\n"
	    "<challenge eyJ9>Y2xpZW50\r\n<refused wrong >")},

    /* what is refused, and how */
    {"C21 a wrong password is not repeated", 0, PASSWORD,
	STR(ALL "a NO [AUTHENTICATIONFAILED] secret is wrong\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<refused wrong >")},
    {"a refusal without a code", 0, PASSWORD, STR(ALL "a no\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<refused wrong >")},
    {"for now", 0, PASSWORD, STR(ALL "a NO [UNAVAILABLE] back soon\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<refused later NO [UNAVAILABLE] back soon>")},
    {"expired", 0, PASSWORD, STR(ALL "a NO [expired] change it\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<refused wrong NO [expired] change it>")},
    {"an alert", 0, PASSWORD, STR(ALL "a NO [ALERT] pay first\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<refused wrong NO [ALERT] pay first>")},
    {"too many", 0, PASSWORD, STR(ALL "a NO [LIMIT] five already\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<refused later >")},
    {"BAD is about no password", 0, PASSWORD, STR(ALL "a BAD what?\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<refused later >")},

    /* who it takes us for */
    {"C2 PREAUTH", 0, PASSWORD, STR("* PREAUTH hello\r\na OK\r\n"), STR("<broken>")},
    {"BYE", 0, PASSWORD, STR("* BYE full\r\n"), STR("<broken>")},
    {"C21 a BYE that repeats it", 0, PASSWORD, STR(ALL "* BYE secret\r\na OK\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<broken>")},
    {"ID, but it does not know it", TELL_ID, PASSWORD, STR(HELLO("SASL-IR AUTH=PLAIN")),
	STR("<broken>")},
    {"ID, but it does not take it", TELL_ID, PASSWORD, STR(ALL "i BAD no\r\na OK\r\n"),
	STR("i ID " CALLER ")\r\na AUTHENTICATE PLAIN " PLAIN "\r\n<broken>")},
    {"no secret on an unsafe leg", UNSAFE, PASSWORD, STR(ALL "a OK\r\n"), STR("<broken>")},
    {"no token either", UNSAFE, TOKEN, STR(HELLO("AUTH=XOAUTH2 SASL-IR")), STR("<broken>")},

    /* odd ones */
    {"D1 another protocol", 0, PASSWORD, STR("220 mx ESMTP\r\n"), STR("<broken>")},
    {"D1 a banner with a format in it", 0, PASSWORD, STR("* BYE %n%n%s%s\r\n"), STR("<broken>")},
    {"D1 POP3", 0, PASSWORD, STR("+OK hello\r\n"), STR("<broken>")},
    {"D1 a TLS alert", 0, PASSWORD, STR("\x15\x03\x01\x02"), STR("<broken>")},
    {"D1 no line at all", 0, PASSWORD, STR("SSH-2.0-x"), STR("<broken>")},
    {"D1 LF alone ends a line", 0, PASSWORD, STR("* OK [CAPABILITY IMAP4rev1] %n%s\na OK\n"),
	STR("a LOGIN \"ann\" \"secret\"\r\n<accepted |OK>")},
    {"D1 a greeting without an end", 0, PASSWORD, STR("* OK [CAPABILITY IMAP4rev1"), STR("")},
    {"D1 an asterisk alone", 0, PASSWORD, STR("*\r\n"), STR("<broken>")},
    {"D1 no capabilities", 0, PASSWORD, STR("* OK hello\r\nc OK\r\n"),
	STR("c CAPABILITY\r\n<broken>")},
    {"D1 an answer to nothing", 0, PASSWORD, STR("* OK hello\r\na OK\r\n"),
	STR("c CAPABILITY\r\n<broken>")},
    {"C21 an answer that is none, and repeats it", 0, PASSWORD, STR(ALL "a FINE secret\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<broken>")},
    {"D1 a line without a space", 0, PASSWORD, STR(ALL "a\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<broken>")},
    {"D1 it asks where there is nothing", 0, PASSWORD, STR(HELLO("") "+ what?\r\n"),
	STR("a LOGIN \"ann\" \"secret\"\r\n<broken>")},
    {"D1 it asks twice", 0, PASSWORD, STR(HELLO("AUTH=PLAIN LOGINDISABLED") "+\r\n+\r\n"),
	STR("a AUTHENTICATE PLAIN\r\n" PLAIN "\r\n<broken>")},
    {"D1 it asks for ever", 0, SCRAM,
	STR(HELLO("AUTH=SCRAM-SHA-256 SASL-IR") "+ a\r\n+ a\r\n+ a\r\n+ a\r\n+ a\r\n+ a\r\n+ a\r\n"
						"+ a\r\n+ a\r\n"),
	STR("a AUTHENTICATE SCRAM-SHA-256 biwsbj1hbm4scj14eXo=\r\n<challenge a>Y2xpZW50\r\n"
	    "<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n"
	    "<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n"
	    "<challenge a>Y2xpZW50\r\n<broken>")},
    {"D1 a literal of 4 GB", 0, PASSWORD, STR(ALL "* X {4294967295}\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN "\r\n<broken>")},

    {"C3 TLS is wanted and not offered", START_TLS, PASSWORD, STR(ALL "s OK\r\n"), STR("<broken>")},
    {"C3 TLS is wanted and refused", START_TLS | UNSAFE, PASSWORD, STR("* OK\r\ns NO\r\na OK\r\n"),
	STR("s STARTTLS\r\n<broken>")},
};

/* ---- the rest of the house */

struct house {
	struct back_task task;
	struct caller caller;
	struct back *back;
	struct client_id *id;
	struct buf in, out;
	struct fault fault;
};

static void
house_init(struct house *house, unsigned how, const struct credentials *credentials)
{
	*house = (struct house){
	    .caller = {.client_ip = "192.0.2.7",
		.client_port = 51022,
		.local_ip = "198.51.100.1",
		.local_port = 993,
		.session = "0123456789abcdef",
		.ttl = 4},
	};
	house->task = (struct back_task){.credentials = credentials,
	    .login = how & OTHER_NAME ? STR("ann@old") : STR(""),
	    .caller = &house->caller,
	    .way = how & TELL_ID ? CALLER_ID : CALLER_NONE,
	    .host = "mx.test",
	    .start_tls = how & START_TLS,
	    .is_safe = !(how & UNSAFE)};
	if (how & CLIENT_ID) {
		house->id = client_id_new();
		assert_true(client_id_add(house->id, STR("name"), STR("mutt"), false));
		house->task.id = house->id;
	}
	house->back = imap_back_new(&house->task);
}

static void
house_fini(struct house *house)
{
	imap_back_free(house->back);
	client_id_free(&house->id);
	buf_fini(&house->in);
	buf_fini(&house->out);
}

static void
note(struct house *house, const char *what, struct str text)
{
	buf_addf(&house->out, "<%s ", what);
	buf_add_str(&house->out, text);
	buf_add_byte(&house->out, '>');
}

static void
note_accepted(struct house *house)
{
	buf_add_text(&house->out, "<accepted ");
	buf_add_str(&house->out, house->back->untagged);
	buf_add_byte(&house->out, '|');
	buf_add_str(&house->out, house->back->text);
	buf_add_byte(&house->out, '>');
}

static enum back_step
feed(struct house *house, struct str piece)
{
	enum back_step step;

	buf_add_str(&house->in, piece);
	for (;;) {
		step = imap_back_next(house->back, &house->in, &house->out, &house->fault);
		switch (step) {
		case BACK_WAIT:
			return step;
		case BACK_TLS:
			buf_add_text(&house->out, "<tls>");
			imap_back_tls(house->back, &house->out);
			break;
		case BACK_CHALLENGE:
			note(house, "challenge", house->back->text);
			imap_back_respond(house->back, STR("Y2xpZW50"), &house->out);
			break;
		case BACK_ACCEPTED:
			note_accepted(house);
			return step;
		case BACK_REFUSED:
			note(house,
			    house->back->refusal == REFUSAL_WRONG ? "refused wrong"
								  : "refused later",
			    house->back->text);
			return step;
		case BACK_BROKEN:
			buf_add_text(&house->out, "<broken>");
			assert_true(house->fault.verdict == VERDICT_TEMP ||
				    house->fault.verdict == VERDICT_PERM);
			assert_null(strstr(house->fault.text, "secret")); /* C21 */
			return step;
		}
	}
}

/* Feeds it all, however it is cut; what comes behind the end stays where it is. */
static void
feed_cut(struct house *house, struct str says, const struct cuts *cuts)
{
	enum back_step step = BACK_WAIT;

	for (size_t at = 0, n; at < says.len; at += n) {
		n = cuts_piece(cuts, at);
		if (step == BACK_WAIT)
			step = feed(house, str_make(says.ptr + at, n));
		else
			buf_add(&house->in, says.ptr + at, n);
	}
	if (step == BACK_ACCEPTED && buf_len(&house->in) > 0)
		note(house, "left", buf_str(&house->in));
}

static void
dialogues_are_held_however_they_are_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (struct cuts cuts = {.len = rows[i].says.len}; cuts_next(&cuts);) {
			struct house house;

			house_init(&house, rows[i].how, &rows[i].credentials);
			feed_cut(&house, rows[i].says, &cuts);
			if (!str_eq(buf_str(&house.out), rows[i].hears))
				fail_msg("%s, way %zu: %s (%s)", rows[i].name, cuts.way,
				    buf_cstr(&house.out), house.fault.text);
			house_fini(&house);
		}
	}
}

/* ---- STARTTLS: here it counts what comes together */

static const struct credentials password = PASSWORD;

static void
C2_capabilities_are_read_again_behind_TLS(void **state)
{
	static const struct str greetings[] = {STR(HELLO("STARTTLS SASL-IR AUTH=PLAIN ID")),
	    STR("* OK hello\r\n"), STR(HELLO("STARTTLS LOGINDISABLED"))};

	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		struct house house;

		house_init(&house, START_TLS | UNSAFE, &password);
		feed(&house, greetings[i]);
		feed(&house, STR("s OK go\r\n"));
		assert_false(offer_has(house.back->offer, "AUTH=PLAIN"));
		feed(&house, STR("* CAPABILITY IMAP4rev1\r\nc OK\r\na OK in\r\n"));
		assert_string_equal(buf_cstr(&house.out),
		    "s STARTTLS\r\n<tls>c CAPABILITY\r\n"
		    "a LOGIN \"ann\" \"secret\"\r\n<accepted |OK in>");
		house_fini(&house);
	}
}

static void
C2_whoever_talks_on_in_clear_is_unsafe(void **state)
{
	static const struct str behind[] = {
	    STR("* CAPABILITY IMAP4rev1\r\nc OK\r\n"), STR("*"), STR("\0")};

	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		struct buf bytes = BUF_INIT;
		struct house house;

		house_init(&house, START_TLS, &password);
		feed(&house, STR("* OK hello\r\n"));
		buf_add_text(&bytes, "s OK go\r\n");
		buf_add_str(&bytes, behind[i]);
		assert_int_equal(feed(&house, buf_str(&bytes)), BACK_BROKEN);
		assert_non_null(strstr(house.fault.text, "unsafe"));
		assert_string_equal(buf_cstr(&house.out), "s STARTTLS\r\n<broken>");
		assert_int_equal(feed(&house, STR("")), BACK_BROKEN);
		house_fini(&house);
		buf_fini(&bytes);
	}
}

static void
C2_what_was_announced_in_clear_does_not_count_behind_TLS(void **state)
{
	struct house house;

	house_init(&house, START_TLS, &password);
	feed(&house, STR(HELLO("STARTTLS AUTH=PLAIN SASL-IR")));
	feed(&house, STR("s OK go\r\n"));
	assert_int_equal(feed(&house, STR("c OK\r\n")), BACK_BROKEN);
	assert_string_equal(buf_cstr(&house.out), "s STARTTLS\r\n<tls>c CAPABILITY\r\n<broken>");
	house_fini(&house);
}

static void
C2_PREAUTH_is_told_apart(void **state)
{
	struct house house;

	house_init(&house, 0, &password);
	assert_int_equal(feed(&house, STR("* PREAUTH hello\r\n")), BACK_BROKEN);
	assert_non_null(strstr(house.fault.text, "logged in"));
	house_fini(&house);
}

/* ---- too much */

static void
D1_a_backend_that_does_not_stop(void **state)
{
	static const struct {
		const char *begin, *more;
	} floods[] = {
	    {"* OK ", "x"}, /* a banner of 1 MB */
	    {"* OK [CAPABILITY", " x"},
	    {HELLO(""), "* OK more\r\n"}, /* untagged lines that are kept */
	    {HELLO("ID"), "* X ({1}\r\nx {1}\r\n"},
	    {"* OK hello\r\n", "a"},
	};

	for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
		enum back_step step = BACK_WAIT;
		struct house house;
		size_t said = 0;

		house_init(&house, 0, &password);
		feed(&house, str_of(floods[i].begin));
		for (; said < 1000000 && step == BACK_WAIT; said += strlen(floods[i].more))
			step = feed(&house, str_of(floods[i].more));
		assert_int_equal(step, BACK_BROKEN);
		assert_in_range(said, 0, 20000);
		house_fini(&house);
	}
}

static void
a_response_too_long_for_a_command_is_said_when_asked(void **state)
{
	struct buf token = BUF_INIT;
	struct credentials credentials = {.mechanism = MECHANISM_XOAUTH2, .authcid = STR("ann")};
	struct house house;

	while (buf_len(&token) < 7000)
		buf_add_text(&token, "t");
	credentials.secret = buf_str(&token);
	house_init(&house, 0, &credentials);
	feed(&house, STR(HELLO("AUTH=XOAUTH2 SASL-IR")));
	assert_string_equal(buf_cstr(&house.out), "a AUTHENTICATE XOAUTH2\r\n");
	feed(&house, STR("+ \r\n"));
	assert_in_range(buf_len(&house.out), 9300, 9500);
	house_fini(&house);
	buf_fini(&token);
}

/* ---- leaving */

static void
leaving_is_possible_at_any_time(void **state)
{
	static const struct {
		const char *says;
		struct credentials credentials;
		const char *last; /* what is said at the end */
	} leaves[] = {
	    {"", PASSWORD, "q LOGOUT\r\n"},
	    {"* OK hello\r\n", PASSWORD, "c CAPABILITY\r\nq LOGOUT\r\n"},
	    {HELLO("AUTH=PLAIN LOGINDISABLED"), PASSWORD,
		"a AUTHENTICATE PLAIN\r\n*\r\nq LOGOUT\r\n"},
	    {HELLO("AUTH=LOGIN LOGINDISABLED") "+ \r\n", PASSWORD,
		"a AUTHENTICATE LOGIN\r\nYW5u\r\n*\r\nq LOGOUT\r\n"},
	    {HELLO(""), WORDS("j\xc3\xb6rg", "x"), "a LOGIN {5}\r\n"},
	    {ALL "a OK in\r\n", PASSWORD,
		"a AUTHENTICATE PLAIN " PLAIN "\r\n<accepted |OK in>q LOGOUT\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		struct house house;

		house_init(&house, 0, &leaves[i].credentials);
		feed(&house, str_of(leaves[i].says));
		imap_back_quit(house.back, &house.out);
		assert_string_equal(buf_cstr(&house.out), leaves[i].last);
		house_fini(&house);
	}
}

static void
a_challenge_that_is_given_up_is_cancelled(void **state)
{
	static const struct credentials scram = SCRAM;
	struct house house;

	house_init(&house, 0, &scram);
	buf_add_text(&house.in, HELLO("AUTH=SCRAM-SHA-256 SASL-IR") "+ YQ==\r\n");
	assert_int_equal(imap_back_next(house.back, &house.in, &house.out, &house.fault),
	    BACK_CHALLENGE);
	assert_int_equal(imap_back_next(house.back, &house.in, &house.out, &house.fault),
	    BACK_WAIT);
	buf_clear(&house.out);
	imap_back_quit(house.back, &house.out);
	assert_string_equal(buf_cstr(&house.out), "*\r\nq LOGOUT\r\n");
	house_fini(&house);
}

static void
what_it_announces_is_kept(void **state)
{
	struct house house;

	house_init(&house, 0, &password);
	assert_int_equal(offer_count(house.back->offer), 0);
	feed(&house, STR("* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN]\r\n"));
	assert_true(offer_has(house.back->offer, "IDLE"));
	assert_true(offer_has(house.back->offer, "AUTH=PLAIN"));
	assert_int_equal(offer_count(house.back->offer), 3);
	house_fini(&house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dialogues_are_held_however_they_are_cut),
	    cmocka_unit_test(C2_capabilities_are_read_again_behind_TLS),
	    cmocka_unit_test(C2_whoever_talks_on_in_clear_is_unsafe),
	    cmocka_unit_test(C2_what_was_announced_in_clear_does_not_count_behind_TLS),
	    cmocka_unit_test(C2_PREAUTH_is_told_apart),
	    cmocka_unit_test(D1_a_backend_that_does_not_stop),
	    cmocka_unit_test(a_response_too_long_for_a_command_is_said_when_asked),
	    cmocka_unit_test(leaving_is_possible_at_any_time),
	    cmocka_unit_test(a_challenge_that_is_given_up_is_cancelled),
	    cmocka_unit_test(what_it_announces_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
