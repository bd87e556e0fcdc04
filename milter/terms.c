/*
 * terms.c - what holds for the messages that begin now                (driver)
 */
#include "milter/terms.h"

#include "base/file.h"
#include "base/mem.h"
#include "milter/trace_keys.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct terms {
	struct session_terms session; /* what it points to is below */
	struct trace_keys *keys;
	char *instance, *delimiters, *side;
	atomic_uint users;
};

enum { READ_MOST_BYTES = 1 << 18 }; /* file_read() takes large pieces */

/* As a password's file: what everybody may read is no secret. */
static int
check_file(const char *path, struct fault *fault_r)
{
	struct stat status;

	if (stat(path, &status) == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "milter.trace_keys: %s", path);
	if (!S_ISREG(status.st_mode) || (status.st_mode & S_IROTH) != 0)
		return fault_set(fault_r, VERDICT_PERM,
		    "milter.trace_keys: %s is %s: make it a file of mode 0640 or less", path,
		    S_ISREG(status.st_mode) ? "readable by everybody" : "no file");
	if (status.st_size > TRACE_FILE_MOST)
		return fault_set(fault_r, VERDICT_PERM,
		    "milter.trace_keys: %s has more than %d bytes", path, TRACE_FILE_MOST);
	return 0;
}

static int
read_keys(const char *path, struct trace_keys **keys_r, struct fault *fault_r)
{
	struct buf text;
	int rc = -1;

	buf_init(&text, READ_MOST_BYTES);
	text.secret = true;
	if (check_file(path, fault_r) == -1)
		goto out;
	if (file_read(path, &text) == -1)
		fault_set_errno(fault_r, VERDICT_PERM, "milter.trace_keys: %s", path);
	else
		rc = trace_keys_read(keys_r, buf_str(&text), path, fault_r);
out:
	buf_wipe(&text);
	buf_fini(&text);
	return rc;
}

const char *
terms_instance(const struct settings *settings)
{
	const char *name =
	    settings->milter.instance != NULL ? settings->milter.instance : settings->instance;

	return strlen(name) <= TRACE_INSTANCE_MOST ? name : NULL;
}

struct terms *
terms_new(const struct settings *settings, struct fault *fault_r)
{
	const struct milter_settings *m = &settings->milter;
	struct trace_keys *keys;
	struct terms *terms;

	must(m->trace_keys != NULL && terms_instance(settings) != NULL);
	if (read_keys(m->trace_keys, &keys, fault_r) == -1)
		return NULL;
	terms = xnew(struct terms);
	terms->users = 1;
	terms->keys = keys;
	terms->instance = xstrdup(terms_instance(settings));
	terms->delimiters = xstrdup(settings->recipient_delimiter);
	terms->side = xstrdup(m->side != NULL ? m->side : "");
	terms->session = (struct session_terms){.instance = str_of(terms->instance),
	    .rules = {.fold_local = settings->fold_local, .delimiters = terms->delimiters},
	    .keys = keys,
	    .loops = {.young_s = LOOP_YOUNG_S, .visits_most = LOOP_VISITS_MOST},
	    .defers_held = m->defers_held,
	    .strips_outgoing = m->strips_outgoing,
	    .side = str_of(terms->side)};
	return terms;
}

struct terms *
terms_join(struct terms *terms)
{
	terms->users++;
	return terms;
}

void
terms_part(struct terms **termsp)
{
	struct terms *terms = *termsp;

	*termsp = NULL;
	if (terms == NULL || --terms->users > 0)
		return;
	trace_keys_free(&terms->keys);
	free(terms->instance);
	free(terms->delimiters);
	free(terms->side);
	free(terms);
}

const struct session_terms *
terms_of_session(const struct terms *terms)
{
	return &terms->session;
}
