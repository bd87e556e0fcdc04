/*
 * settings_read.h - from libconfig's tree to struct settings, by the rows (pure)
 */
#ifndef BASE_SETTINGS_READ_H
#define BASE_SETTINGS_READ_H

#include "base/buf.h"
#include "base/settings.h"

/*
 * Fill in every row of settings.def, from the text (as settings_text_mend() left
 * it) or from its default. When the text is broken, which has been reported, or
 * turns out to be, what can be read of it is still looked at, and false returned:
 * then nothing may be concluded from what seems to be missing.
 */
bool settings_read(struct settings *settings, struct buf *text, bool is_whole);

#endif
