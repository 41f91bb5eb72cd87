/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-trust-file-private.h"

#include <string.h>

#define MAGIC   "seqex-known-peers "
#define VERSION "1"
#define COMMENT "# Whom programs trust: a fingerprint in each line, and what is known about it."

#define TIME_FORMAT "%Y-%m-%dT%H:%M:%SZ"

/* What is written no more often than this. */
#define LAST_SEEN_STEP G_TIME_SPAN_HOUR

/* In a name, besides letters and digits; not the space and the number sign, which mean something in
 * a line. */
#define PLAIN_IN_NAMES "!$&'()*+,;=:@/[]?"

static void
line_free (gpointer data)
{
  SeqexTrustLine *line = data;

  g_free (line->text);
  g_free (line->name);
  g_clear_pointer (&line->first_seen, g_date_time_unref);
  g_clear_pointer (&line->last_seen, g_date_time_unref);
  g_free (line);
}

static SeqexTrustLine *
add_line (GPtrArray *lines,
          char      *text)
{
  SeqexTrustLine *line = g_new0 (SeqexTrustLine, 1);

  line->text = text;
  g_ptr_array_add (lines, line);
  return line;
}

GPtrArray *
seqex_trust_file_new (void)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (line_free);

  add_line (lines, g_strdup (MAGIC VERSION));
  add_line (lines, g_strdup (COMMENT));
  return lines;
}

gboolean
seqex_trust_name_check (const char  *name,
                        GError     **error)
{
  gsize size = strlen (name);

  if (size == 0 || size > SEQEX_TRUST_NAME_MAX)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "A peer's name has 1 to %u bytes, this has %" G_GSIZE_FORMAT,
                   SEQEX_TRUST_NAME_MAX, size);
      return FALSE;
    }
  if (!g_utf8_validate (name, -1, NULL))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "A peer's name is not UTF-8");
      return FALSE;
    }
  for (const char *at = name; *at != '\0'; at = g_utf8_next_char (at))
    if (g_unichar_iscntrl (g_utf8_get_char (at)))
      {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                     "A peer's name has the control character U+%04X", g_utf8_get_char (at));
        return FALSE;
      }
  return TRUE;
}

/* Reading -------------------------------------------------------------------------------- */

static gboolean
read_name (SeqexTrustLine  *line,
           const char      *value,
           GError         **error)
{
  line->name = g_uri_unescape_string (value, NULL);
  if (line->name == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "the name is not escaped rightly");
      return FALSE;
    }
  return seqex_trust_name_check (line->name, error);
}

static gboolean
read_time (GDateTime  **time,
           const char  *value,
           GError     **error)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();

  *time = g_date_time_new_from_iso8601 (value, utc);
  if (*time == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "“%s” is not a time like "
                 "2026-01-31T12:00:00Z", value);
  return *time != NULL;
}

/* "name=value"; what is not known here is of a later version. */
static gboolean
read_field (SeqexTrustLine  *line,
            const char      *field,
            GError         **error)
{
  const char *value = strchr (field, '=');
  g_autofree char *name = NULL;
  gboolean is_second = FALSE;

  if (value == NULL || value == field)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "“%s” is no field with a value",
                   field);
      return FALSE;
    }
  name = g_strndup (field, (gsize) (value - field));
  value++;
  if (strcmp (name, "name") == 0)
    is_second = line->name != NULL;
  else if (strcmp (name, "first-seen") == 0)
    is_second = line->first_seen != NULL;
  else if (strcmp (name, "last-seen") == 0)
    is_second = line->last_seen != NULL;
  else
    return TRUE;

  if (is_second)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "“%s” is there twice", name);
      return FALSE;
    }
  if (strcmp (name, "name") == 0)
    return read_name (line, value, error);
  return read_time (name[0] == 'f' ? &line->first_seen : &line->last_seen, value, error);
}

static gboolean
read_peer (SeqexTrustLine  *line,
           GError         **error)
{
  g_auto (GStrv) words = g_strsplit_set (line->text, " \t", -1);
  gboolean valid = TRUE;

  for (guint i = 0; words[i] != NULL && valid; i++)
    {
      if (words[i][0] == '\0')
        continue;
      if (line->is_peer)
        valid = read_field (line, words[i], error);
      else
        valid = line->is_peer = seqex_key_parse (words[i], line->key, error);
    }
  return valid;
}

static gboolean
read_header (const char  *text,
             GError     **error)
{
  if (!g_str_has_prefix (text, MAGIC))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                 "a file of known peers begins with “" MAGIC VERSION "”");
  else if (strcmp (text, MAGIC VERSION) != 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                 "“%s” is another version than " VERSION ", the one that is known here",
                 text + strlen (MAGIC));
  else
    return TRUE;
  return FALSE;
}

static gboolean
read_line (GPtrArray   *lines,
           const char  *text,
           gsize        size,
           GError     **error)
{
  SeqexTrustLine *line = add_line (lines, g_strndup (text, size));

  if (strlen (line->text) != size || !g_utf8_validate (line->text, -1, NULL))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "not a text in UTF-8");
      return FALSE;
    }
  for (const char *at = line->text; *at != '\0'; at++)
    if (g_ascii_iscntrl (*at) && *at != '\t')
      {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                     "the control character U+%04X is in it", (guint) *at);
        return FALSE;
      }
  if (lines->len == 1)
    return read_header (line->text, error);
  if (line->text[0] == '#')
    return TRUE;
  return read_peer (line, error);
}

GPtrArray *
seqex_trust_file_parse (const char  *text,
                        gsize        size,
                        const char  *name,
                        GError     **error)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (line_free);
  g_autoptr (GError) reason = NULL;

  if (size == 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "“%s” is empty; delete it to begin anew", name);
      return NULL;
    }
  while (size > 0)
    {
      const char *end = memchr (text, '\n', size);

      if (end == NULL)
        /* The name of somebody else could be what is left of a name. */
        g_set_error (&reason, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "the line is cut short, it has "
                     "no end");
      if (end == NULL || !read_line (lines, text, (gsize) (end - text), &reason))
        {
          int code = g_error_matches (reason, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED)
                       ? G_IO_ERROR_NOT_SUPPORTED : G_IO_ERROR_INVALID_DATA;

          g_set_error (error, G_IO_ERROR, code, "“%s”, line %u: %s", name,
                       lines->len + (end == NULL), reason->message);
          return NULL;
        }
      size -= (gsize) (end + 1 - text);
      text = end + 1;
    }
  return g_steal_pointer (&lines);
}

/* Looking -------------------------------------------------------------------------------- */

/* Host names mean the same in either case, and nobody else shall get in by a capital letter. */
static gboolean
is_same_name (const char *a,
              const char *b)
{
  return a != NULL && b != NULL && g_ascii_strcasecmp (a, b) == 0;
}

static gboolean
has_key (const SeqexTrustLine *line,
         const guint8          key[SEQEX_KEY_SIZE])
{
  return line->is_peer && memcmp (line->key, key, SEQEX_KEY_SIZE) == 0;
}

SeqexTrustLine *
seqex_trust_file_find (GPtrArray    *lines,
                       const char   *name,
                       const guint8 *key)
{
  for (guint i = 0; i < lines->len; i++)
    {
      SeqexTrustLine *line = lines->pdata[i];

      if (line->is_peer && (name == NULL || is_same_name (line->name, name)) &&
          (key == NULL || has_key (line, key)))
        return line;
    }
  return NULL;
}

SeqexTrustVerdict
seqex_trust_file_check (GPtrArray    *lines,
                        const char   *name,
                        const guint8  key[SEQEX_KEY_SIZE])
{
  if (seqex_trust_file_find (lines, name, key) != NULL)
    return SEQEX_TRUST_VERDICT_KNOWN;
  if (name != NULL && seqex_trust_file_find (lines, name, NULL) != NULL)
    return SEQEX_TRUST_VERDICT_CHANGED;
  return SEQEX_TRUST_VERDICT_UNKNOWN;
}

gboolean
seqex_trust_line_is_old (SeqexTrustLine *line,
                         GDateTime      *now)
{
  GTimeSpan age;

  if (line->last_seen == NULL)
    return TRUE;
  /* A time that is to come is of a clock that was wrong. */
  age = g_date_time_difference (now, line->last_seen);
  return age >= LAST_SEEN_STEP || age <= -LAST_SEEN_STEP;
}

/* Changing ------------------------------------------------------------------------------- */

/* Where the word that begins with @prefix is in @text, or at its end. */
static gsize
find_word (const char *text,
           const char *prefix,
           gsize      *size)
{
  const char *at = text;

  while (*at != '\0')
    {
      at += strspn (at, " \t");
      *size = strcspn (at, " \t");
      if (g_str_has_prefix (at, prefix))
        return (gsize) (at - text);
      at += *size;
    }
  *size = 0;
  return (gsize) (at - text);
}

void
seqex_trust_line_touch (SeqexTrustLine *line,
                        GDateTime      *now)
{
  g_autoptr (GDateTime) utc = g_date_time_to_utc (now);
  g_autofree char *field = g_date_time_format (utc, "last-seen=" TIME_FORMAT);
  gsize size;
  gsize start = find_word (line->text, "last-seen=", &size);
  char *text;

  text = g_strdup_printf ("%.*s%s%s%s", (int) start, line->text, size == 0 ? " " : "", field,
                          line->text + start + size);
  g_free (line->text);
  line->text = text;
  g_clear_pointer (&line->last_seen, g_date_time_unref);
  line->last_seen = g_steal_pointer (&utc);
}

void
seqex_trust_file_add (GPtrArray    *lines,
                      const char   *name,
                      const guint8  key[SEQEX_KEY_SIZE],
                      GDateTime    *now)
{
  g_autoptr (GDateTime) utc = g_date_time_to_utc (now);
  g_autofree char *time = g_date_time_format (utc, TIME_FORMAT);
  g_autofree char *fingerprint = seqex_key_format (key);
  g_autofree char *escaped = NULL;
  SeqexTrustLine *line;
  char *text;

  if (name != NULL)
    escaped = g_uri_escape_string (name, PLAIN_IN_NAMES, TRUE);
  text = g_strconcat (fingerprint, name != NULL ? " name=" : "", name != NULL ? escaped : "",
                      " first-seen=", time, " last-seen=", time, NULL);
  line = add_line (lines, text);
  line->is_peer = TRUE;
  memcpy (line->key, key, SEQEX_KEY_SIZE);
  line->name = g_strdup (name);
  line->first_seen = g_date_time_ref (utc);
  line->last_seen = g_steal_pointer (&utc);
}

guint
seqex_trust_file_remove (GPtrArray    *lines,
                         const char   *name,
                         const guint8  key[SEQEX_KEY_SIZE])
{
  guint removed = 0;

  for (guint i = lines->len; i > 0; i--)
    {
      const SeqexTrustLine *line = lines->pdata[i - 1];

      if (has_key (line, key) && g_strcmp0 (line->name, name) == 0)
        {
          g_ptr_array_remove_index (lines, i - 1);
          removed++;
        }
    }
  return removed;
}

char *
seqex_trust_file_format (GPtrArray *lines,
                         gsize     *size)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < lines->len; i++)
    {
      const SeqexTrustLine *line = lines->pdata[i];

      g_string_append (text, line->text);
      g_string_append_c (text, '\n');
    }
  *size = text->len;
  return g_string_free (text, FALSE);
}
