/*
 * doctor_keys.h - every key of the map, looked at                     (driver)
 */
#ifndef ADMIN_DOCTOR_KEYS_H
#define ADMIN_DOCTOR_KEYS_H

#include "admin/doctor.h"
#include "admin/history.h"
#include "admin/noted.h"

/*
 * Compare all owners with what was noted, up to this place, and with the settings, then look at
 * holds, login names and complete keys. With names only those accounts' and domains' owners. 0, or
 * -1 and *fault_r.
 */
int doctor_keys(struct doctor *doctor, struct noted *noted, struct history_place *place,
    const struct str *names, size_t count, struct fault *fault_r);

#endif
