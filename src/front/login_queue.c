/*
 * login_queue.c - logins that wait for their turn                     (driver)
 *
 * Where somebody guesses at an account the crowd has a line for each address. Who
 * stands there has no claim, and one timer of the worker wakes all of them.
 */
#include "front/login_inside.h"

#include "base/clock.h"

static void
await_turns(struct server *server)
{
	uint64_t ms = crowd_next_turn_ms(server->crowd, clock_ms());

	if (ms != UINT64_MAX)
		timer_start(server->turns, ms);
}

/* Much may have changed while it stood in line, so it is asked again. */
void
login_next_turns(void *ctx)
{
	struct server *server = ctx;
	struct crowd_turn *turn;

	while ((turn = crowd_next_turn(server->crowd, clock_ms())) != NULL) {
		struct login *login = turn->owner;

		login->has_turn = true;
		login_restart(login, 0); /* the wait was ours */
		login_ask(login);
	}
	await_turns(server);
}

/* Known or unknown, whoever guesses is told one by one. */
bool
login_take_turn(struct login *login, struct str guessed)
{
	struct server *server = login->server;

	if (login->has_turn)
		return true;
	login->turn.owner = login;
	login->has_turn = crowd_take_turn(server->crowd, &login->turn, &login->caller.client,
	    guessed, clock_ms());
	if (!login->has_turn) {
		login_enter(login, LOGIN_QUEUED);
		login_restart(login, 0);
		if (!timer_is_running(server->turns))
			await_turns(server);
	}
	return login->has_turn;
}
