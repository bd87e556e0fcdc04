/*
 * explain_domain.h - splitmx explain @DOMAIN: its own keys            (driver)
 */
#ifndef ADMIN_EXPLAIN_DOMAIN_H
#define ADMIN_EXPLAIN_DOMAIN_H

#include "admin/origin.h"
#include "admin/reading.h"

/* origin may be NULL: it cannot be told. The status: trouble, or nobody manages it. */
int explain_domain(struct admin *admin, const struct subject *subject,
    const struct reading *reading, const struct origin *origin);

#endif
