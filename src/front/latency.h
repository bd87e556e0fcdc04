/*
 * latency.h - how long each step of a login takes at a backend          (pure)
 *
 * Kept by service, so there are as many series as the settings have destinations
 * and protocols, whatever clients do. A step that came to nothing is not in here:
 * failures are counted where they are noticed.
 *
 * The first answer inside a session is no step. How long it takes is the client's choice
 * (NOOP, or 50 MB), often there is no question at all (IDLE, greetings that a backend
 * pushes), and to tell which answer is the first one every session would have to carry a
 * clock and a hand on its service, for as long as it lasts, and look at it at each piece
 * that passes.
 */
#ifndef FRONT_LATENCY_H
#define FRONT_LATENCY_H

#include <stdint.h>

enum latency_step {
	LATENCY_CONNECT, /* from the name to an open connection */
	LATENCY_GREETING, /* until the backend's first words */
	LATENCY_TLS, /* the handshake */
	LATENCY_LOGIN, /* all the rest up to its yes or no, but not what the client thinks about */
	LATENCY_STEPS
};

enum { LATENCY_BOUNDS = 15 };

struct latency {
	struct latency_row {
		uint64_t counts[LATENCY_BOUNDS + 1]; /* the last one: above all bounds */
		uint64_t sum_us;
	} steps[LATENCY_STEPS];
};

extern const uint64_t latency_bounds_us[LATENCY_BOUNDS];
extern const char *const latency_names[LATENCY_STEPS]; /* "connect", "tls" */

void latency_add(struct latency *latency, enum latency_step step, uint64_t us);

#endif
