/*
 * change_entry.c - what the audit stream says of a change             (driver)
 */
#include "map/change_inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIGEST_DIGITS = 2 * crypto_generichash_BYTES_MIN };

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

static struct change_value
complete_after(const struct change *change)
{
	return (struct change_value){change->complete.len > 0, change->complete};
}

static char *
complete_text(const struct change *change)
{
	struct str text = or_dash(complete_after(change));

	return xstrndup(text.ptr, text.len);
}

/* "name before after" */
static void
add_line(struct buf *out, struct str name, struct change_value before, struct change_value after)
{
	buf_add_str(out, name);
	buf_add_byte(out, ' ');
	buf_add_str(out, or_dash(before));
	buf_add_byte(out, ' ');
	buf_add_str(out, or_dash(after));
	buf_add_byte(out, '\n');
}

void
change_describe_complete(struct buf *out, const struct change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (changes[i].result != CHANGE_DONE || (changes[i].writes & CHANGE_COMPLETE) == 0)
			continue;
		add_line(out, changes[i].name, changes[i].seen.complete,
		    complete_after(&changes[i]));
	}
}

void
change_describe(struct buf *out, const struct change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (changes[i].result != CHANGE_DONE || changes[i].writes == CHANGE_COMPLETE)
			continue;
		add_line(out, changes[i].name, changes[i].seen.owner, owner_after(&changes[i]));
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
	struct buf list = BUF_INIT, known = BUF_INIT;
	char number[24];

	if (done == 1) {
		all[fields++] = (struct seal_field){"account", one->name};
		all[fields++] = (struct seal_field){"before", or_dash(one->seen.owner)};
		all[fields++] = (struct seal_field){"after", or_dash(owner_after(one))};
		if (one->writes & (CHANGE_HOLD | CHANGE_RELEASE)) {
			all[fields++] = (struct seal_field){"hold_before", or_dash(one->seen.hold)};
			all[fields++] = (struct seal_field){"hold_after", or_dash(hold_after(one))};
		}
		if (one->writes & CHANGE_COMPLETE) {
			all[fields++] =
			    (struct seal_field){"complete_before", or_dash(one->seen.complete)};
			all[fields++] =
			    (struct seal_field){"complete_after", or_dash(complete_after(one))};
		}
	} else {
		snprintf(number, sizeof(number), "%zu", done);
		change_describe(&list, changes, count);
		change_describe_complete(&known, changes, count);
		all[fields++] = (struct seal_field){"accounts", str_of(number)};
		if (buf_len(&list) > 0)
			all[fields++] = (struct seal_field){"changes", buf_str(&list)};
		if (buf_len(&known) > 0)
			all[fields++] = (struct seal_field){"known", buf_str(&known)};
	}
	seal_queue(client, seal, note, all, fields);
	buf_fini(&known);
	buf_fini(&list);
}

/* What may be looked up in the audit stream needs no copy here, only something to know it by. */
static void
digest_of(const struct change *changes, size_t count, char hex_r[static DIGEST_DIGITS + 1])
{
	unsigned char hash[crypto_generichash_BYTES_MIN];
	struct buf list = BUF_INIT;

	change_describe(&list, changes, count);
	change_describe_complete(&list, changes, count);
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)buf_str(&list).ptr,
	    buf_len(&list), NULL, 0);
	sodium_bin2hex(hex_r, DIGEST_DIGITS + 1, hash, sizeof(hash));
	buf_fini(&list);
}

static char *
value_text(struct change_value value)
{
	return value.there ? xstrdup(log_quote(value.text)) : NULL;
}

int
change_journal(struct client *client, const struct change *changes, size_t count,
    const struct seal *seal, const struct change_note *note, struct fault *fault_r)
{
	char digest[DIGEST_DIGITS + 1], *name, *before = NULL, *after = NULL, *complete = NULL;
	size_t done;
	const struct change *last = only_one_done(changes, count, &done);
	struct journal_line line = {.accounts = done};
	int rc;

	must(last != NULL);
	line.name = name = xstrndup(last->name.ptr, last->name.len);
	if (done == 1) {
		line.before = before = value_text(last->seen.owner);
		line.after = after = value_text(owner_after(last));
		if (last->writes & CHANGE_COMPLETE)
			line.complete = complete = complete_text(last);
	} else {
		digest_of(changes, count, digest);
		line.digest = digest;
	}
	rc = seal_journal(client, seal, note, &line, fault_r);
	free(name);
	free(before);
	free(after);
	free(complete);
	return rc;
}
