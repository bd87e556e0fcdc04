/*
 * client.c - one connection to policyd                                (driver)
 */
#include "policy/client.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/conn.h"
#include "policy/counter.h"
#include "policy/report.h"
#include "policy/server_inside.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	OUT_HIGH_BYTES = 64 * 1024, /* so many unsent bytes: the peer does not read */
	SLOW_MS = 100000, /* for one request, or for taking answers; Postfix's own limit */
	LINGER_MS = 2000, /* for the peer to take our last words */
	KEY_KEPT_BYTES = LOG_QUOTE_MOST + 1
};

enum ending { END_PEER, END_BROKEN, END_IDLE, END_SLOW, END_PROTOCOL, END_DRAINED, END_STOPPED };

static const struct {
	const char *why;
	bool with_last_words;
} endings[] = {
    [END_PEER] = {"peer_closed", true},
    [END_BROKEN] = {"connection_failed", false},
    [END_IDLE] = {"idle", false},
    [END_SLOW] = {"too_slow", false},
    [END_PROTOCOL] = {"protocol_end", true},
    [END_DRAINED] = {"drained", true},
    [END_STOPPED] = {"stopped", false},
};

struct client {
	LIST_ENTRY(client) entry;
	struct port *port;
	const struct protocol *protocol; /* as it was at the beginning */
	struct conn *conn; /* NULL: it has ended */
	struct question *question; /* the one that waits */
	struct buf asked; /* its map and key, for the log, cut */
	size_t asked_map_len;
	bool is_inquiry; /* the one in hand is the milter's */
	uint64_t asked_us;
	uint64_t slow_since_ms; /* a request, or the taking of answers, is under way; 0 = not */
	uint64_t requests, since_ms;
	bool eof; /* the peer says no more, but may still read */
	bool full; /* too much is unsent: not reading */
	union machine machine;
};

static void
client_free(void *object)
{
	free(object);
}

static void
client_end(struct client *client, enum ending ending)
{
	struct port *port = client->port;
	struct server *server = port->server;

	if (client->conn == NULL)
		return; /* ending twice is no error */
	log_debug("connection_done",
	    "proto=%s listener=%s peer=%s requests=%" PRIu64 " secs=%" PRIu64 " why=%s",
	    client->protocol->name, port->address, log_quote_text(conn_peer(client->conn)),
	    client->requests, (clock_ms() - client->since_ms) / 1000, endings[ending].why);
	question_forget(&client->question);
	if (endings[ending].with_last_words &&
	    (ending != END_PEER || buf_len(conn_out(client->conn)) > 0))
		conn_finish(&client->conn, LINGER_MS);
	else
		conn_close(&client->conn);
	client->protocol->fini(&client->machine);
	buf_fini(&client->asked);
	LIST_REMOVE(client, entry);
	port->clients--;
	if (port->fd == -1 && port->clients == 0)
		port_free(&port);
	seats_give_back(server->seats);
	loop_bury(server->loop, client, client_free);
	server_client_left(server);
}

/* ---- how long it may take */

static uint64_t
most_idle_ms(const struct client *client, uint64_t most_ms)
{
	uint64_t idle_ms = client->port->server->idle_ms;

	return most_ms < idle_ms ? most_ms : idle_ms;
}

static void
set_idle(struct client *client, uint64_t most_ms)
{
	conn_set_idle_ms(client->conn, most_idle_ms(client, most_ms));
}

/* While something is under way the peer has less time than between requests. */
static void
set_slow(struct client *client, bool slow)
{
	if (slow == (client->slow_since_ms != 0))
		return;
	client->slow_since_ms = slow ? clock_ms() : 0;
	set_idle(client, slow ? SLOW_MS : client->protocol->idle_most_ms);
}

/* ---- answering */

/* To the milter each answer is an object, whatever its verdict. */
static void
say(struct client *client, const struct answer *answer)
{
	struct buf *text = &client->port->server->text;
	struct answer object = {.verdict = VERDICT_FOUND};

	if (client->is_inquiry) {
		buf_clear(text);
		report_answer(text, answer);
		object.text = buf_str(text);
		answer = &object;
	}
	client->protocol->say(&client->machine, answer, conn_out(client->conn));
}

static void
finish_answer(struct client *client, struct str map, struct str key, const struct answer *answer,
    uint64_t waited_us)
{
	struct server *server = client->port->server;
	enum listen_protocol kind = client->port->kind;

	say(client, answer);
	client->requests++;
	tally_answer(&server->tally, kind, answer->verdict);
	log_debug("answered", "proto=%s map=%s key=%s verdict=%s held=%s text=%s us=%" PRIu64,
	    client->protocol->name, log_quote(map), log_quote(key), verdict_name(answer->verdict),
	    answer->held ? "yes" : "no",
	    log_quote(answer->verdict == VERDICT_FOUND ? answer->text : STR("")), waited_us);
	if (answer->verdict == VERDICT_TEMP || answer->verdict == VERDICT_PERM)
		server_grumble(server, kind, map, key, answer);
}

static struct str
cut(struct str s)
{
	return str_make(s.ptr, s.len < KEY_KEPT_BYTES ? s.len : KEY_KEPT_BYTES);
}

static void client_go_on(struct client *client);

static void
answered(void *ctx, const struct answer *answer)
{
	struct client *client = ctx;
	struct server *server = client->port->server;
	uint64_t waited_us = clock_us() - client->asked_us;
	struct str asked = buf_str(&client->asked);

	client->question = NULL;
	tally_wait(&server->tally, waited_us);
	finish_answer(client, str_make(asked.ptr, client->asked_map_len),
	    str_from(asked, client->asked_map_len), answer, waited_us);
	buf_fini(&client->asked);
	client_go_on(client);
	if (client->conn != NULL)
		conn_flush(client->conn);
}

/* Whom a message was accepted for stands in no log. */
static void
take_report(struct client *client, struct str text)
{
	struct server *server = client->port->server;
	struct answer answer = {.verdict = VERDICT_FOUND};
	struct fault fault;
	size_t kept;

	buf_clear(&server->text);
	if (counter_take(server->counter, text, &kept, &fault) == 0) {
		report_kept(&server->text, kept);
		answer.text = buf_str(&server->text);
	} else {
		answer.verdict = fault.verdict;
		answer.reason = fault.text;
	}
	finish_answer(client, STR("=arrived"), STR(""), &answer, 0);
}

static void
ask_now(struct client *client, const struct query *query)
{
	struct server *server = client->port->server;
	/* Names that no settings can have, for programs of this host. */
	enum inquiry_kind kind = client->port->is_unix ? inquiry_kind(query->map) : INQUIRY_NONE;
	struct str view = query->map;
	struct answer answer;

	client->is_inquiry = kind == INQUIRY_ASK;
	if (kind == INQUIRY_ARRIVED) {
		take_report(client, query->key);
		return;
	}
	if (kind == INQUIRY_ASK)
		view = ASK_ALONE;
	else if (str_eq(view, ASK_ALONE))
		view = STR("");
	buf_clear(&server->text);
	client->question =
	    ask(server->asker, view, query->key, &server->text, answered, client, &answer);
	if (client->question == NULL) {
		finish_answer(client, query->map, query->key, &answer, 0);
		return;
	}
	client->asked_us = clock_us();
	buf_add_str(&client->asked, cut(query->map));
	client->asked_map_len = buf_len(&client->asked);
	buf_add_str(&client->asked, cut(query->key));
}

/* ---- reading */

/* Too much is unsent, and stays so after another try: read no more until it has left. */
static bool
is_full(struct client *client)
{
	if (client->eof || buf_len(conn_out(client->conn)) < OUT_HIGH_BYTES)
		return false;
	conn_flush(client->conn);
	if (buf_len(conn_out(client->conn)) == 0)
		return false;
	client->full = true;
	conn_read(client->conn, false);
	set_slow(client, true);
	return true;
}

/* Everything that is there was read; what about the rest? */
static void
come_to_rest(struct client *client)
{
	bool is_partial = buf_len(conn_in(client->conn)) > 0;

	if (client->eof)
		client_end(client, END_PEER);
	else if (client->port->server->draining && !is_partial)
		client_end(client, END_DRAINED);
	else if (is_partial && client->slow_since_ms != 0 &&
		 clock_ms() - client->slow_since_ms > most_idle_ms(client, SLOW_MS))
		client_end(client, END_SLOW);
	else
		set_slow(client, is_partial);
}

static void
client_go_on(struct client *client)
{
	const struct protocol *protocol = client->protocol;
	struct query query;

	while (client->question == NULL) {
		if (is_full(client))
			return;
		switch (protocol->next(&client->machine, &client->port->words,
		    conn_in(client->conn), conn_out(client->conn), &query)) {
		case STEP_WAIT:
			come_to_rest(client);
			return;
		case STEP_ASK:
			/* This request is whole; the next has its own time. */
			set_slow(client, false);
			ask_now(client, &query);
			break;
		case STEP_SAID:
			set_slow(client, false);
			break;
		case STEP_END:
			client_end(client, END_PROTOCOL);
			return;
		}
	}
}

static void
on_event(struct conn *conn, enum conn_event event, void *ctx)
{
	struct client *client = ctx;

	switch (event) {
	case CONN_OPEN:
		break;
	case CONN_DATA:
		if (!client->full && client->question == NULL)
			client_go_on(client);
		break;
	case CONN_DRAINED:
		if (client->full) {
			client->full = false;
			set_slow(client, false);
			conn_read(conn, true);
			client_go_on(client);
		}
		break;
	case CONN_EOF:
		client->eof = true;
		client_go_on(client);
		break;
	case CONN_FAILED:
		client_end(client, END_BROKEN);
		break;
	case CONN_RELAYED:
	case CONN_IDLE:
		if (client->question == NULL) /* the question has a deadline of its own */
			client_end(client, client->slow_since_ms != 0 ? END_SLOW : END_IDLE);
		break;
	}
}

/* ---- life */

void
client_new(struct port *port, int fd)
{
	struct server *server = port->server;
	struct client *client = xnew(struct client);

	client->port = port;
	client->protocol = &protocols[port->kind];
	client->since_ms = clock_ms();
	client->protocol->init(&client->machine);
	client->conn = conn_take(server->loop, fd, on_event, client);
	conn_set_in_max(client->conn, client->protocol->in_max_bytes);
	set_idle(client, client->protocol->idle_most_ms);
	LIST_INSERT_HEAD(&server->clients, client, entry);
	port->clients++;
	log_debug("connected", "proto=%s listener=%s peer=%s", client->protocol->name,
	    port->address, log_quote_text(conn_peer(client->conn)));
	if (client->protocol->greet != NULL) {
		client->protocol->greet(conn_out(client->conn));
		conn_flush(client->conn);
	}
}

void
client_drain(struct client *client)
{
	if (client->question == NULL && !client->full && buf_len(conn_in(client->conn)) == 0)
		client_end(client, END_DRAINED);
}

void
client_stop(struct client *client)
{
	client_end(client, END_STOPPED);
}

struct client *
client_after(const struct client *client)
{
	return LIST_NEXT(client, entry);
}
