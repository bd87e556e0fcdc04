/*
 * policyd_pool.c - the connections to policyd, and who may have one   (driver)
 */
#include "milter/policyd_inside.h"

#include "base/mem.h"
#include "milter/exchange.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- life */

static void
set_terms(struct policyd *policyd, const struct policyd_terms *terms)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};

	must(strlen(terms->path) < sizeof(where.sun_path));
	must(terms->connections_most > 0 && terms->waiting_most > 0);
	memcpy(where.sun_path, terms->path, strlen(terms->path));
	if (memcmp(&where, &policyd->where, sizeof(where)) != 0)
		policyd->era++;
	policyd->where = where;
	policyd->deadline_ms = terms->deadline_ms;
	policyd->connections_most = terms->connections_most;
	policyd->waiting_most = terms->waiting_most;
}

struct policyd *
policyd_new(const struct policyd_terms *terms, struct unreported *unreported)
{
	struct policyd *policyd = xnew(struct policyd);
	pthread_condattr_t attr;

	LIST_INIT(&policyd->idle);
	policyd->unreported = unreported;
	must(sodium_init() != -1); /* before there are threads */
	must(pthread_mutex_init(&policyd->lock, NULL) == 0);
	must(pthread_condattr_init(&attr) == 0);
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	must(pthread_cond_init(&policyd->changed, &attr) == 0);
	pthread_condattr_destroy(&attr);
	set_terms(policyd, terms);
	return policyd;
}

static void
link_close(struct policyd *policyd, struct link *link)
{
	if (link->fd != -1)
		close(link->fd);
	free(link);
	policyd->connections--;
}

/* With the lock held, or by the last who knows it. */
static void
close_idle(struct policyd *policyd)
{
	struct link *link;

	while ((link = LIST_FIRST(&policyd->idle)) != NULL) {
		LIST_REMOVE(link, entry);
		link_close(policyd, link);
	}
}

void
policyd_free(struct policyd **policydp)
{
	struct policyd *policyd = *policydp;

	if (policyd == NULL)
		return;
	must(policyd->waiting == 0);
	close_idle(policyd);
	pthread_cond_destroy(&policyd->changed);
	pthread_mutex_destroy(&policyd->lock);
	free(policyd);
	*policydp = NULL;
}

void
policyd_take_terms(struct policyd *policyd, const struct policyd_terms *terms)
{
	unsigned era, most;

	pthread_mutex_lock(&policyd->lock);
	era = policyd->era;
	most = policyd->connections_most;
	set_terms(policyd, terms);
	if (policyd->era != era || policyd->connections_most < most)
		close_idle(policyd);
	pthread_cond_broadcast(&policyd->changed);
	pthread_mutex_unlock(&policyd->lock);
}

/* ---- who may ask */

void
asking_late(struct asking *asking)
{
	snprintf(asking->why, sizeof(asking->why), "policyd did not answer within %llu ms",
	    (unsigned long long)asking->deadline_ms);
	asking->policyd->timeouts++;
}

bool
asking_begin(struct asking *asking, struct policyd *policyd)
{
	bool may;

	*asking = (struct asking){.policyd = policyd};
	pthread_mutex_lock(&policyd->lock);
	may = policyd->waiting < policyd->waiting_most;
	if (may)
		policyd->waiting++;
	else
		snprintf(asking->why, sizeof(asking->why), "%u threads wait for policyd",
		    policyd->waiting);
	asking->deadline_ms = policyd->deadline_ms;
	pthread_mutex_unlock(&policyd->lock);
	asking->until_ms = exchange_now_ms() + asking->deadline_ms;
	if (!may)
		policyd->refused++;
	return may;
}

void
asking_leave(struct asking *asking)
{
	pthread_mutex_lock(&asking->policyd->lock);
	asking->policyd->waiting--;
	pthread_mutex_unlock(&asking->policyd->lock);
}

/* ---- the pool */

/* With the lock held; false when it is too late. */
static bool
wait_for_change(struct asking *asking)
{
	struct timespec until = {.tv_sec = (time_t)(asking->until_ms / 1000),
	    .tv_nsec = (long)(asking->until_ms % 1000 * 1000000)};

	return pthread_cond_timedwait(&asking->policyd->changed, &asking->policyd->lock, &until) !=
	       ETIMEDOUT;
}

/* The same; NULL: there is none, and no place for one. */
static struct link *
find_link(struct policyd *policyd)
{
	struct link *link = LIST_FIRST(&policyd->idle);

	if (link != NULL) {
		LIST_REMOVE(link, entry);
		link->was_idle = true;
		return link;
	}
	if (policyd->connections >= policyd->connections_most)
		return NULL;
	link = xnew(struct link);
	link->fd = -1;
	policyd->connections++;
	return link;
}

struct link *
link_take(struct asking *asking)
{
	struct policyd *policyd = asking->policyd;
	struct link *link;
	bool in_time = true;

	pthread_mutex_lock(&policyd->lock);
	while ((link = find_link(policyd)) == NULL && in_time)
		in_time = wait_for_change(asking);
	pthread_mutex_unlock(&policyd->lock);
	if (link == NULL)
		asking_late(asking);
	return link;
}

void
link_give_back(struct policyd *policyd, struct link *link, bool is_good)
{
	pthread_mutex_lock(&policyd->lock);
	if (is_good && link->era == policyd->era &&
	    policyd->connections <= policyd->connections_most)
		LIST_INSERT_HEAD(&policyd->idle, link, entry);
	else
		link_close(policyd, link);
	pthread_cond_signal(&policyd->changed);
	pthread_mutex_unlock(&policyd->lock);
}

struct sockaddr_un
link_aim(struct policyd *policyd, struct link *link)
{
	struct sockaddr_un where;

	pthread_mutex_lock(&policyd->lock);
	where = policyd->where;
	link->era = policyd->era;
	pthread_mutex_unlock(&policyd->lock);
	return where;
}
