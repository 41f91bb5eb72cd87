/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust-fixture.h"

#include <errno.h>
#include <sys/wait.h>

/* Verdicts ------------------------------------------------------------------------------- */

static void
check_verdicts (SeqexTrustStore *store)
{
  g_autoptr (GError) error = NULL;

  assert_unknown (store, "anna.example:7000", ANNA);
  assert_unknown (store, NULL, ANNA);
  remember (store, "anna.example:7000", ANNA);
  assert_known (store, "anna.example:7000", ANNA);
  assert_known (store, "Anna.EXAMPLE:7000", ANNA);
  assert_known (store, NULL, ANNA);
  assert_changed (store, "anna.example:7000", BERT);
  assert_changed (store, "ANNA.example:7000", BERT);
  assert_unknown (store, NULL, BERT);
  /* One acquaintance does not pass for another. */
  assert_unknown (store, "bert.example:7000", ANNA);

  remember (store, "bert.example:7000", BERT);
  assert_changed (store, "bert.example:7000", ANNA);
  assert_changed (store, "anna.example:7000", BERT);
  remember (store, "anna", ANNA);
  assert_known (store, "anna", ANNA);
  g_assert_cmpuint (n_items (store), ==, 3);

  g_assert_false (seqex_trust_store_remember (store, "anna", BERT, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_KEY_CHANGED);
  assert_says (error, "“anna”");
  assert_says (error, "was known as " ANNA);
  assert_says (error, "is now " BERT);
  assert_known (store, "anna", ANNA);
  assert_changed (store, "anna", BERT);
  g_assert_cmpuint (n_items (store), ==, 3);

  forget_name (store, "anna");
  assert_unknown (store, "anna", ANNA);
  assert_known (store, "anna.example:7000", ANNA);
  remember (store, "anna", BERT);
  assert_known (store, "anna", BERT);
  assert_changed (store, "anna", ANNA);
}

static void
test_verdicts (Fixture       *fixture,
               gconstpointer  data)
{
  g_autoptr (SeqexTrustStore) other = seqex_trust_store_new (fixture->file);

  check_verdicts (fixture->store);
  assert_known (other, "bert.example:7000", BERT);
  assert_changed (other, "anna", ANNA);
}

static void
test_in_memory (void)
{
  SeqexTrustStore *store = seqex_trust_store_new (NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (seqex_trust_store_get_file (store));
  g_assert_true (seqex_trust_store_load (store, &error));
  check_verdicts (store);
  g_assert_finalize_object (store);
  store = g_object_new (SEQEX_TYPE_TRUST_STORE, NULL);
  assert_unknown (store, NULL, ANNA);
  g_assert_finalize_object (store);
}

/* A peer that came by itself has no name; that it is known does not make it known by any. */
static void
test_without_name (Fixture       *fixture,
                   gconstpointer  data)
{
  g_autoptr (SeqexTrustedPeer) peer = NULL;
  g_autoptr (GError) error = NULL;

  remember (fixture->store, NULL, ANNA);
  assert_known (fixture->store, NULL, ANNA);
  assert_unknown (fixture->store, "anna", ANNA);
  peer = seqex_trust_store_lookup (fixture->store, ANNA, &error);
  g_assert_null (seqex_trusted_peer_get_name (peer));
  remember (fixture->store, "anna", ANNA);
  g_assert_cmpuint (n_items (fixture->store), ==, 2);
  g_assert_true (seqex_trust_store_forget (fixture->store, peer, &error));
  g_assert_cmpuint (n_items (fixture->store), ==, 1);
  assert_known (fixture->store, "anna", ANNA);
  /* Again, by then nobody's. */
  g_assert_true (seqex_trust_store_forget (fixture->store, peer, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (n_items (fixture->store), ==, 1);
}

static void
test_keys (void)
{
  g_autoptr (SeqexTrustStore) store = seqex_trust_store_new (NULL);
  g_autoptr (GError) error = NULL;
  guint8 anna[SEQEX_KEY_SIZE], bert[SEQEX_KEY_SIZE];

  g_assert_true (seqex_key_parse (ANNA, anna, NULL));
  g_assert_true (seqex_key_parse (BERT, bert, NULL));
  g_assert_true (seqex_trust_store_remember_key (store, "anna", anna, &error));
  g_assert_cmpint (seqex_trust_store_check_key (store, "anna", bert, &error), ==,
                   SEQEX_TRUST_VERDICT_CHANGED);
  g_assert_no_error (error);
  error = seqex_trust_store_key_changed (store, "anna", bert);
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_KEY_CHANGED);
  assert_says (error, ANNA);
  assert_says (error, BERT);
}

static void
test_bad_arguments (Fixture       *fixture,
                    gconstpointer  data)
{
  g_autofree char *long_name = g_strnfill (256, 'x');
  g_autofree char *longest_name = g_strnfill (255, 'x');
  const char *names[] = { "", long_name, "a\nb", "a\x7f" "b", "\xff", "a\xc2\x85" "b" };
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_assert_false (seqex_trust_store_remember (fixture->store, names[i], ANNA, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
      g_assert_cmpint (seqex_trust_store_check (fixture->store, names[i], ANNA, &error), ==,
                       SEQEX_TRUST_VERDICT_UNKNOWN);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
      g_assert_null (seqex_trust_store_lookup_name (fixture->store, names[i], &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
    }
  g_assert_false (seqex_trust_store_remember (fixture->store, "x", "anna", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_null (seqex_trust_store_lookup (fixture->store, "", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
  remember (fixture->store, longest_name, ANNA);
  assert_known (fixture->store, longest_name, ANNA);
}

/* Several at once ------------------------------------------------------------------------ */

static char *
fingerprint_of (guint writer,
                guint number)
{
  guint8 key[SEQEX_KEY_SIZE] = { 0 };

  key[0] = (guint8) (writer + 1);
  key[1] = (guint8) number;
  return seqex_key_format (key);
}

#define WRITERS 6
#define PEERS   25

/* Remembers its peers and forgets every fifth of them again; false if anything failed. */
static gboolean
write_peers (GFile *file,
             guint  writer)
{
  g_autoptr (SeqexTrustStore) store = seqex_trust_store_new (file);

  for (guint i = 0; i < PEERS; i++)
    {
      g_autofree char *fingerprint = fingerprint_of (writer, i);
      g_autofree char *name = g_strdup_printf ("peer %u of %u", i, writer);
      g_autoptr (SeqexTrustedPeer) peer = NULL;

      if (!seqex_trust_store_remember (store, name, fingerprint, NULL))
        return FALSE;
      if (i % 5 != 0)
        continue;
      peer = seqex_trust_store_lookup (store, fingerprint, NULL);
      if (peer == NULL || !seqex_trust_store_forget (store, peer, NULL))
        return FALSE;
    }
  return TRUE;
}

static void
assert_all_there (Fixture *fixture)
{
  for (guint writer = 0; writer < WRITERS; writer++)
    for (guint i = 0; i < PEERS; i++)
      {
        g_autofree char *fingerprint = fingerprint_of (writer, i);
        g_autofree char *name = g_strdup_printf ("peer %u of %u", i, writer);

        assert_verdict (fixture->store, name, fingerprint,
                        i % 5 != 0 ? SEQEX_TRUST_VERDICT_KNOWN : SEQEX_TRUST_VERDICT_UNKNOWN);
      }
  g_assert_cmpuint (n_items (fixture->store), ==, WRITERS * (PEERS - PEERS / 5));
}

static void
test_processes (Fixture       *fixture,
                gconstpointer  data)
{
  guint running = WRITERS;
  int status;

  for (guint writer = 0; writer < WRITERS; writer++)
    {
      pid_t pid = fork ();

      g_assert_cmpint (pid, >=, 0);
      if (pid == 0)
        _exit (write_peers (fixture->file, writer) ? 0 : 1);
    }
  while (running > 0)
    {
      g_autoptr (GError) error = NULL;
      pid_t pid = waitpid (-1, &status, WNOHANG);

      g_assert_true (pid >= 0 || errno == EINTR);
      if (pid > 0)
        {
          g_assert_true (WIFEXITED (status));
          g_assert_cmpint (WEXITSTATUS (status), ==, 0);
          running--;
        }
      /* Who reads meanwhile always finds a whole file. */
      g_assert_true (seqex_trust_store_load (fixture->store, &error));
      g_assert_no_error (error);
    }
  assert_all_there (fixture);
}

typedef struct
{
  GFile *file;
  guint  writer;
} Writer;

static gpointer
writer_thread (gpointer data)
{
  const Writer *writer = data;

  return GINT_TO_POINTER (write_peers (writer->file, writer->writer));
}

static void
test_threads (Fixture       *fixture,
              gconstpointer  data)
{
  GThread *threads[WRITERS];
  Writer writers[WRITERS];

  for (guint i = 0; i < WRITERS; i++)
    {
      writers[i] = (Writer) { fixture->file, i };
      threads[i] = g_thread_new ("writer", writer_thread, &writers[i]);
    }
  for (guint i = 0; i < WRITERS; i++)
    g_assert_true (GPOINTER_TO_INT (g_thread_join (threads[i])));
  assert_all_there (fixture);
}

/* The list ------------------------------------------------------------------------------- */

/* A copy that follows items-changed, as a view does. */
typedef struct
{
  GPtrArray *items;
  guint      changes;
} View;

static void
items_changed_cb (GListModel *model,
                  guint       position,
                  guint       removed,
                  guint       added,
                  gpointer    user_data)
{
  View *view = user_data;

  view->changes++;
  if (removed > 0)
    g_ptr_array_remove_range (view->items, position, removed);
  for (guint i = 0; i < added; i++)
    g_ptr_array_insert (view->items, (int) (position + i),
                        g_list_model_get_item (model, position + i));
  g_assert_cmpuint (view->items->len, ==, g_list_model_get_n_items (model));
  for (guint i = 0; i < view->items->len; i++)
    {
      g_autoptr (GObject) item = g_list_model_get_item (model, i);

      g_assert_true (item == view->items->pdata[i]);
    }
}

static void
count_cb (GObject    *object,
          GParamSpec *spec,
          gpointer    user_data)
{
  *(guint *) user_data += 1;
}

static void
test_list (Fixture       *fixture,
           gconstpointer  data)
{
  View view = { g_ptr_array_new_with_free_func (g_object_unref), 0 };
  g_autoptr (SeqexTrustedPeer) anna = NULL;
  g_autoptr (SeqexTrustedPeer) again = NULL;
  g_autoptr (GBytes) key = seqex_fingerprint_to_key (ANNA, NULL);
  g_autofree char *name = NULL;
  const guint times[] = { 3, 1, 4, 2 };
  guint resized = 0, seen = 0, items;

  g_assert_true (g_list_model_get_item_type (G_LIST_MODEL (fixture->store)) ==
                 SEQEX_TYPE_TRUSTED_PEER);
  g_signal_connect (fixture->store, "items-changed", G_CALLBACK (items_changed_cb), &view);
  g_signal_connect (fixture->store, "notify::n-items", G_CALLBACK (count_cb), &resized);
  write_text (fixture, HEADER ANNA " name=anna\n" BERT " name=bert\n" CARL "\n");
  g_assert_true (seqex_trust_store_load (fixture->store, NULL));
  g_assert_cmpuint (view.items->len, ==, 3);
  g_assert_cmpuint (resized, ==, 1);
  g_object_get (fixture->store, "n-items", &items, NULL);
  g_assert_cmpuint (items, ==, 3);
  g_assert_null (g_list_model_get_item (G_LIST_MODEL (fixture->store), 3));

  anna = seqex_trust_store_lookup_name (fixture->store, "ANNA", NULL);
  g_assert_true (anna == view.items->pdata[0]);
  g_assert_cmpstr (seqex_trusted_peer_get_fingerprint (anna), ==, ANNA);
  g_assert_true (g_bytes_equal (seqex_trusted_peer_get_public_key (anna), key));
  g_object_get (anna, "name", &name, NULL);
  g_assert_cmpstr (name, ==, "anna");

  /* What is the same keeps its object, and says what changed in it. */
  g_signal_connect (anna, "notify::last-seen", G_CALLBACK (count_cb), &seen);
  write_text (fixture, HEADER ANNA " name=anna last-seen=2020-02-02T02:02:02Z\n" CARL "\n");
  g_assert_true (seqex_trust_store_load (fixture->store, NULL));
  g_assert_cmpuint (view.items->len, ==, 2);
  g_assert_true (anna == view.items->pdata[0]);
  g_assert_cmpuint (seen, ==, 1);
  g_assert_cmpuint (view.changes, ==, 2);
  remember (fixture->store, "anna", ANNA);
  g_assert_cmpuint (seen, ==, 2);
  g_assert_cmpuint (view.changes, ==, 2);
  g_assert_cmpuint (resized, ==, 2);

  /* One for another. */
  write_text (fixture, HEADER BERT " name=bert\n" CARL "\n");
  again = seqex_trust_store_lookup_name (fixture->store, "bert", NULL);
  g_assert_true (again == view.items->pdata[0]);
  g_assert_cmpuint (view.changes, ==, 3);
  g_assert_cmpuint (resized, ==, 2);

  /* The same line several times, as two editors may leave it. */
  for (guint i = 0; i < G_N_ELEMENTS (times); i++)
    {
      g_autoptr (GString) text = g_string_new (HEADER);

      for (guint j = 0; j < times[i]; j++)
        g_string_append (text, ANNA " name=anna\n");
      write_text (fixture, text->str);
      g_assert_true (seqex_trust_store_load (fixture->store, NULL));
      g_assert_cmpuint (view.items->len, ==, times[i]);
    }

  g_assert_cmpint (g_remove (fixture->path), ==, 0);
  g_assert_true (seqex_trust_store_load (fixture->store, NULL));
  g_assert_cmpuint (view.items->len, ==, 0);
  g_ptr_array_unref (view.items);
}

static void
change_it_again_cb (GListModel *model,
                    guint       position,
                    guint       removed,
                    guint       added,
                    gpointer    user_data)
{
  remember (SEQEX_TRUST_STORE (model), "bert", BERT);
}

/* A handler may change the store again: the lock is not held any more. */
static void
test_change_in_handler (Fixture       *fixture,
                        gconstpointer  data)
{
  g_signal_connect (fixture->store, "items-changed", G_CALLBACK (change_it_again_cb), NULL);
  remember (fixture->store, "anna", ANNA);
  assert_known (fixture->store, "anna", ANNA);
  assert_known (fixture->store, "bert", BERT);
  g_assert_cmpuint (n_items (fixture->store), ==, 2);
}

/* Against a plain table, with changes from inside and outside of the object. */
static void
test_random (Fixture       *fixture,
             gconstpointer  data)
{
  g_autoptr (GHashTable) table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (SeqexTrustStore) other = seqex_trust_store_new (fixture->file);
  View view = { g_ptr_array_new_with_free_func (g_object_unref), 0 };

  g_signal_connect (fixture->store, "items-changed", G_CALLBACK (items_changed_cb), &view);
  for (guint i = 0; i < 300; i++)
    {
      SeqexTrustStore *store = g_test_rand_bit () ? fixture->store : other;
      g_autofree char *name = g_strdup_printf ("name %d", g_test_rand_int_range (0, 12));
      g_autofree char *fingerprint = fingerprint_of (0, (guint) g_test_rand_int_range (0, 3));
      const char *known = g_hash_table_lookup (table, name);
      g_autoptr (GError) error = NULL;

      assert_verdict (store, name, fingerprint,
                      known == NULL ? SEQEX_TRUST_VERDICT_UNKNOWN
                      : g_str_equal (known, fingerprint) ? SEQEX_TRUST_VERDICT_KNOWN
                                                         : SEQEX_TRUST_VERDICT_CHANGED);
      if (known != NULL && g_test_rand_bit ())
        {
          forget_name (store, name);
          g_hash_table_remove (table, name);
        }
      else if (seqex_trust_store_remember (store, name, fingerprint, &error))
        g_hash_table_insert (table, g_strdup (name), g_strdup (fingerprint));
      else
        g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_KEY_CHANGED);
      g_assert_cmpuint (n_items (store), ==, g_hash_table_size (table));
    }
  g_ptr_array_unref (view.items);
}

static void
test_empty_peer (void)
{
  g_autoptr (SeqexTrustedPeer) peer = g_object_new (SEQEX_TYPE_TRUSTED_PEER, NULL);

  g_assert_cmpuint (strlen (seqex_trusted_peer_get_fingerprint (peer)), ==,
                    SEQEX_KEY_TEXT_SIZE - 1);
  g_assert_null (seqex_trusted_peer_get_name (peer));
  g_assert_null (seqex_trusted_peer_get_first_seen (peer));
  g_assert_null (seqex_trusted_peer_get_last_seen (peer));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("/seqex/trust-store/verdicts", test_verdicts);
  g_test_add_func ("/seqex/trust-store/in-memory", test_in_memory);
  ADD ("/seqex/trust-store/without-name", test_without_name);
  g_test_add_func ("/seqex/trust-store/keys", test_keys);
  g_test_add_func ("/seqex/trust-store/empty-peer", test_empty_peer);
  ADD ("/seqex/trust-store/bad-arguments", test_bad_arguments);
  ADD ("/seqex/trust-store/processes", test_processes);
  ADD ("/seqex/trust-store/threads", test_threads);
  ADD ("/seqex/trust-store/list", test_list);
  ADD ("/seqex/trust-store/change-in-handler", test_change_in_handler);
  ADD ("/seqex/trust-store/random", test_random);

  return g_test_run ();
}
