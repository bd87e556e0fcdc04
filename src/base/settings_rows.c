/*
 * settings_rows.c - the rows of settings.def as a table                 (pure)
 */
#include "base/settings_rows.h"

#include "base/mem.h"
#include "base/settings.h"

#include <string.h>

static const char *const log_targets[] = {
    [LOG_TO_STDERR] = "stderr",
    [LOG_TO_SYSLOG] = "syslog",
    [LOG_TO_JOURNAL] = "journal",
    NULL,
};
static const char *const log_levels[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
    NULL,
};
static const char *const listen_protocols[] = {
    [LISTEN_SOCKETMAP] = "socketmap",
    [LISTEN_TCP_TABLE] = "tcp_table",
    [LISTEN_POLICY] = "policy",
    [LISTEN_SINK] = "sink",
    NULL,
};
static const char *const replicas_lacking[] = {
    [REPLICAS_REFUSE] = "refuse",
    [REPLICAS_CONTINUE] = "continue",
    NULL,
};

static const char *const confirm_member_words[] = {
    [CONFIRM_MEMBERS_ALL] = "all",
    [CONFIRM_MEMBERS_MAJORITY] = "majority",
    [CONFIRM_MEMBERS_NONE] = "none",
    NULL,
};

static const char *const service_protocols[] = {
    [SERVICE_IMAP] = "imap",
    [SERVICE_POP3] = "pop3",
    [SERVICE_SUBMISSION] = "submission",
    [SERVICE_SIEVE] = "sieve",
    NULL,
};
static const char *const tls_modes[] = {
    [TLS_MODE_NONE] = "none",
    [TLS_MODE_STARTTLS] = "starttls",
    [TLS_MODE_IMPLICIT] = "implicit",
    NULL,
};
static const char *const service_callers[] = {
    [SERVICE_CALLER_PROXY] = "proxy",
    [SERVICE_CALLER_XCLIENT] = "xclient",
    [SERVICE_CALLER_ID] = "id",
    [SERVICE_CALLER_NONE] = "none",
    NULL,
};
static const char *const park_ends[] = {
    [PARK_END_CLOSE] = "close",
    [PARK_END_REFUSE] = "refuse",
    NULL,
};
static const char *const tls_versions[] = {
    [TLS_OLDEST_1_2] = "1.2",
    [TLS_OLDEST_1_3] = "1.3",
    NULL,
};

/* The struct that a group's fields are in, and what its settings' names begin with. */
#define IN_main struct settings
#define IN_log struct settings
#define IN_cache struct settings
#define IN_redis struct redis_settings
#define IN_redis_tls struct redis_tls_settings
#define IN_destination struct destination_settings
#define IN_map struct map_settings
#define IN_policyd struct policyd_settings
#define IN_listen struct listen_settings
#define IN_service struct service_settings
#define IN_frontd struct frontd_settings
#define IN_certificate struct certificate_settings
#define IN_front_listen struct front_listen_settings
#define IN_milter struct milter_settings
#define PATH_main ""
#define PATH_log "log."
#define PATH_cache "cache."
#define PATH_redis "redis."
#define PATH_redis_tls "redis.tls."
#define PATH_destination "destinations."
#define PATH_map "maps."
#define PATH_policyd "policyd."
#define PATH_listen "policyd.listen."
#define PATH_service "destinations.services."
#define PATH_frontd "frontd."
#define PATH_certificate "frontd.certificates."
#define PATH_front_listen "frontd.listen."
#define PATH_milter "milter."

/* Where a field is; does not compile unless it has this type. */
#define FIELD(in, field, type) _Generic(((IN_##in *)0)->field, type : offsetof(IN_##in, field))
#define HERE 0
#define INSIDE(in, field) offsetof(IN_##in, field)
#define RELOADS true
#define RESTARTS false

#define ROW(in, called, kind, change, text)                                                        \
	.group = GROUP_##in, .name = #called, .full_name = PATH_##in #called,                      \
	.type = SETTING_##kind, .reloads = change, .sentence = text
#define NUMBER(in, called, field, low, usual, high, measure, change, text)                         \
	{ROW(in, called, NUMBER, change, text), .offset = FIELD(in, field, int64_t), .least = low, \
	    .normal = usual, .most = high, .unit = UNIT_##measure},
#define BOOL(in, called, field, usual, change, text)                                               \
	{ROW(in, called, BOOL, change, text), .offset = FIELD(in, field, bool), .normal = usual},
#define CHOICE(in, called, field, names, usual, change, text)                                      \
	{ROW(in, called, CHOICE, change, text), .offset = FIELD(in, field, unsigned),              \
	    .words = names, .normal = usual},
#define NEEDED_CHOICE(in, called, field, names, change, text)                                      \
	{ROW(in, called, CHOICE, change, text), .offset = FIELD(in, field, unsigned),              \
	    .words = names, .needed = true},
#define TEXT(in, called, field, looks, usual, change, text)                                        \
	{ROW(in, called, TEXT, change, text), .offset = FIELD(in, field, const char *),            \
	    .pattern = PATTERN_##looks, .normal_text = usual},
#define NEEDED_TEXT(in, called, field, looks, change, text)                                        \
	{ROW(in, called, TEXT, change, text), .offset = FIELD(in, field, const char *),            \
	    .pattern = PATTERN_##looks, .normal_text = "", .needed = true},
#define TEXTS(in, called, field, count, looks, change, text)                                       \
	{ROW(in, called, TEXTS, change, text), .offset = FIELD(in, field, const char **),          \
	    .count_offset = FIELD(in, count, size_t), .pattern = PATTERN_##looks},
#define GROUP(in, called, where, of, text)                                                         \
	{ROW(in, called, GROUP, true, text), .offset = where, .child = GROUP_##of},
#define GROUPS(in, called, field, count, of, change, text)                                         \
	{ROW(in, called, GROUPS, change, text), .offset = FIELD(in, field, IN_##of *),             \
	    .count_offset = FIELD(in, count, size_t), .child = GROUP_##of,                         \
	    .child_size = sizeof(IN_##of), .child_line_offset = FIELD(of, line, int)},
#define PAIRS(in, called, field, count, change, text)                                              \
	{ROW(in, called, PAIRS, change, text), .needed = true,                                     \
	    .offset = FIELD(in, field, struct owner_settings *),                                   \
	    .count_offset = FIELD(in, count, size_t), .pattern = PATTERN_ANY},

const struct setting_row setting_rows[] = {
#include "base/settings.def"
};
const size_t setting_row_count = ARRAY_LEN(setting_rows);

const struct setting_row *
setting_row_find(enum setting_group group, const char *name)
{
	for (size_t i = 0; i < setting_row_count; i++)
		if (setting_rows[i].group == group && strcmp(setting_rows[i].name, name) == 0)
			return &setting_rows[i];
	return NULL;
}

const char *
setting_group_path(enum setting_group group)
{
	static const char *const paths[] = {
	    [GROUP_main] = PATH_main,
	    [GROUP_log] = PATH_log,
	    [GROUP_redis] = PATH_redis,
	    [GROUP_redis_tls] = PATH_redis_tls,
	    [GROUP_cache] = PATH_cache,
	    [GROUP_destination] = PATH_destination,
	    [GROUP_map] = PATH_map,
	    [GROUP_policyd] = PATH_policyd,
	    [GROUP_listen] = PATH_listen,
	    [GROUP_service] = PATH_service,
	    [GROUP_frontd] = PATH_frontd,
	    [GROUP_certificate] = PATH_certificate,
	    [GROUP_front_listen] = PATH_front_listen,
	    [GROUP_milter] = PATH_milter,
	};

	return paths[group];
}

const char *
setting_unit_words(enum setting_unit unit)
{
	static const char *const words[] = {
	    [UNIT_COUNT] = "",
	    [UNIT_MS] = " milliseconds",
	    [UNIT_BYTES] = " bytes",
	};

	return words[unit];
}
