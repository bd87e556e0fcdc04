/*
 * counter_part.h - lines of the ledger, as one transaction counts them  (pure)
 *
 * A batch is cut into parts, the same each time: so a part that was counted before a
 * process was killed is known by its number.
 */
#ifndef POLICY_COUNTER_PART_H
#define POLICY_COUNTER_PART_H

#include "map/arrivals_writer.h"
#include "policy/ledger_line.h"

/* Of one transaction; a single report may have more accounts. */
enum { PART_REPORTS_MOST = 100, PART_ACCOUNTS_MOST = 100 };

/* Lines of the batch, and what is lent from them. */
struct counter_part {
	struct arrivals_part part; /* the owners of its entries come with counter_part_owner() */
	struct ledger_line lines[PART_REPORTS_MOST];
	struct str ids[PART_REPORTS_MOST];
	struct arrivals_entry *entries;
	char (*owners)[RECORD_OWNER_MAX_BYTES + 1]; /* room for them */
	char unknown[ARRIVALS_REASON_MOST + 1];
};

/* Taken out of the batch, and at this place in it; NULL: there is none any more. */
struct counter_part *counter_part_next(struct str *batch, const struct arrivals_place *place,
    int64_t now_s);
void counter_part_free(struct counter_part **part);

/*
 * What the map says now of its i-th entry. False: nothing just now, ask again. What is
 * stored and cannot be read stays so: then the count is unknown.
 */
bool counter_part_owner(struct counter_part *part, size_t i, const struct finding *finding);

#endif
