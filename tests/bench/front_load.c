/*
 * front_load.c - the load tool of the front's benchmark and crowd tests
 *
 *   front_load backend -p PORT [-P TLS_PORT -c CERTIFICATE -k KEY]
 *   front_load relay   -p PORT -b BACKEND_PORT
 *   front_load auth    -p PORT -b IMAP_PORT
 *   front_load login   -p PORT [-t] [-u USER] [-U USERS] [-a SOURCES] [-n LOGINS] [-j AT_ONCE]
 *   front_load idle    -p PORT [-t] [-u USER] [-U USERS] [-a SOURCES] [-n SESSIONS] [-j AT_ONCE]
 *                      [-r NOOPS_PER_SECOND]
 *   front_load push    -p PORT [-t] [-u USER] [-n SESSIONS] [-s BYTES] [-x TIMES]
 *
 * -t: TLS. USER may have a '%' for a number below USERS. What is printed are
 * JSON lines, one per event; everything is on 127.0.0.0/8. See tests/bench/front.
 */
#include "front_load.h"
#include "front_wire.h"

#include <err.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct options {
	uint16_t port, tls_port, backend_port;
	const char *certificate, *key;
	bool tls;
	struct client_plan client;
};

static void
usage(void)
{
	fprintf(stderr, "usage: front_load backend|relay|auth|login|idle|push -p PORT ...\n"
			"       (the head of tests/bench/front_load.c has it all)\n");
	exit(EX_USAGE);
}

static int
run_backend(struct options *options)
{
	SSL_CTX *tls =
	    options->tls_port == 0 ? NULL : wire_tls_server(options->certificate, options->key);

	return backend_run(options->port, options->tls_port, tls);
}

static int
run_relay(struct options *options)
{
	return relay_run(options->port, options->backend_port);
}

static int
run_auth(struct options *options)
{
	return auth_run(options->port, options->backend_port);
}

static int
run_login(struct options *options)
{
	return client_login(&options->client);
}

static int
run_idle(struct options *options)
{
	return client_idle(&options->client);
}

static int
run_push(struct options *options)
{
	return client_push(&options->client);
}

static const struct {
	const char *word;
	int (*run)(struct options *options);
} parts[] = {
    {"backend", run_backend},
    {"relay", run_relay},
    {"auth", run_auth},
    {"login", run_login},
    {"idle", run_idle},
    {"push", run_push},
};

static void
read_options(struct options *options, int argc, char **argv)
{
	struct client_plan *client = &options->client;
	int option;

	while ((option = getopt(argc, argv, "p:P:b:c:k:tu:U:a:n:j:r:s:x:")) != -1) {
		switch (option) {
		/* clang-format off */
		case 'p': options->port = (uint16_t)atoi(optarg); break;
		case 'P': options->tls_port = (uint16_t)atoi(optarg); break;
		case 'b': options->backend_port = (uint16_t)atoi(optarg); break;
		case 'c': options->certificate = optarg; break;
		case 'k': options->key = optarg; break;
		case 't': options->tls = true; break;
		case 'u': client->user = optarg; break;
		case 'U': client->users = (unsigned)atoi(optarg); break;
		case 'a': client->sources = (unsigned)atoi(optarg); break;
		case 'n': client->sessions = strtoull(optarg, NULL, 10); break;
		case 'j': client->at_once = (unsigned)atoi(optarg); break;
		case 'r': client->rate = (unsigned)atoi(optarg); break;
		case 's': client->push_bytes = strtoull(optarg, NULL, 10); break;
		case 'x': client->pushes = (unsigned)atoi(optarg); break;
		default: usage();
			/* clang-format on */
		}
	}
	if (optind < argc || options->port == 0 || client->at_once == 0 || client->sessions == 0 ||
	    client->pushes == 0)
		usage();
	client->port = options->port;
	client->tls = options->tls ? wire_tls_client() : NULL;
}

int
main(int argc, char **argv)
{
	struct options options = {.client = {.user = "user%@example.org",
				      .users = 1000,
				      .sessions = 1000,
				      .at_once = 16,
				      .push_bytes = 64 << 20,
				      .pushes = 1}};

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		usage();
	read_options(&options, argc - 1, argv + 1);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcmp(argv[1], parts[i].word) == 0)
			return parts[i].run(&options);
	}
	usage();
	return EX_USAGE;
}
