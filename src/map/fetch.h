/*
 * fetch.h - reading one account from the stored map, step by step     (machine)
 *
 * Knows the stored form (splitmx-map(7)) and the order in which keys win, and
 * does no I/O: it names the keys to GET in one MULTI..EXEC, is given the values
 * of that one EXEC, and either has a finding or names a new, whole list, when a
 * login key pointed elsewhere. So a finding always comes from one EXEC. The
 * daemon's link and the operator's command both read through it.
 *
 * In a complete domain nobody is unknown who has a key of its own: an owner key, a
 * login key (wherever that leads), or a complete key. Behind an alias domain the
 * keys of both addresses count. Nobody needs a key to be the postmaster.
 *
 * A login without domain is its login key and nothing else: without that key it
 * is nobody's, ABSENT; with it, it is what the address there is.
 */
#ifndef MAP_FETCH_H
#define MAP_FETCH_H

#include "base/buf.h"
#include "map/account.h"
#include "map/finding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FETCH_KEYS_MOST = 24, FETCH_NAMES_MOST = 6 };

struct fetch;

enum fetch_value_kind { FETCH_ABSENT, FETCH_STRING, FETCH_WRONG_TYPE };

struct fetch_value {
	enum fetch_value_kind kind;
	struct str text;
};

enum fetch_step {
	FETCH_AGAIN, /* GET the keys of fetch_keys() again: they have changed */
	FETCH_DONE /* fetch_finding() is ready */
};

/*
 * Is this domain (canonical) managed by the settings? Without a record it is
 * then TEMP, not ABSENT. Called from fetch_new() and fetch_take() only, for the
 * domain that was asked for and the one a login key points to.
 */
typedef bool fetch_floor_fn(void *ctx, struct str domain);

/*
 * prefix is "splitmx"; prefix, account (an ACCOUNT_ADDRESS or ACCOUNT_LOGIN) and
 * rules are copied. floor_fn may be NULL: no domain is managed by the settings.
 */
struct fetch *fetch_new(const char *prefix, const struct account *account,
    const struct account_rules *rules, fetch_floor_fn *floor_fn, void *floor_ctx);
void fetch_free(struct fetch **fetch);

/* The keys to read, whole and with prefix; lent until fetch_take(). */
size_t fetch_keys(const struct fetch *fetch, const struct str **keys_r);

/* The values in the order of the keys, all from one EXEC; lent for the call. */
enum fetch_step fetch_take(struct fetch *fetch, const struct fetch_value *values, size_t count);

/*
 * Lent as long as the fetch; source is SOURCE_REDIS, epoch 0: the caller's to
 * set. TEMP: the reason names the key, with prefix, and matched is that key.
 */
const struct finding *fetch_finding(const struct fetch *fetch);

/*
 * The names (canonical "local@domain", "@domain" or login, without prefix and kind)
 * on which the finding depends: a change of any key of such a name, whatever its
 * kind, makes the finding wrong. Lent until fetch_take().
 */
size_t fetch_names(const struct fetch *fetch, const struct str **names_r);

/*
 * The same names again, for a finding that comes without its fetch: from the
 * name that was asked for and the finding's account, both parsed, which lend
 * them. In the order of fetch_names(); one of those is missing where a login key
 * led to an address with an extension, which no finding names.
 */
size_t fetch_finding_names(const struct account *asked, const struct account *account,
    struct str names_r[static FETCH_NAMES_MOST]);

/*
 * Of a changed key "prefix:kind:name" the name, as above; false for a key that
 * no finding depends on. Unknown kinds count: a newer writer may know more.
 */
bool fetch_key_name(const char *prefix, struct str key, struct str *name_r);

/* The same of a key without prefix; and the other way round, every key of a name that is read. */
bool fetch_own_key_name(struct str key, struct str *name_r);
enum { FETCH_KINDS = 4 };
void fetch_name_key(struct str name, size_t kind, struct buf *key); /* key is cleared before */

#endif
