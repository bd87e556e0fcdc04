/*
 * heritage.c - what was left by workers that do not come back         (driver)
 */
#include "policy/heritage.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* "a-0" and 7: "a-7". The caller's. */
static char *
of_slot(const char *own, char before_slot, unsigned slot)
{
	const char *end = strrchr(own, before_slot);

	must(end != NULL);
	return xasprintf("%.*s%u", (int)(end + 1 - own), own, slot);
}

static struct ledger *
open_left(const char *path, int64_t now_s)
{
	struct ledger *ledger;
	struct fault unimportant; /* its worker is alive, or it stays for the next look */

	if (!ledger_is_left(path))
		return NULL;
	ledger = ledger_open(path, now_s, &unimportant);
	if (ledger != NULL && ledger_is_empty(ledger))
		ledger_close(&ledger, true); /* it was killed, and had nothing */
	return ledger;
}

struct ledger *
heritage_next(const char *path, const char *id, int64_t now_s, char **id_r)
{
	struct ledger *ledger = NULL;

	for (unsigned slot = 0; slot < HERITAGE_SLOTS_MOST && ledger == NULL; slot++) {
		char *other = of_slot(path, '-', slot);

		if (strcmp(other, path) != 0 && (ledger = open_left(other, now_s)) != NULL)
			*id_r = of_slot(id, '/', slot);
		free(other);
	}
	return ledger;
}
