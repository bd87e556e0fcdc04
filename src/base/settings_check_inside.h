/*
 * settings_check_inside.h - what the parts of the check share           (pure)
 */
#ifndef BASE_SETTINGS_CHECK_INSIDE_H
#define BASE_SETTINGS_CHECK_INSIDE_H

#include "base/settings.h"

/* ---- settings_check_common.c */

struct used_name; /* a set of names; NULL is the empty one */

/* Was this name used before? If not, it is now. NULL and "" are no names. */
void check_unused(struct settings *settings, struct used_name **names, const char *name, int line,
    const char *setting);
void forget_names(struct used_name **names);

/* Of a list whose elements have their lines: no text twice. */
void check_texts_differ(struct settings *settings, const char *const *texts, size_t count,
    const char *setting);

/* A setting that is given, and that the others leave without any effect. */
void check_useless(struct settings *settings, const void *field, const char *setting,
    const char *reason);

/* "field" is a list: given, and nothing in it. */
void check_not_empty(struct settings *settings, const void *field, size_t count,
    const char *setting, const char *what);

/* "field" is a text: on a loopback address, by TCP. */
void check_metrics(struct settings *settings, const char *const *field, const char *setting);

/*
 * Every '%' in the text begins one of these expansions, or is "%%". Returns how
 * many of "needed" it has; problems are told.
 */
size_t check_expansions(struct settings *settings, const char *text, int line, const char *setting,
    const char *letters, const char *needed);

/*
 * The port has a protocol and a way to TLS that everybody knows: is it this one?
 * A listener may do without TLS on any port: somebody else may unwrap it.
 */
void check_port(struct settings *settings, const char *address, int line, const char *setting,
    enum service_protocol protocol, enum tls_mode tls, bool is_listener);

const char *service_protocol_name(enum service_protocol protocol); /* "imap" */

/* ---- one for each group */

void check_services(struct settings *settings); /* destinations */
void check_front(struct settings *settings); /* frontd */
void check_milter(struct settings *settings);

#endif
