/*
 * daemon.c - what a daemon must say to become one                     (driver)
 */
#include "net/daemon.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "net/master.h"
#include "net/master_settings.h"

enum { OPTION_CHECK = 256, OPTION_VERSION };

static const struct option options[] = {
    {"check", no_argument, NULL, OPTION_CHECK},
    {"config", required_argument, NULL, 'c'},
    {"foreground", no_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

struct called {
	const char *config;
	bool check;
};

static void
help(const struct daemon_program *program, FILE *to)
{
	fprintf(to,
	    "usage: %s [-f] [-c FILE] [--check]\n"
	    "%s\n\n"
	    "  -c, --config FILE  settings; otherwise " SYSCONFDIR "/splitmx/splitmx.conf\n"
	    "      --check        check the settings, say what is wrong, and leave\n"
	    "  -f, --foreground   stay in the foreground, which it always does\n"
	    "  -h, --help         this text\n"
	    "      --version      its version\n",
	    program->name, program->summary);
}

/* -1: go on; otherwise the exit code. */
static int
read_options(const struct daemon_program *program, int argc, char **argv, struct called *called_r)
{
	int option;

	*called_r = (struct called){.config = SYSCONFDIR "/splitmx/splitmx.conf"};
	while ((option = getopt_long(argc, argv, "c:fh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			called_r->config = optarg;
			break;
		case 'f':
			break;
		case 'h':
			help(program, stdout);
			return EX_OK;
		case OPTION_CHECK:
			called_r->check = true;
			break;
		case OPTION_VERSION:
			printf("%s %s\n", program->name, PACKAGE_VERSION);
			return EX_OK;
		default:
			help(program, stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: what is \"%s\"?\n", program->name, argv[optind]);
		help(program, stderr);
		return EX_USAGE;
	}
	return -1;
}

static void
say_problem(const char *sentence)
{
	fprintf(stderr, "%s\n", sentence);
}

int
daemon_main(const struct daemon_program *program, int argc, char **argv)
{
	struct settings *settings;
	struct called called;
	struct buf text;
	int code = read_options(program, argc, argv, &called);

	if (code != -1)
		return code;
	settings = master_settings_read(program, called.config, &text, say_problem);
	if (settings == NULL)
		return EX_CONFIG;
	if (!called.check)
		return master_run(program, settings, &text, argv);
	settings_free(&settings);
	buf_fini(&text);
	return EX_OK;
}
