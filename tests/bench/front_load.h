/*
 * front_load.h - the parts of the front's load tool
 *
 * One program, four parts: the backend behind a proxy, the clients before it,
 * the relay that is the floor under all of them, and the auth_http server that
 * nginx asks. Each part is a process of its own, so that its CPU time is too.
 */
#ifndef TESTS_BENCH_FRONT_LOAD_H
#define TESTS_BENCH_FRONT_LOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the backend and the clients agree about: FETCH of so many bytes, and two commands of their
 * own. */
#define FETCH_FORM "FETCH 1 BODY.PEEK[]<0.%" PRIu64 ">"

struct client_plan {
	uint16_t port;
	SSL_CTX *tls; /* NULL: in clear */
	const char *user; /* '%' stands for the number of the session */
	unsigned users; /* numbers begin again after so many; 0: never */
	unsigned sources; /* of 127.0.0.1, .2, ... connect from so many in turn */
	uint64_t sessions; /* login: how many times in all; idle, push: how many stay */
	unsigned at_once; /* of them in the making */
	unsigned rate; /* idle: NOOPs a second; 0: only when told */
	uint64_t push_bytes; /* push: size of a literal */
	unsigned pushes; /* push: literals for each session */
};

/* These run to their end, or until they are stopped; each prints JSON lines. */
int backend_run(uint16_t port, uint16_t tls_port, SSL_CTX *tls);
int relay_run(uint16_t port, uint16_t backend_port);
int auth_run(uint16_t port, uint16_t imap_port);
int client_login(const struct client_plan *plan);
int client_idle(const struct client_plan *plan);
int client_push(const struct client_plan *plan);

/* Times that were measured; figures of all that came since the last clear. */
struct timings {
	uint64_t *took_ns;
	size_t count, room;
};

void timings_add(struct timings *timings, uint64_t took_ns);
/* "count": N, "p50_us": N, ... without braces. Sorts, then forgets. */
void timings_print(struct timings *timings);
void timings_free(struct timings *timings);

#endif
