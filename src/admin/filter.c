/*
 * filter.c - which rows list, import and export are about               (pure)
 */
#include "admin/filter.h"

#include "base/log.h"
#include "map/account.h"
#include "map/scan.h"

static const char *
value(const struct args *args, const char *name)
{
	for (size_t i = 0; i < args->row_count; i++) {
		if (strcmp(args->rows[i]->name, name) == 0)
			return args->values[i];
	}
	return NULL;
}

int
filter_init(struct filter *filter, const struct args *args, struct fault *fault_r)
{
	const char *domain = value(args, "domain");

	*filter = (struct filter){.owner = value(args, "owner"), .pattern = value(args, "pattern")};
	if (domain != NULL) {
		buf_add_byte(&filter->domain, '@');
		if (!account_domain(str_of(domain + (domain[0] == '@')), &filter->domain)) {
			filter_fini(filter);
			return fault_set(fault_r, VERDICT_PERM, "%s is not a domain",
			    log_quote_text(domain));
		}
	}
	if (filter->pattern != NULL) {
		buf_add_text(&filter->glob, filter->pattern);
	} else if (domain != NULL) {
		buf_add_byte(&filter->glob, '*');
		scan_escape(&filter->glob, buf_str(&filter->domain));
	}
	return 0;
}

void
filter_fini(struct filter *filter)
{
	buf_fini(&filter->domain);
	buf_fini(&filter->glob);
}

struct str
filter_glob(const struct filter *filter)
{
	return buf_str(&filter->glob);
}

bool
filter_takes(const struct filter *filter, struct str name, struct str owner)
{
	struct str domain = buf_str(&filter->domain);

	if (filter->owner != NULL && !str_is(owner, filter->owner))
		return false;
	return domain.len == 0 ||
	       (name.len >= domain.len && str_eq(str_from(name, name.len - domain.len), domain));
}
