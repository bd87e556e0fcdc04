/*
 * sentinel_words.h - what a sentinel says of a master                   (pure)
 *
 * A sentinel may name an address of either family, or a host name where it was
 * set up so; it is believed no further than the next question, ROLE, to whoever
 * answers there.
 */
#ifndef MAP_SENTINEL_WORDS_H
#define MAP_SENTINEL_WORDS_H

#include "map/resp.h"
#include "net/endpoint.h"

/*
 * The answer to SENTINEL GET-MASTER-ADDR-BY-NAME: 0, or -1 and in *fault_r what
 * it said, words that go on after the sentinel's name.
 */
int sentinel_read_answer(const struct resp *reply, struct endpoint *address_r,
    struct fault *fault_r);

/*
 * What +switch-master announces: "NAME OLD-HOST OLD-PORT NEW-HOST NEW-PORT". Is
 * it about this master, and where is that now?
 */
bool sentinel_read_switch(struct str message, const char *master, struct endpoint *address_r);

#endif
