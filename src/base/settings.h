/*
 * settings.h - splitmx.conf, read completely or not at all            (driver)
 *
 * One table, settings.def, has a row for every setting: parser, manual and
 * example come from it. Every problem of a file is found in one pass, each with
 * file, line and setting. No text of a setting holds a control character.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What clients and backends of the login front speak. */
enum service_protocol {
	SERVICE_IMAP,
	SERVICE_POP3,
	SERVICE_SUBMISSION,
	SERVICE_SIEVE,
	SERVICE_COUNT
};

enum tls_mode { TLS_MODE_NONE, TLS_MODE_STARTTLS, TLS_MODE_IMPLICIT };

/* How a backend learns who is calling. */
enum service_caller {
	SERVICE_CALLER_PROXY,
	SERVICE_CALLER_XCLIENT,
	SERVICE_CALLER_ID,
	SERVICE_CALLER_NONE
};

/* Where a destination serves one protocol to the front. */
struct service_settings {
	enum service_protocol protocol;
	const char **addresses; /* tried in this order */
	size_t address_count;
	enum tls_mode tls;
	enum service_caller caller;
	bool verify; /* the certificate; false: any is taken */
	bool trusted; /* without TLS secrets may be sent all the same */
	const char *ca_file, *cert_file, *key_file, *server_name; /* NULL where not given */
	const char **pins; /* SHA-256 of a public key, hex; one of them must match */
	size_t pin_count;
	const char **who; /* a program and its arguments: %a %u %d %o %%; none: nobody can tell */
	size_t who_count;
	const char *login; /* name to log in with: %a %u %d %l %%; "" = as the client says it */
	int64_t connect_timeout_ms;
	int line;
};

struct destination_settings {
	const char *name;
	const char **kick; /* a program and its arguments: %a %u %d %o %%; none: there is no way */
	size_t kick_count;
	const char *rehearse; /* a destination where logins are tried, too; NULL: none */
	struct service_settings *services;
	size_t service_count;
	int line;
};

struct owner_settings { /* one row of a map: destination -> text */
	const char *destination;
	const char *text;
	int line;
};

struct map_settings {
	const char *name;
	struct owner_settings *owners;
	size_t owner_count;
	const char *held; /* NULL: this map ignores holds */
	int line, held_line;
};

enum listen_protocol { LISTEN_SOCKETMAP, LISTEN_TCP_TABLE, LISTEN_POLICY, LISTEN_SINK };

struct listen_settings {
	enum listen_protocol protocol;
	const char *address; /* as net/endpoint.h reads it */
	const char *map; /* tcp_table, policy; NULL elsewhere */
	const char *reply; /* sink */
	const char *mode; /* unix: "0660" */
	const char *owner; /* unix: user name or "" */
	const char *group; /* unix: group name or "" */
	const char **users; /* unix: who may connect; none named = whoever the mode lets in */
	size_t user_count;
	const char **allow; /* inet: CIDR list; none named = loopback only */
	size_t allow_count;
	int64_t backlog;
	int line;
};

/* Which Redis servers a change must have reached to be confirmed. */
enum confirm_members { CONFIRM_MEMBERS_ALL, CONFIRM_MEMBERS_MAJORITY, CONFIRM_MEMBERS_NONE };

struct redis_tls_settings {
	const char *ca_file, *cert_file, *key_file, *server_name; /* NULL where not given */
};

enum replicas_lacking { REPLICAS_REFUSE, REPLICAS_CONTINUE };

struct redis_settings {
	const char *url; /* NULL: see sentinels; settings_redis_is_private() */
	const char **sentinels; /* "host:port", "[::1]:port"; none without a master's name */
	size_t sentinel_count;
	const char *sentinel_master;
	const char *sentinel_user; /* "": the default user */
	const char *sentinel_password_file; /* NULL: no password */
	bool sentinel_tls; /* with them, and with the Redis that they name */
	const char *user; /* "": the default user */
	const char *password_file; /* NULL: no password */
	const char *prefix; /* "splitmx": keys "splitmx:..." and "splitmx.map" */
	struct redis_tls_settings tls;
	enum replicas_lacking replicas_lacking;
	int64_t connect_timeout_ms, reconnect_least_ms, reconnect_most_ms;
	enum confirm_members confirm_members;
};

struct policyd_settings {
	int64_t workers, max_connections, idle_timeout_ms, drain_timeout_ms;
	const char *metrics; /* address of the OpenMetrics endpoint; NULL: none */
	struct listen_settings *listen;
	size_t listen_count;
};

struct front_listen_settings {
	enum service_protocol protocol;
	const char *address;
	enum tls_mode tls;
	bool plaintext_login; /* passwords are taken without TLS */
	const char *
	    *proxy_from; /* CIDR list: who sends, and must send, a PROXY header; none: nobody */
	size_t proxy_from_count;
	int64_t backlog;
	int line;
};

struct certificate_settings {
	const char *cert_file, *key_file; /* key_file NULL: the key is in cert_file */
	int line;
};

/* A login that was parked for too long: its connection is closed, or it may try again. */
enum park_end { PARK_END_CLOSE, PARK_END_REFUSE };

enum tls_oldest { TLS_OLDEST_1_2, TLS_OLDEST_1_3 };

struct frontd_settings {
	int64_t workers, max_connections, max_logins;
	int64_t max_per_address, max_parked_per_address, max_per_account;
	int64_t login_timeout_ms, fail_delay_ms, idle_timeout_ms, end_timeout_ms, drain_timeout_ms;
	int64_t rehearse_interval_ms, rehearse_most;
	const char *host_name; /* NULL: instance, or the host's */
	const char *default_domain; /* "" = none */
	const char *master_separators; /* "" = none */
	const char *unknown_login; /* "refuse", or a destination */
	enum park_end park_end;
	const char *metrics; /* address of the OpenMetrics endpoint; NULL: none */
	const char **token_claims; /* JWT claims that name the account */
	size_t token_claim_count;
	bool token_claims_first;
	enum tls_oldest tls_oldest;
	struct certificate_settings *certificates;
	size_t certificate_count;
	struct front_listen_settings *listen;
	size_t listen_count;
};

struct milter_settings {
	const char **listen; /* addresses, each a process's */
	size_t listen_count;
	const char *mode, *owner, *group; /* of all Unix sockets */
	int64_t backlog;
	bool open_to_network;
	const char *policyd; /* path of its Unix socket */
	int64_t policyd_timeout_ms, policyd_connections, policyd_waiting;
	int64_t max_sessions, idle_timeout_ms, drain_timeout_ms;
	const char *instance; /* NULL: that of the installation */
	const char *trace_keys; /* path; NULL: not given, and the milter does not start */
	bool defers_held, strips_outgoing;
	const char *side; /* a destination; NULL: the server of none */
	const char *metrics; /* address of the OpenMetrics endpoint; NULL: none */
};

struct settings {
	const char *path;
	const char *instance, *run_dir, *state_dir, *user, *group;
	enum log_target log_to;
	enum log_level log_level;
	struct redis_settings redis;
	int64_t cache_size_bytes, cache_preload, question_timeout_ms, grace_ms, confirm_timeout_ms;
	const char **domains;
	size_t domain_count;
	bool domains_complete, fold_local;
	const char *recipient_delimiter;
	struct destination_settings *destinations;
	size_t destination_count;
	struct map_settings *maps;
	size_t map_count;
	struct policyd_settings policyd;
	struct frontd_settings frontd;
	struct milter_settings milter;
	struct settings_store *store; /* owns every string and array above, and the problems */
};

enum { SETTINGS_FILE_MAX_BYTES = 64 << 20 };

/*
 * Read a file, or a text that stands for one (name is used in messages). Always
 * returns an object, the caller's: with settings_problem_count() > 0 it may be
 * used for nothing but reading its problems.
 */
struct settings *settings_load(const char *path);
struct settings *settings_load_text(const char *text, const char *name);
void settings_free(struct settings **settings);

/* Later checks (ruleset_new) add what only they can see; line 0 = the whole file. */
void settings_problem(struct settings *settings, int line, const char *setting, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

/*
 * The line that gave a setting its value; "field" is its address in *settings,
 * or that of an element of a list. 0 where the file does not give it; below 0
 * where it does, but the value was refused.
 */
int settings_line(const struct settings *settings, const void *field);

/* Neither a url nor sentinels: a redis-server of our own under state_dir. */
bool settings_redis_is_private(const struct settings *settings);

size_t settings_problem_count(const struct settings *settings);

/* "FILE:LINE: SETTING: sentence", in order of lines; lent as long as settings. */
const char *settings_problem_text(const struct settings *settings, size_t i);

/*
 * Which settings differ and cannot change without a restart? Calls fn for each
 * with its name; returns how many there were.
 */
size_t settings_unreloadable(const struct settings *was, const struct settings *is,
    void (*fn)(void *ctx, const char *setting), void *ctx);

/* Give those their old values, in copies: "is" is what a reload makes of "was". */
void settings_keep(struct settings *is, const struct settings *was);

#endif
