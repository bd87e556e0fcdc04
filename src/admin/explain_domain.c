/*
 * explain_domain.c - splitmx explain @DOMAIN: its own keys            (driver)
 */
#include "admin/explain_domain.h"

#include "admin/completing.h"
#include "admin/guard.h"
#include "admin/owner.h"
#include "admin/reading_shown.h"
#include "base/log.h"

#include <stdio.h>

/* Is there a key that makes its accounts unanswerable? */
static bool
domain_has_trouble(const struct admin *admin, const struct reading *reading)
{
	for (size_t i = 0; i < reading->count; i++) {
		if (reading->keys[i].kind == FETCH_WRONG_TYPE)
			return true;
	}
	return reading->keys[READING_OWNER].kind == FETCH_STRING &&
	       !ruleset_has_destination(admin->rules, reading->keys[READING_OWNER].value);
}

int
explain_domain(struct admin *admin, const struct subject *subject, const struct reading *reading,
    const struct origin *origin)
{
	bool managed = reading->keys[READING_OWNER].kind != FETCH_ABSENT;
	bool floor = guard_is_floor(admin->settings, subject->name);
	struct change_value complete = {reading->keys[READING_COMPLETE].kind == FETCH_STRING,
	    reading->keys[READING_COMPLETE].value};
	int code = domain_has_trouble(admin, reading) ? EX_DATAERR
		   : managed || floor                 ? 0
						      : EX_NOUSER;

	if (admin->json) {
		json_t *root = json_pack("{s:o, s:b, s:b, s:o}", "canonical",
		    admin_json_text(subject->name), "managed", managed || floor, "in_settings",
		    floor, "keys", reading_json(reading));
		json_object_set_new(root, "complete", json_string(completing_words(complete)));

		if (origin != NULL)
			json_object_set_new(root, "change", origin_json(origin));
		admin_print_json(root);
		return code;
	}
	printf("domain     %s\n", log_quote(subject->domain));
	printf("managed    %s%s\n",
	    managed || floor ? "yes" : "no, everybody goes on as without us",
	    floor && !managed ? ", by the settings, but without an owner: accounts without a key "
				"of their own are answered \"try again later\""
			      : "");
	if (code == EX_DATAERR)
		printf("trouble    its accounts are answered \"try again later\": see the keys; "
		       "destinations are %s\n",
		    owner_destinations(admin));
	if (managed)
		printf("complete   %s\n", completing_sentence(complete));
	if (origin != NULL)
		origin_print(origin);
	reading_print(reading);
	return code;
}
