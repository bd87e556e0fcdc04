/*
 * driver.c - libmilter in a worker, from start to end                 (driver)
 */
#include "milter/driver.h"

#include "base/log.h"
#include "base/mem.h"
#include "milter/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { MS = 1000 };

static struct {
	struct unreported *unreported;
	struct policyd *policyd;
	struct numbers numbers;
	int listener; /* as libmilter knows it */
	int aside; /* libmilter's own, to which nobody connects */
} driver = {.listener = -1, .aside = -1};

/* ---- the listener */

/* Where libmilter may open a socket of the same family; the caller's. */
static char *
own_place(sa_family_t family, const char *run_dir, unsigned slot)
{
	switch (family) {
	case AF_UNIX:
		return xasprintf("unix:%s/milter-%u.own", run_dir, slot);
	case AF_INET6:
		return xstrdup("inet6:0@::1");
	default:
		return xstrdup("inet:0@127.0.0.1");
	}
}

/* A crash may have left the file; and nobody shall find ours. */
static void
remove_file(const char *place)
{
	if (strncmp(place, "unix:", strlen("unix:")) == 0)
		unlink(place + strlen("unix:"));
}

static bool
is_listening(int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens != 0;
}

/* A descriptor gets the lowest number that is free: so we know which libmilter's is. */
static int
open_own(char *place, int listener, struct fault *fault_r)
{
	int number = fcntl(listener, F_DUPFD_CLOEXEC, 0), rc;
	mode_t before;

	if (number == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "a descriptor for libmilter");
	close(number);
	remove_file(place);
	before = umask(0177);
	rc = smfi_setconn(place) == MI_SUCCESS ? smfi_opensocket(false) : MI_FAILURE;
	umask(before);
	remove_file(place);
	if (rc != MI_SUCCESS)
		return fault_set(fault_r, VERDICT_TEMP,
		    "libmilter cannot listen at %s: may we write there?", place);
	if (!is_listening(number))
		return fault_set(fault_r, VERDICT_TEMP, "libmilter's socket is not number %d",
		    number);
	driver.listener = number;
	return 0;
}

/* What nobody waits at: whoever accepts there must not block. */
static int
keep_aside(struct fault *fault_r)
{
	driver.aside = fcntl(driver.listener, F_DUPFD_CLOEXEC, 0);
	if (driver.aside == -1 || fcntl(driver.aside, F_SETFL, O_NONBLOCK) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "a descriptor for libmilter");
	return 0;
}

static int
put_listener(int listener, struct fault *fault_r)
{
	if (dup3(listener, driver.listener, O_CLOEXEC) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "a listener for libmilter");
	return 0;
}

static int
listen_through_libmilter(const struct settings *settings, int listener, unsigned slot,
    struct fault *fault_r)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(address);
	char *place;
	int rc = -1;

	must(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
	place = own_place(address.ss_family, settings->run_dir, slot);
	if (smfi_register(calls_desc) != MI_SUCCESS ||
	    smfi_settimeout((int)(settings->milter.idle_timeout_ms / MS)) != MI_SUCCESS ||
	    smfi_setbacklog((int)settings->milter.backlog) != MI_SUCCESS)
		fault_set(fault_r, VERDICT_TEMP, "libmilter refuses to begin");
	else if (open_own(place, listener, fault_r) == 0 && keep_aside(fault_r) == 0 &&
		 put_listener(listener, fault_r) == 0)
		rc = 0;
	free(place);
	return rc;
}

void
driver_shut(void)
{
	struct fault fault;

	if (put_listener(driver.aside, &fault) == -1)
		log_error("milter_not_shut", "why=%s", log_quote_text(fault.text));
}

/* ---- its thread */

static void *
run(void *arg)
{
	int status = smfi_main();

	log_error("milter_ended", "status=%d", status);
	_exit(EX_SOFTWARE);
}

/* With all signals blocked, in all threads that libmilter makes, too. */
static int
start_thread(struct fault *fault_r)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	errno = pthread_create(&thread, NULL, run, NULL);
	must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (errno != 0)
		return fault_set_errno(fault_r, VERDICT_TEMP, "a thread for libmilter");
	pthread_detach(thread);
	return 0;
}

/* ---- life */

static struct policyd_terms
policyd_terms_of(const struct settings *settings)
{
	const struct milter_settings *m = &settings->milter;

	return (struct policyd_terms){.path = m->policyd,
	    .deadline_ms = (uint64_t)m->policyd_timeout_ms,
	    .connections_most = (unsigned)m->policyd_connections,
	    .waiting_most = (unsigned)m->policyd_waiting};
}

int
driver_start(const struct settings *settings, int listener, unsigned slot, struct fault *fault_r)
{
	struct policyd_terms policyd_terms = policyd_terms_of(settings);
	struct terms *terms = terms_new(settings, fault_r);

	if (terms == NULL)
		return -1;
	driver.unreported = unreported_open(settings->state_dir);
	driver.policyd = policyd_new(&policyd_terms, driver.unreported);
	calls_start(terms, driver.policyd, &driver.numbers,
	    (unsigned)settings->milter.max_sessions);
	if (listen_through_libmilter(settings, listener, slot, fault_r) == 0 &&
	    start_thread(fault_r) == 0)
		return 0;
	driver_stop();
	return -1;
}

int
driver_reload(const struct settings *settings, struct fault *fault_r)
{
	struct policyd_terms policyd_terms = policyd_terms_of(settings);
	struct terms *terms = terms_new(settings, fault_r);

	if (terms == NULL)
		return -1;
	calls_take_terms(terms, (unsigned)settings->milter.max_sessions);
	policyd_take_terms(driver.policyd, &policyd_terms);
	return 0;
}

unsigned
driver_sessions(void)
{
	return driver.numbers.sessions;
}

void
driver_stop(void)
{
	if (!calls_stop())
		return;
	policyd_free(&driver.policyd);
	unreported_close(&driver.unreported);
}

json_t *
driver_status(void)
{
	struct policyd_numbers policyd = policyd_numbers(driver.policyd);

	return numbers_json(&driver.numbers, &policyd);
}

void
driver_numbers(struct openmetrics *text)
{
	struct policyd_numbers policyd = policyd_numbers(driver.policyd);

	numbers_write(&driver.numbers, &policyd, text);
}
