/*
 * doctor.c - what the doctor has found                                (driver)
 */
#include "admin/doctor.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const kind_names[] = {
    [FINDING_BACK] = "back",
    [FINDING_LOST] = "lost",
    [FINDING_WINDOW] = "window",
    [FINDING_MEMBERS] = "members",
    [FINDING_NODE] = "node",
    [FINDING_EDITED] = "edited",
    [FINDING_GONE] = "gone",
    [FINDING_UNCONFIRMED] = "unconfirmed",
    [FINDING_UNNOTED] = "unnoted",
    [FINDING_OWNER] = "owner",
    [FINDING_UNMANAGED] = "unmanaged",
    [FINDING_HOLD] = "hold",
    [FINDING_LOGIN] = "login",
    [FINDING_COMPLETE] = "complete",
};
_Static_assert(ARRAY_LEN(kind_names) == FINDING_KINDS, "a kind lacks its name");

static void
say(struct doctor *doctor, enum finding_kind kind, struct str name, struct str sentence)
{
	doctor->counts[kind]++;
	if (doctor->admin->json) {
		admin_print_json(json_pack("{s:s, s:o, s:o}", "finding", kind_names[kind], "name",
		    admin_json_text(name), "sentence", admin_json_text(sentence)));
		return;
	}
	if (doctor->counts[kind] > DOCTOR_SHOWN_MOST)
		return;
	admin_print_text(stdout, name);
	fputs(": ", stdout);
	admin_print_text(stdout, sentence);
	putchar('\n');
}

void
doctor_say(struct doctor *doctor, enum finding_kind kind, struct str name, const char *format, ...)
{
	struct buf sentence = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_vaddf(&sentence, format, args);
	va_end(args);
	say(doctor, kind, name, buf_str(&sentence));
	buf_fini(&sentence);
}

void
doctor_say_all(struct doctor *doctor, enum finding_kind kind, struct str name, json_t *troubles)
{
	for (size_t i = 0; i < json_array_size(troubles); i++)
		say(doctor, kind, name, str_of(json_string_value(json_array_get(troubles, i))));
	json_decref(troubles);
}

size_t
doctor_sum(const struct doctor *doctor)
{
	size_t sum = 0;

	for (size_t i = 0; i < FINDING_KINDS; i++) {
		sum += doctor->counts[i];
		if (doctor->counts[i] > DOCTOR_SHOWN_MOST && !doctor->admin->json)
			printf("... and %zu more of the kind \"%s\" (--json shows all)\n",
			    doctor->counts[i] - DOCTOR_SHOWN_MOST, kind_names[i]);
	}
	if (sum == 0 && !doctor->admin->json)
		puts("the map agrees with what was noted, and nothing else was found");
	return sum;
}
