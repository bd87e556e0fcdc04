/*
 * change_entry.c - what the audit stream says of a change             (driver)
 */
#include "map/change_inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

/* What is stored may be anything; an entry's line or field holds no other one. */
static struct str
or_dash(struct change_value value)
{
	return value.there ? str_of(log_quote(value.text)) : STR("-");
}

static struct change_value
owner_after(const struct change *change)
{
	if ((change->writes & CHANGE_OWNER) == 0)
		return change->seen.owner;
	return (struct change_value){change->owner.len > 0, change->owner};
}

static struct change_value
hold_after(const struct change *change)
{
	if (change->writes & CHANGE_HOLD)
		return (struct change_value){true, change->hold};
	if (change->writes & CHANGE_RELEASE)
		return (struct change_value){false, STR("")};
	return change->seen.hold;
}

void
change_describe(struct buf *out, const struct change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (changes[i].result != CHANGE_DONE)
			continue;
		buf_add_str(out, changes[i].name);
		buf_add_byte(out, ' ');
		buf_add_str(out, or_dash(changes[i].seen.owner));
		buf_add_byte(out, ' ');
		buf_add_str(out, or_dash(owner_after(&changes[i])));
		buf_add_byte(out, '\n');
	}
}

static const struct change *
only_one_done(const struct change *changes, size_t count, size_t *done_r)
{
	const struct change *found = NULL;

	*done_r = 0;
	for (size_t i = 0; i < count; i++) {
		if (changes[i].result == CHANGE_DONE) {
			found = &changes[i];
			++*done_r;
		}
	}
	return found;
}

/* One change in fields, several as lines. */
void
change_seal(struct client *client, const struct change *changes, size_t count,
    const struct seal *seal, const struct change_note *note)
{
	size_t done, fields = 0;
	const struct change *one = only_one_done(changes, count, &done);
	struct seal_field all[SEAL_FIELDS_MOST];
	struct buf list = BUF_INIT;
	char number[24];

	if (done == 1) {
		all[fields++] = (struct seal_field){"account", one->name};
		all[fields++] = (struct seal_field){"before", or_dash(one->seen.owner)};
		all[fields++] = (struct seal_field){"after", or_dash(owner_after(one))};
		if (one->writes & (CHANGE_HOLD | CHANGE_RELEASE)) {
			all[fields++] = (struct seal_field){"hold_before", or_dash(one->seen.hold)};
			all[fields++] = (struct seal_field){"hold_after", or_dash(hold_after(one))};
		}
	} else {
		snprintf(number, sizeof(number), "%zu", done);
		change_describe(&list, changes, count);
		all[fields++] = (struct seal_field){"accounts", str_of(number)};
		all[fields++] = (struct seal_field){"changes", buf_str(&list)};
	}
	seal_queue(client, seal, note, all, fields);
	buf_fini(&list);
}
