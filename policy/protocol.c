/*
 * protocol.c - the protocols of policyd, as the server sees them     (machine)
 */
#include "policy/protocol.h"

#include "base/mem.h"
#include "net/netstring.h"
#include "policy/socketmap.h"

static void
nothing(union machine *machine)
{
}

/* ---- socketmap */

static enum step
next_socketmap(union machine *machine, const struct words *words, struct buf *in, struct buf *out,
    struct query *query_r)
{
	return socketmap_next(in, out, query_r);
}

static void
say_socketmap(union machine *machine, const struct answer *answer, struct buf *out)
{
	socketmap_say(answer, out);
}

/* ---- tcp_table */

static void
init_tcptable(union machine *machine)
{
	tcptable_init(&machine->tcptable);
}

static void
fini_tcptable(union machine *machine)
{
	tcptable_fini(&machine->tcptable);
}

static enum step
next_tcptable(union machine *machine, const struct words *words, struct buf *in, struct buf *out,
    struct query *query_r)
{
	query_r->map = words->map;
	return tcptable_next(&machine->tcptable, in, out, query_r);
}

static void
say_tcptable(union machine *machine, const struct answer *answer, struct buf *out)
{
	tcptable_say(&machine->tcptable, answer, out);
}

/* ---- policy */

static void
init_delegation(union machine *machine)
{
	delegation_init(&machine->delegation);
}

static void
fini_delegation(union machine *machine)
{
	delegation_fini(&machine->delegation);
}

static enum step
next_delegation(union machine *machine, const struct words *words, struct buf *in, struct buf *out,
    struct query *query_r)
{
	query_r->map = words->map;
	return delegation_next(&machine->delegation, in, out, query_r);
}

static void
say_delegation(union machine *machine, const struct answer *answer, struct buf *out)
{
	delegation_say(&machine->delegation, answer, out);
}

/* ---- sink */

static void
init_sink(union machine *machine)
{
	sink_init(&machine->sink);
}

static enum step
next_sink(union machine *machine, const struct words *words, struct buf *in, struct buf *out,
    struct query *query_r)
{
	return sink_next(&machine->sink, words->reply, in, out);
}

static void
say_sink(union machine *machine, const struct answer *answer, struct buf *out)
{
	must(!"the sink asks nobody");
}

const struct protocol protocols[] = {
    [LISTEN_SOCKETMAP] = {"socketmap", NETSTRING_IN_BYTES, UINT64_MAX, nothing, nothing, NULL,
	next_socketmap, say_socketmap},
    [LISTEN_TCP_TABLE] = {"tcp_table", TCPTABLE_LINE_MOST + 2, UINT64_MAX, init_tcptable,
	fini_tcptable, NULL, next_tcptable, say_tcptable},
    [LISTEN_POLICY] = {"policy", DELEGATION_LINE_MOST + 2, UINT64_MAX, init_delegation,
	fini_delegation, NULL, next_delegation, say_delegation},
    /* A server waits 5 minutes for a command: RFC 5321, section 4.5.3.2.7. */
    [LISTEN_SINK] = {"sink", SINK_LINE_MOST + 2, 300000, init_sink, nothing, sink_greet, next_sink,
	say_sink},
};
