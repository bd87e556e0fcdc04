/*
 * age.c - how long ago, as people say it                                (pure)
 */
#include "admin/age.h"

#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>

enum { YEARS_MOST = 100 };

static const struct {
	char letter;
	uint64_t s;
} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

int
age_read(const char *text, uint64_t *ms_r, struct fault *fault_r)
{
	struct str number = str_of(text);
	uint64_t unit_s = 1, count;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (number.len > 0 && number.ptr[number.len - 1] == units[i].letter) {
			unit_s = units[i].s;
			number.len--;
			break;
		}
	}
	if (!str_number(number, YEARS_MOST * UINT64_C(365) * 86400 / unit_s, &count))
		return fault_set(fault_r, VERDICT_PERM,
		    "\"%s\" is no age: write 90s, 15m, 2h or 3d", text);
	*ms_r = count * unit_s * 1000;
	return 0;
}

void
age_write(struct buf *out, uint64_t ms)
{
	uint64_t s = ms / 1000;
	size_t i = 0;

	while (i < ARRAY_LEN(units) - 1 && s < units[i].s)
		i++;
	buf_addf(out, "%" PRIu64 "%c", s / units[i].s, units[i].letter);
	if (i + 1 < ARRAY_LEN(units))
		buf_addf(out, "%02" PRIu64 "%c", s % units[i].s / units[i + 1].s,
		    units[i + 1].letter);
}
