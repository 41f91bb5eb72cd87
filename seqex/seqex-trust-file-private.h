/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The text of a trust store: which keys belong to which names. Nothing here touches a disk or a
 * clock. docs/identity.md has the format. Every line is kept as it was read but for what is changed
 * in it, so comments and what later versions add are not lost.
 */
#pragma once

#include <gio/gio.h>

#include "seqex-key-private.h"
#include "seqex-trust-store.h"

G_BEGIN_DECLS

/* The longest name in bytes. */
#define SEQEX_TRUST_NAME_MAX 255

typedef struct
{
  char      *text;       /* without its end */
  gboolean   is_peer;    /* otherwise it is a comment or the header, and all below is empty */
  guint8     key[SEQEX_KEY_SIZE];
  char      *name;       /* nullable */
  GDateTime *first_seen; /* nullable */
  GDateTime *last_seen;  /* nullable */
} SeqexTrustLine;

/* A file without peers. (element-type SeqexTrustLine) */
GPtrArray           *seqex_trust_file_new    (void);

/* @name is that of the file, for errors: G_IO_ERROR_INVALID_DATA with the number of the line, or
 * G_IO_ERROR_NOT_SUPPORTED for a later version. */
GPtrArray           *seqex_trust_file_parse  (const char    *text,
                                              gsize          size,
                                              const char    *name,
                                              GError       **error);
char                *seqex_trust_file_format (GPtrArray     *lines,
                                              gsize         *size);

/* Whether @name may be a peer's: UTF-8, 1 to 255 bytes, no control characters. Otherwise
 * G_IO_ERROR_INVALID_ARGUMENT. */
gboolean             seqex_trust_name_check  (const char    *name,
                                              GError       **error);

/* What is known of @key under @name, or of @key alone if @name is NULL. */
SeqexTrustVerdict    seqex_trust_file_check  (GPtrArray     *lines,
                                              const char    *name,
                                              const guint8   key[SEQEX_KEY_SIZE]);

/* The first line with this name, if it is not NULL, and this key, if it is not NULL. */
SeqexTrustLine      *seqex_trust_file_find   (GPtrArray     *lines,
                                              const char    *name,
                                              const guint8  *key);

void                 seqex_trust_file_add    (GPtrArray     *lines,
                                              const char    *name,
                                              const guint8   key[SEQEX_KEY_SIZE],
                                              GDateTime     *now);

/* Removes every line with exactly this name, or without one, and this key; how many? */
guint                seqex_trust_file_remove (GPtrArray     *lines,
                                              const char    *name,
                                              const guint8   key[SEQEX_KEY_SIZE]);

/* Whether touching would change the line: its last-seen is not of the last hour. */
gboolean             seqex_trust_line_is_old (SeqexTrustLine *line,
                                              GDateTime      *now);
/* Sets last-seen. */
void                 seqex_trust_line_touch  (SeqexTrustLine *line,
                                              GDateTime      *now);

G_END_DECLS
