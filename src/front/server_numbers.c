/*
 * server_numbers.c - what a front worker has done, for who collects   (driver)
 *
 * Protocols, destinations and outcomes are labels; accounts, addresses and what
 * clients say are none.
 */
#include "front/server_inside.h"

#include "base/mem.h"
#include "front/login.h"

/* ---- by protocol */

static const char *
name_of(enum dialect_kind kind)
{
	return dialects[kind] != NULL ? dialects[kind]->name : NULL; /* NULL: is not spoken */
}

static void
login_numbers(const struct tally_dialect *one, const char *name, struct openmetrics *text)
{
	openmetrics_sample(text, OPENMETRICS_LABELS({"protocol", name}, {"result", "accepted"}),
	    one->accepted);
	for (size_t i = 0; i < REFUSAL_COUNT; i++)
		openmetrics_sample(text,
		    OPENMETRICS_LABELS({"protocol", name}, {"result", refusal_names[i]}),
		    one->refused[i]);
}

static void
turned_numbers(const struct tally_dialect *one, const char *name, struct openmetrics *text)
{
	for (size_t i = 0; i < TURNED_COUNT; i++)
		openmetrics_sample(text,
		    OPENMETRICS_LABELS({"protocol", name}, {"limit", turned_names[i]}),
		    one->turned_away[i]);
}

static void
byte_numbers(const struct tally_dialect *one, const char *name, struct openmetrics *text)
{
	openmetrics_sample(text, OPENMETRICS_LABELS({"protocol", name}, {"from", "client"}),
	    one->bytes_in);
	openmetrics_sample(text, OPENMETRICS_LABELS({"protocol", name}, {"from", "backend"}),
	    one->bytes_out);
}

static void
time_numbers(const struct tally_dialect *one, const char *name, struct openmetrics *text)
{
	uint64_t bounds_us[TALLY_STEPS - 1];

	for (size_t i = 0; i < ARRAY_LEN(bounds_us); i++)
		bounds_us[i] = (UINT64_C(1) << i) * 1000;
	openmetrics_histogram(text, OPENMETRICS_LABELS({"protocol", name}), bounds_us,
	    ARRAY_LEN(bounds_us), one->login_ms, one->login_ms_sum * 1000);
}

/* A session is handed over when its login was accepted, and counted when it ends. */
static void
now_numbers(const struct tally_dialect *one, const char *name, struct openmetrics *text)
{
	openmetrics_sample(text, OPENMETRICS_LABELS({"protocol", name}),
	    one->accepted - one->sessions);
}

static void
ended_numbers(const struct tally_dialect *one, const char *name, struct openmetrics *text)
{
	openmetrics_sample(text, OPENMETRICS_LABELS({"protocol", name}), one->sessions);
}

static const struct {
	enum openmetrics_kind kind;
	const char *name, *unit, *help;
	void (*write)(const struct tally_dialect *one, const char *name, struct openmetrics *text);
} families[] = {
    {OPENMETRICS_COUNTER, "splitmx_frontd_logins", NULL,
	"Logins that were answered: accepted, or why they were refused.", login_numbers},
    {OPENMETRICS_COUNTER, "splitmx_frontd_turned_away", NULL,
	"Clients that were turned away as they came, by the limit that was reached.",
	turned_numbers},
    {OPENMETRICS_HISTOGRAM, "splitmx_frontd_login_seconds", "seconds",
	"How long accepted logins took, from the credentials to the session.", time_numbers},
    {OPENMETRICS_GAUGE, "splitmx_frontd_sessions", NULL, "Sessions that are open.", now_numbers},
    {OPENMETRICS_COUNTER, "splitmx_frontd_sessions_ended", NULL, "Sessions that have ended.",
	ended_numbers},
    {OPENMETRICS_COUNTER, "splitmx_frontd_session_bytes", "bytes",
	"What passed in sessions, counted when they end.", byte_numbers},
};

static void
dialect_numbers(const struct server *server, struct openmetrics *text)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		openmetrics_family(text, families[i].kind, families[i].name, families[i].unit,
		    families[i].help);
		for (enum dialect_kind kind = 0; kind < DIALECT_COUNT; kind++)
			if (name_of(kind) != NULL)
				families[i].write(&server->tally.dialects[kind], name_of(kind),
				    text);
	}
}

/* ---- by destination */

static void
outcome_numbers(const struct service *service, const char *name, struct openmetrics *text)
{
	const struct {
		const char *name;
		uint64_t count;
	} results[] = {{"accepted", service->logins}, {"refused", service->refused},
	    {"failed", service->failed}};

	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		openmetrics_sample(text,
		    OPENMETRICS_LABELS({"destination", service->destination}, {"protocol", name},
			{"result", results[i].name}),
		    results[i].count);
}

static void
avoided_numbers(const struct service *service, const char *name, struct openmetrics *text)
{
	openmetrics_sample_us(text,
	    OPENMETRICS_LABELS({"destination", service->destination}, {"protocol", name}),
	    service->breaker.pause_ms * 1000);
}

static void
step_numbers(const struct service *service, const char *name, struct openmetrics *text)
{
	for (size_t i = 0; i < LATENCY_STEPS; i++)
		openmetrics_histogram(text,
		    OPENMETRICS_LABELS({"destination", service->destination}, {"protocol", name},
			{"step", latency_names[i]}),
		    latency_bounds_us, LATENCY_BOUNDS, service->latency.steps[i].counts,
		    service->latency.steps[i].sum_us);
}

static void
each_service(const struct server *server, struct openmetrics *text,
    void (*write)(const struct service *service, const char *name, struct openmetrics *text))
{
	struct home *home, *next;

	HASH_ITER (hh, server->homes, home, next) {
		for (enum dialect_kind kind = 0; kind < DIALECT_COUNT; kind++)
			if (home->services[kind] != NULL && name_of(kind) != NULL)
				write(home->services[kind], name_of(kind), text);
	}
}

/* ---- all */

void
server_numbers(const struct server *server, struct openmetrics *text)
{
	const struct login *login;
	uint64_t logins = 0;

	for (login = TAILQ_FIRST(&server->logins); login != NULL; login = login_after(login))
		logins++;
	dialect_numbers(server, text);
	openmetrics_family(text, OPENMETRICS_GAUGE, "splitmx_frontd_logins_under_way", NULL,
	    "Clients that are not logged in yet, those that are parked included.");
	openmetrics_sample(text, NULL, logins);
	openmetrics_family(text, OPENMETRICS_GAUGE, "splitmx_frontd_logins_parked", NULL,
	    "Logins that wait for the end of a hold.");
	openmetrics_sample(text, NULL, crowd_parked(server->crowd));
	openmetrics_family(text, OPENMETRICS_COUNTER, "splitmx_frontd_backend_logins", NULL,
	    "Logins at a destination: accepted, refused by it, or failed before it had answered.");
	each_service(server, text, outcome_numbers);
	openmetrics_family(text, OPENMETRICS_HISTOGRAM, "splitmx_frontd_backend_step_seconds",
	    "seconds", "How long the steps of a login take at a destination.");
	each_service(server, text, step_numbers);
	openmetrics_family(text, OPENMETRICS_GAUGE, "splitmx_frontd_backend_avoided_seconds",
	    "seconds", "How long nobody is sent to a destination that fails; 0: it is used.");
	each_service(server, text, avoided_numbers);
	rehearse_numbers(server->rehearse, text);
}
