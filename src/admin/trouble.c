/*
 * trouble.c - sentences about what an operator must look at           (driver)
 */
#include "admin/trouble.h"

#include "admin/admin.h"
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

void
trouble_add(json_t *troubles, const char *format, ...)
{
	struct buf text = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	json_array_append_new(troubles, admin_json_text(buf_str(&text)));
	buf_fini(&text);
}

void
troubles_print(const json_t *troubles)
{
	for (size_t i = 0; i < json_array_size(troubles); i++) {
		const json_t *trouble = json_array_get(troubles, i);

		fputs("  ", stdout);
		admin_print_text(stdout,
		    str_make(json_string_value(trouble), json_string_length(trouble)));
		putchar('\n');
	}
}
