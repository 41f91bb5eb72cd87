/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Small local files that are read whole and replaced whole. Errors are G_IO_ERROR and name the
 * file.
 */
#pragma once

#include <gio/gio.h>
#include <sys/stat.h>

G_BEGIN_DECLS

/* Where @file really is, through symbolic links; G_IO_ERROR_NOT_SUPPORTED if it is not local. */
char    *seqex_file_resolve (GFile   *file,
                             GError **error);

/* Reads a regular file of at most @max_size bytes; @contents gets a NUL more, and is for the caller
 * to wipe if it is secret. @status is that of the very file that was read. With @private a file
 * that others may read or write is refused. */
gboolean seqex_file_read    (const char   *path,
                             gsize         max_size,
                             gboolean      private,
                             char        **contents,
                             gsize        *size,
                             struct stat  *status,
                             GError      **error);

/* Writes a file of mode @mode in one step: at any moment there is the old or the new one, also
 * after a loss of power. Without @replace a file that is there is left, G_IO_ERROR_EXISTS. */
gboolean seqex_file_write   (const char  *path,
                             const char  *contents,
                             gsize        size,
                             mode_t       mode,
                             gboolean     replace,
                             GError     **error);

/* Takes the lock of @path, which is a file beside it; waits for who has it for at most @timeout
 * microseconds, then G_IO_ERROR_BUSY. Closing the descriptor that is returned lets it go; -1 is an
 * error. */
int      seqex_file_lock    (const char  *path,
                             GTimeSpan    timeout,
                             GError     **error);

G_END_DECLS
