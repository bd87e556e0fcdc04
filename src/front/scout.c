/*
 * scout.c - what a backend announces, before anybody logs in          (driver)
 */
#include "front/scout.h"

#include "base/mem.h"
#include "front/leg.h"
#include "front/server_inside.h"

#include <sodium.h>
#include <stdlib.h>

enum { VISIT_MS = 10000 };

struct scout {
	struct server *server;
	struct service *service;
	struct leg *leg;
	struct timer *next;
	struct caller nobody; /* no client calls: addresses of no family */
	struct back_task task;
};

static void
go_home(struct scout *scout, uint64_t next_ms)
{
	leg_free(&scout->leg);
	timer_start(scout->next, next_ms + randombytes_uniform((uint32_t)next_ms / 4));
}

static void
on_leg(void *ctx, enum leg_event event)
{
	struct scout *scout = ctx;

	switch (event) {
	case LEG_ACCEPTED:
		breaker_worked(&scout->service->breaker);
		server_learn(scout->server, scout->service, leg_back(scout->leg)->offer);
		leg_quit(scout->leg);
		timer_start(scout->next, SCOUT_EVERY_MS); /* however long it takes to leave */
		break;
	case LEG_GONE:
		leg_free(&scout->leg);
		break;
	case LEG_FAILED:
	case LEG_REFUSED:
	case LEG_CHALLENGE:
		go_home(scout, SCOUT_AGAIN_MS);
		break;
	}
}

static void
visit(void *ctx)
{
	struct scout *scout = ctx;
	const struct service *service = scout->service;

	leg_free(&scout->leg);
	scout->task = (struct back_task){.caller = &scout->nobody,
	    .way = service->caller == CALLER_PROXY ? CALLER_PROXY : CALLER_NONE,
	    .host = scout->server->host,
	    .start_tls = service->tls_mode == TLS_MODE_STARTTLS,
	    .is_safe = service->is_safe};
	scout->leg = leg_new(scout->server->loop, dialects[service->dialect], scout->service,
	    &scout->task, VISIT_MS, on_leg, scout);
}

struct scout *
scout_new(struct server *server, struct service *service)
{
	struct scout *scout = xnew(struct scout);

	scout->server = server;
	scout->service = service_use(service);
	scout->next = timer_new(server->loop, visit, scout);
	timer_start(scout->next, 0);
	return scout;
}

void
scout_free(struct scout **scout_ref)
{
	struct scout *scout = *scout_ref;

	if (scout == NULL)
		return;
	*scout_ref = NULL;
	leg_free(&scout->leg);
	timer_free(&scout->next);
	service_leave(&scout->service);
	free(scout);
}
