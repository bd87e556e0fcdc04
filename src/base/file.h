/*
 * file.h - a whole file, read at once                                 (driver)
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"

/*
 * Append the content of a file to out, whose limit holds. 0, or -1 with errno
 * (EFBIG: longer than the limit) and nothing to rely on in out.
 */
int file_read(const char *path, struct buf *out);

#endif
