/*
 * complete_sides.h - the servers that check --complete compares with  (driver)
 *
 * Each destination, at the server that a map sends its mail to. A server that takes
 * an address nobody can have takes everything, and says nothing about any address.
 */
#ifndef ADMIN_COMPLETE_SIDES_H
#define ADMIN_COMPLETE_SIDES_H

#include "admin/admin.h"
#include "admin/rcpt.h"

#include <stddef.h>
#include <stdint.h>

struct complete_side {
	const char *name; /* of the destination */
	struct nexthop nexthop;
	struct rcpt *rcpt; /* NULL: it cannot be asked, or compared; it was said why */
	uint64_t asked, refused_own, refused_others;
};

/* What is said of one side. good: 1, 0, or -1 where nobody can tell. */
typedef void complete_say_fn(void *ctx, int good, const char *side, struct str text);

/* How they are asked; lent as long as the sides. */
struct complete_way {
	struct admin *admin;
	struct str domain; /* with its @ */
	const char *map; /* NULL: the first that names most servers */
	const char *queue_directory; /* for relative paths of sockets */
	const char *sender; /* "": the null sender */
	complete_say_fn *say;
	void *ctx;
};

struct complete_sides {
	const struct complete_way *way;
	struct complete_side *list;
	size_t count, comparable;
	const struct view *view; /* whose texts name the servers */
	struct loop *loop;
};

/* Find out where each destination is asked. 0; or EX_USAGE, said: there is no such map. */
int complete_sides_init(struct complete_sides *sides, const struct complete_way *way);
void complete_sides_fini(struct complete_sides *sides);

/* Ask each for an address that nobody has. Who accepts it, or cannot tell, is asked no more. */
void complete_sides_try(struct complete_sides *sides);

/* NULL: the owner is no destination that can be compared. */
struct complete_side *complete_side_of(const struct complete_sides *sides, struct str owner);

#endif
