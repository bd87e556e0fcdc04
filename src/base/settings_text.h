/*
 * settings_text.h - a settings file before libconfig sees it            (pure)
 *
 * libconfig stops at the first mistake, cuts strings at "\x00", wraps numbers
 * that are too large, and opens whatever "@include" names. So the text is read
 * once before: such mistakes are reported, all of them, and the copy for
 * libconfig is mended where that lets it read on (line by line the same).
 */
#ifndef BASE_SETTINGS_TEXT_H
#define BASE_SETTINGS_TEXT_H

#include "base/buf.h"
#include "base/settings.h"

/*
 * Appends the mended text to out. A name that its group has already gets a '*'
 * and a number behind it there, and is to be skipped. Returns false when
 * libconfig is sure to fail, for a reason that has been reported.
 */
bool settings_text_mend(struct settings *settings, struct str text, struct buf *out);

#endif
