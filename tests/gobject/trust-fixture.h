/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A trust store in a directory of its own, for the tests of it. To be included once.
 */
#pragma once

#include "test-util.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "seqex-file-private.h"
#include "seqex-trust-store-private.h"

#define HEADER "seqex-known-peers 1\n"
/* Two keys, and their texts. */
#define ANNA "gmgf-02c9-62kn-8x4b-fqeb-8fqq-b86v-yegd-4rw1-nx7b-mjmr-xamv-9snf-zfhk"
#define BERT "y46c-h27a-z9sp-xen9-sj8f-hkkp-kydk-kxa5-jh0b-chs4-wgxg-12ss-5d39-2vfh"
#define CARL "cmpt-kr6q-x4vq-tprz-0bpg-krzs-86ah-ed1j-6k89-kn2c-8nc4-9r4x-tvte-y0hg"

typedef struct
{
  char            *directory;
  char            *path;
  GFile           *file;
  SeqexTrustStore *store;
} Fixture;

G_GNUC_UNUSED static void
set_up (Fixture       *fixture,
        gconstpointer  data)
{
  g_autoptr (GError) error = NULL;

  fixture->directory = g_dir_make_tmp ("seqex-trust-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->path = g_build_filename (fixture->directory, "known peers", NULL);
  fixture->file = g_file_new_for_path (fixture->path);
  fixture->store = seqex_trust_store_new (fixture->file);
}

G_GNUC_UNUSED static void
tear_down (Fixture       *fixture,
           gconstpointer  data)
{
  g_autofree char *lock = g_strconcat (fixture->path, ".lock", NULL);

  g_assert_finalize_object (fixture->store);
  g_remove (fixture->path);
  g_remove (lock);
  /* Nothing else was left in the directory. */
  g_assert_cmpint (g_rmdir (fixture->directory), ==, 0);
  g_object_unref (fixture->file);
  g_free (fixture->path);
  g_free (fixture->directory);
}

G_GNUC_UNUSED static void
write_bytes (Fixture    *fixture,
             const char *text,
             gssize      size)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (fixture->path, text, size, &error);
  g_assert_no_error (error);
}

G_GNUC_UNUSED static void
write_text (Fixture    *fixture,
            const char *text)
{
  write_bytes (fixture, text, -1);
}

G_GNUC_UNUSED static void
assert_text (Fixture    *fixture,
             const char *expected)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (fixture->path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, expected);
}

G_GNUC_UNUSED static void
assert_says (const GError *error,
             const char   *part)
{
  if (strstr (error->message, part) == NULL)
    g_error ("“%s” does not say “%s”", error->message, part);
}

G_GNUC_UNUSED static void
assert_verdict (SeqexTrustStore   *store,
                const char        *name,
                const char        *fingerprint,
                SeqexTrustVerdict  expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (seqex_trust_store_check (store, name, fingerprint, &error), ==, expected);
  g_assert_no_error (error);
}

#define assert_known(...)   assert_verdict (__VA_ARGS__, SEQEX_TRUST_VERDICT_KNOWN)
#define assert_unknown(...) assert_verdict (__VA_ARGS__, SEQEX_TRUST_VERDICT_UNKNOWN)
#define assert_changed(...) assert_verdict (__VA_ARGS__, SEQEX_TRUST_VERDICT_CHANGED)

G_GNUC_UNUSED static void
remember (SeqexTrustStore *store,
          const char      *name,
          const char      *fingerprint)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (seqex_trust_store_remember (store, name, fingerprint, &error));
  g_assert_no_error (error);
}

G_GNUC_UNUSED static void
forget_name (SeqexTrustStore *store,
             const char      *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexTrustedPeer) peer = seqex_trust_store_lookup_name (store, name, &error);

  g_assert_nonnull (peer);
  g_assert_true (seqex_trust_store_forget (store, peer, &error));
  g_assert_no_error (error);
}

G_GNUC_UNUSED static guint
n_items (SeqexTrustStore *store)
{
  return g_list_model_get_n_items (G_LIST_MODEL (store));
}

#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
