/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The text of a trust store: what can be read is written again as it was, byte for byte; and
 * whatever else is in it, adding, touching and removing a peer do that and nothing more.
 */
#include "key-text.h"

#include "seqex-trust-file-private.h"

static char *
format (GPtrArray *lines)
{
  gsize size;

  return seqex_trust_file_format (lines, &size);
}

static GPtrArray *
parse (const char *text)
{
  GPtrArray *lines = seqex_trust_file_parse (text, strlen (text), "name", NULL);

  REQUIRE (lines != NULL);
  return lines;
}

/* Besides @changed, @a and @b know the same. */
static void
require_same_peers (GPtrArray            *a,
                    GPtrArray            *b,
                    const SeqexTrustLine *changed)
{
  REQUIRE (a->len == b->len);
  for (guint i = 0; i < a->len; i++)
    {
      const SeqexTrustLine *one = a->pdata[i], *other = b->pdata[i];

      REQUIRE (one->is_peer == other->is_peer);
      REQUIRE (memcmp (one->key, other->key, SEQEX_KEY_SIZE) == 0);
      REQUIRE (g_strcmp0 (one->name, other->name) == 0);
      REQUIRE (one == changed || g_str_equal (one->text, other->text));
    }
}

static void
check_touch (GPtrArray *lines,
             GDateTime *now)
{
  for (guint i = 0; i < lines->len; i++)
    {
      SeqexTrustLine *line = lines->pdata[i];
      g_autoptr (GPtrArray) again = NULL;
      g_autofree char *text = NULL;

      REQUIRE (i > 0 || !line->is_peer);
      if (!line->is_peer)
        continue;
      REQUIRE (line->name == NULL || seqex_trust_name_check (line->name, NULL));
      REQUIRE (seqex_trust_file_check (lines, line->name, line->key) == SEQEX_TRUST_VERDICT_KNOWN);
      seqex_trust_line_touch (line, now);
      REQUIRE (!seqex_trust_line_is_old (line, now));
      text = format (lines);
      again = parse (text);
      require_same_peers (lines, again, line);
      line = again->pdata[i];
      REQUIRE (g_date_time_equal (line->last_seen, now));
    }
}

static void
check_add_and_remove (GPtrArray  *lines,
                      const char *name,
                      GDateTime  *now)
{
  guint8 key[SEQEX_KEY_SIZE] = "a key that nobody else has";
  g_autofree char *before = format (lines);
  g_autoptr (GPtrArray) again = NULL;
  g_autofree char *text = NULL;
  g_autofree char *after = NULL;

  REQUIRE (seqex_trust_file_check (lines, NULL, key) == SEQEX_TRUST_VERDICT_UNKNOWN);
  seqex_trust_file_add (lines, name, key, now);
  text = format (lines);
  REQUIRE (g_str_has_prefix (text, before));
  again = parse (text);
  require_same_peers (lines, again, NULL);
  REQUIRE (seqex_trust_file_check (again, name, key) == SEQEX_TRUST_VERDICT_KNOWN);
  REQUIRE (seqex_trust_file_remove (again, name, key) == 1);
  after = format (again);
  REQUIRE (g_str_equal (after, before));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  GString *text = expand_keys (data, size, SEQEX_KEY_KIND_FINGERPRINT);
  g_autoptr (GDateTime) now = g_date_time_new_from_unix_utc (1800000000);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) lines = seqex_trust_file_parse (text->str, text->len, "name", &error);
  g_autofree char *name = g_strndup (size > 0 ? (const char *) data : "", size);

  if (lines != NULL)
    {
      gsize written_size;
      g_autofree char *written = seqex_trust_file_format (lines, &written_size);

      REQUIRE (error == NULL);
      REQUIRE (written_size == text->len && memcmp (written, text->str, text->len) == 0);
      check_touch (lines, now);
      check_add_and_remove (lines, NULL, now);
      g_clear_pointer (&lines, g_ptr_array_unref);
    }
  else
    {
      require_error (error);
      REQUIRE (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA) ||
               g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED));
    }
  /* Whatever may be a name can be written and read. */
  if (seqex_trust_name_check (name, NULL))
    {
      lines = seqex_trust_file_new ();
      check_add_and_remove (lines, name, now);
    }
  g_string_free (text, TRUE);
  return 0;
}
