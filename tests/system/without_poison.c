/*
 * without_poison.c - a node that takes the answer to a fetch as it comes
 *
 * An invalidation that arrives while a fetch is under way is forgotten: the stamps
 * are noted when the answer is in, not when the question left. Linked into policyd
 * with --wrap: what the fencer must catch.
 */
#include "map/cache.h"
#include "map/fetch.h"

bool __wrap_cache_is_current(const struct cache *cache, const struct cache_stamps *stamps);
void __wrap_cache_put(struct cache *cache, struct str address, const struct finding *finding,
    const struct cache_stamps *stamps);
void __real_cache_put(struct cache *cache, struct str address, const struct finding *finding,
    const struct cache_stamps *stamps);

bool
__wrap_cache_is_current(const struct cache *cache, const struct cache_stamps *stamps)
{
	return true;
}

void
__wrap_cache_put(struct cache *cache, struct str address, const struct finding *finding,
    const struct cache_stamps *stamps)
{
	static const struct account_rules rules = {.fold_local = true, .delimiters = "+"};
	struct str names[FETCH_NAMES_MOST];
	struct account asked, account;
	struct cache_stamps now;

	account_init(&asked);
	account_init(&account);
	if (account_parse(&asked, address, &rules) == ACCOUNT_ADDRESS &&
	    account_parse(&account, finding->account, &rules) == ACCOUNT_ADDRESS) {
		cache_note(cache, names, fetch_finding_names(&asked, &account, names), &now);
		__real_cache_put(cache, address, finding, &now);
	}
	account_fini(&asked);
	account_fini(&account);
}
