/*
 * fuzz_smtp_smuggling.c - any client before servers that read lines differently
 *
 * The first byte chooses a server: lines end with CR LF only, with LF and any CRs before
 * it, or with CR or LF. Whatever the client says, none of them may see a command that is
 * refused here, and each reply finds its command. The server answers at once, or when
 * the client has said all.
 */
#include "front/smtp_follow.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum ends { ENDS_CRLF, ENDS_LF, ENDS_ANY, ENDS_COUNT };

struct server {
	enum ends ends;
	bool is_open, is_content, is_over;
	size_t chunk; /* still to come; its reply is at its end */
	bool has_chunk;
	bool was_cr; /* an LF behind it belongs to it */
	size_t commands, replies;
	struct buf *in, *out;
};

/* A line and what ends it; false: not here yet. */
static bool
take_line(struct server *server, struct str *line_r)
{
	struct str all = buf_str(server->in);

	for (size_t i = 0; i < all.len; i++) {
		bool is_lf = all.ptr[i] == '\n', is_cr = all.ptr[i] == '\r';
		size_t len = i;

		if (server->ends == ENDS_ANY ? !is_lf && !is_cr : !is_lf)
			continue;
		if (server->ends == ENDS_CRLF && (i == 0 || all.ptr[i - 1] != '\r'))
			continue;
		while (len > 0 && all.ptr[len - 1] == '\r' && server->ends != ENDS_ANY) {
			len--;
			if (server->ends == ENDS_CRLF)
				break;
		}
		*line_r = str_make(all.ptr, len);
		server->was_cr = is_cr;
		buf_consume(server->in, i + 1);
		return true;
	}
	return false;
}

static void
reply(struct server *server, const char *text)
{
	server->replies++;
	buf_add_text(server->out, text);
}

static bool
begins(struct str line, const char *word)
{
	size_t len = strlen(word);

	return line.len >= len && str_is_nocase(str_make(line.ptr, len), word);
}

static void
begin_chunk(struct server *server, struct str args)
{
	server->has_chunk = true;
	for (size_t i = 0; i < args.len && args.ptr[i] >= '0' && args.ptr[i] <= '9'; i++)
		server->chunk = server->chunk * 10 + (size_t)(args.ptr[i] - '0');
}

/* As forgiving as a server can be about what stands before a command. */
static void
run(struct server *server, struct str line)
{
	static const char *const never[] = {"AUTH", "STARTTLS", "XCLIENT", "XFORWARD", "BURL"};

	while (line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
		line = str_from(line, 1);
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		must(!begins(line, never[i]));
	server->commands++;
	if (begins(line, "DATA") && server->is_open) {
		server->is_content = true;
		reply(server, "354 go\r\n");
	} else if (begins(line, "BDAT ")) {
		begin_chunk(server, str_from(line, 5));
	} else if (begins(line, "EHLO")) {
		reply(server, "250-x\r\n250-XCLIENT ADDR\r\n250 CHUNKING\r\n");
	} else if (begins(line, "QUIT")) {
		reply(server, "221 bye\r\n");
		server->is_over = true;
	} else {
		server->is_open |= begins(line, "MAIL");
		reply(server, "250 x\r\n");
	}
}

static void
serve(struct server *server)
{
	struct str line;
	size_t n;

	while (!server->is_over) {
		if (server->was_cr && buf_len(server->in) > 0) {
			server->was_cr = false;
			if (buf_str(server->in).ptr[0] == '\n')
				buf_consume(server->in, 1);
		}
		if (server->has_chunk) {
			n = buf_len(server->in) < server->chunk ? buf_len(server->in)
								: server->chunk;
			buf_consume(server->in, n);
			server->chunk -= n;
			if (server->chunk > 0)
				return;
			server->has_chunk = false;
			reply(server, "250 chunk\r\n");
		}
		if (!take_line(server, &line))
			return;
		if (!server->is_content) {
			run(server, line);
		} else if (str_is(line, ".")) {
			server->is_content = false;
			server->commands++;
			reply(server, "250 queued\r\n");
		}
	}
}

struct session {
	struct follow *follow;
	struct buf in[SIDE_COUNT], out[SIDE_COUNT];
	struct server server;
};

static void
pump(struct session *session, bool serves)
{
	bool passed;

	do {
		if (serves)
			serve(&session->server);
		passed = false;
		for (int from = 0; from < SIDE_COUNT; from++)
			passed |= smtp_follow_pass(session->follow, (enum side)from,
			    &session->in[from], &session->out[!from], &session->out[from]);
	} while (passed);
}

static void
hold(enum ends ends, struct str says, bool at_once)
{
	struct session session = {.follow = smtp_follow_new()};
	struct offer *offer = offer_new();

	must(offer_add(offer, STR("CHUNKING"), STR("")));
	smtp_follow_learn(session.follow, offer);
	session.server = (struct server){
	    .ends = ends, .in = &session.out[SIDE_BACKEND], .out = &session.in[SIDE_BACKEND]};
	for (size_t i = 0; i < says.len; i++) {
		buf_add_byte(&session.in[SIDE_CLIENT], says.ptr[i]);
		pump(&session, at_once);
	}
	pump(&session, true);
	/* Only a message can be a matter of opinion, and then nobody has taken it. */
	must(session.follow->phase == FOLLOW_RUNNING || session.follow->phase == FOLLOW_OVER);
	if (session.follow->phase == FOLLOW_RUNNING && smtp_follow_is_idle(session.follow))
		must(session.server.commands == session.server.replies ||
		     session.server.is_content);
	smtp_follow_free(session.follow);
	offer_free(&offer);
	for (int i = 0; i < SIDE_COUNT; i++) {
		buf_fini(&session.in[i]);
		buf_fini(&session.out[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str says;

	if (size == 0)
		return 0;
	says = str_make((const char *)data + 1, size - 1);
	hold((enum ends)(data[0] % ENDS_COUNT), says, true);
	hold((enum ends)(data[0] % ENDS_COUNT), says, false);
	return 0;
}
