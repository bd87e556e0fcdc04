/*
 * running.h - which commands run, in the order of asking                (pure)
 *
 * POP3 and ManageSieve have no tags: answers come in the order of the commands. So
 * what we answer ourselves waits in the same line, until those before it have been
 * answered. Bounded, and small: an idle session has one.
 */
#ifndef FRONT_RUNNING_H
#define FRONT_RUNNING_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

enum { RUNNING_MOST = 64 };

struct running {
	uint8_t first, count;
	uint8_t kinds[RUNNING_MOST]; /* whatever the protocol means by them */
};

static inline bool
running_is_empty(const struct running *running)
{
	return running->count == 0;
}

/* No more commands are to be read until something was answered. */
static inline bool
running_is_full(const struct running *running)
{
	return running->count == RUNNING_MOST;
}

static inline void
running_add(struct running *running, uint8_t kind)
{
	must(!running_is_full(running));
	running->kinds[(running->first + running->count++) % RUNNING_MOST] = kind;
}

/* The one that is to be answered next; there must be one. */
static inline uint8_t
running_first(const struct running *running)
{
	return running->kinds[running->first];
}

static inline void
running_remove(struct running *running)
{
	must(!running_is_empty(running));
	running->first = (running->first + 1) % RUNNING_MOST;
	running->count--;
}

#endif
