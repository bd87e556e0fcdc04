/*
 * change_inside.h - what the files of a change share                  (driver)
 */
#ifndef MAP_CHANGE_INSIDE_H
#define MAP_CHANGE_INSIDE_H

#include "map/change.h"

/* Queue the end of the MULTI, with an entry about those changes that are CHANGE_DONE. */
void change_seal(struct client *client, const struct change *changes, size_t count,
    const struct seal *seal, const struct change_note *note);

/* The line of this host's journal about the same; -1: nothing may be written. */
int change_journal(struct client *client, const struct change *changes, size_t count,
    const struct seal *seal, const struct change_note *note, struct fault *fault_r);

#endif
