/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "endpoint-util.h"

#include <glib/gstdio.h>

typedef struct
{
  SeqexEndpoint      *server;
  SeqexEndpoint      *client;
  GSocketConnectable *target;
  const char         *server_key;
  const char         *client_key;
  char               *name;
} Fixture;

/* The server lets everybody in; what the client does is up to the test. */
static void
set_up (Fixture       *fixture,
        gconstpointer  data)
{
  fixture->server = endpoint_new_bound ("127.0.0.1");
  fixture->client = seqex_endpoint_new (NULL);
  fixture->target = endpoint_target (fixture->server);
  fixture->name = g_socket_connectable_to_string (fixture->target);
  fixture->server_key =
    seqex_identity_get_fingerprint (seqex_endpoint_get_identity (fixture->server));
  fixture->client_key =
    seqex_identity_get_fingerprint (seqex_endpoint_get_identity (fixture->client));
}

static void
tear_down (Fixture       *fixture,
           gconstpointer  data)
{
  g_clear_object (&fixture->target);
  g_free (fixture->name);
  endpoint_free (fixture->client);
  endpoint_free (fixture->server);
}

static void
assert_opens (Fixture    *fixture,
              const char *key)
{
  g_autoptr (GError) error = NULL;
  Pair pair;

  pair.a = endpoint_open (fixture->client, fixture->target, key, &error);
  g_assert_no_error (error);
  pair.b = endpoint_accept (fixture->server, &error);
  g_assert_no_error (error);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "x");
  g_assert_true (util_close (pair.a, &error));
  wait_until (g_list_model_get_n_items (G_LIST_MODEL (fixture->server)) == 0);
  util_pair_free (&pair);
}

static void
assert_fails (Fixture    *fixture,
              const char *key,
              int         code,
              const char *part1,
              const char *part2)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (endpoint_open (fixture->client, fixture->target, key, &error));
  g_test_message ("%s", error->message);
  g_assert_error (error, SEQEX_ERROR, code);
  g_assert_nonnull (strstr (error->message, part1));
  g_assert_nonnull (strstr (error->message, part2));
  util_run_for (20);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (fixture->client)), ==, 0);
}

/* An expected key, and another one. */
static void
test_expected (Fixture       *fixture,
               gconstpointer  data)
{
  assert_opens (fixture, fixture->server_key);
  assert_fails (fixture, fixture->client_key, SEQEX_ERROR_UNTRUSTED_PEER, fixture->server_key,
                fixture->client_key);
}

/* Nobody is trusted by default, and the error says what to do. */
static void
test_strict (Fixture       *fixture,
             gconstpointer  data)
{
  g_assert_cmpint (seqex_endpoint_get_trust_policy (fixture->client), ==,
                   SEQEX_TRUST_POLICY_STRICT);
  assert_fails (fixture, NULL, SEQEX_ERROR_UNTRUSTED_PEER, fixture->server_key, "authorize");

  /* The same at the other side. */
  seqex_endpoint_set_trust_policy (fixture->server, SEQEX_TRUST_POLICY_STRICT);
  assert_fails (fixture, fixture->server_key, SEQEX_ERROR_PEER_REFUSED, fixture->client_key,
                "not trust");
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (fixture->server)), ==, 0);
}

static void
test_anyone (Fixture       *fixture,
             gconstpointer  data)
{
  seqex_endpoint_set_trust_policy (fixture->client, SEQEX_TRUST_POLICY_ANYONE);
  assert_opens (fixture, NULL);
}

/* Known by name when opened, by key when it comes. */
static void
test_store (Fixture       *fixture,
            gconstpointer  data)
{
  g_autoptr (SeqexTrustStore) client_store = seqex_trust_store_new (NULL);
  g_autoptr (SeqexTrustStore) server_store = seqex_trust_store_new (NULL);

  seqex_endpoint_set_trust_store (fixture->client, client_store);
  assert_fails (fixture, NULL, SEQEX_ERROR_UNTRUSTED_PEER, fixture->server_key, fixture->name);
  g_assert_true (seqex_trust_store_remember (client_store, fixture->name, fixture->server_key,
                                             NULL));
  assert_opens (fixture, NULL);

  seqex_endpoint_set_trust_policy (fixture->server, SEQEX_TRUST_POLICY_STRICT);
  seqex_endpoint_set_trust_store (fixture->server, server_store);
  assert_fails (fixture, NULL, SEQEX_ERROR_PEER_REFUSED, fixture->client_key, "not trust");
  g_assert_true (seqex_trust_store_remember (server_store, "a friend", fixture->client_key, NULL));
  assert_opens (fixture, NULL);
}

static void
test_first_use (Fixture       *fixture,
                gconstpointer  data)
{
  g_autoptr (SeqexTrustStore) store = seqex_trust_store_new (NULL);
  g_autoptr (SeqexTrustedPeer) peer = NULL;

  seqex_endpoint_set_trust_store (fixture->client, store);
  seqex_endpoint_set_trust_policy (fixture->client, SEQEX_TRUST_POLICY_ANYONE);
  assert_opens (fixture, NULL);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (store)), ==, 1);
  peer = seqex_trust_store_lookup_name (store, fixture->name, NULL);
  g_assert_cmpstr (seqex_trusted_peer_get_fingerprint (peer), ==, fixture->server_key);

  /* From now on also a strict endpoint takes it. */
  seqex_endpoint_set_trust_policy (fixture->client, SEQEX_TRUST_POLICY_STRICT);
  assert_opens (fixture, NULL);
}

static void
test_changed (Fixture       *fixture,
              gconstpointer  data)
{
  g_autoptr (SeqexTrustStore) store = seqex_trust_store_new (NULL);

  /* Somebody else was there before. */
  g_assert_true (seqex_trust_store_remember (store, fixture->name, fixture->client_key, NULL));
  seqex_endpoint_set_trust_store (fixture->client, store);
  seqex_endpoint_set_trust_policy (fixture->client, SEQEX_TRUST_POLICY_ANYONE);
  assert_fails (fixture, NULL, SEQEX_ERROR_KEY_CHANGED, fixture->server_key, fixture->client_key);
}

/* A store that cannot be read lets nobody in, whatever the policy is. */
static void
test_damaged_store (Fixture       *fixture,
                    gconstpointer  data)
{
  g_autofree char *path = NULL;
  g_autoptr (GFile) file = NULL;
  g_autoptr (SeqexTrustStore) store = NULL;
  g_autoptr (GError) error = NULL;
  int fd = g_file_open_tmp ("seqex-XXXXXX", &path, NULL);

  g_assert_cmpint (fd, >=, 0);
  g_close (fd, NULL);
  g_assert_true (g_file_set_contents (path, "this is not a trust store\n", -1, NULL));
  file = g_file_new_for_path (path);
  store = seqex_trust_store_new (file);
  seqex_endpoint_set_trust_store (fixture->client, store);
  seqex_endpoint_set_trust_policy (fixture->client, SEQEX_TRUST_POLICY_ANYONE);
  g_assert_null (endpoint_open (fixture->client, fixture->target, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_assert_nonnull (strstr (error->message, path));
  g_unlink (path);
}

static void
test_shared_secret (Fixture       *fixture,
                    gconstpointer  data)
{
  g_autofree char *secret = seqex_shared_secret_generate ();
  g_autoptr (GError) error = NULL;

  seqex_endpoint_set_trust_policy (fixture->server, SEQEX_TRUST_POLICY_STRICT);
  g_assert_true (seqex_endpoint_set_shared_secret (fixture->server, secret, &error));
  g_assert_true (seqex_endpoint_set_shared_secret (fixture->client, secret, &error));
  g_assert_cmpstr (seqex_endpoint_get_shared_secret (fixture->client), ==, secret);
  assert_opens (fixture, NULL);
  assert_opens (fixture, fixture->server_key);

  g_assert_false (seqex_endpoint_set_shared_secret (fixture->client, "1234", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_cmpstr (seqex_endpoint_get_shared_secret (fixture->client), ==, secret);
  g_assert_true (seqex_endpoint_set_shared_secret (fixture->client, NULL, NULL));
  g_assert_null (seqex_endpoint_get_shared_secret (fixture->client));
}

/* The question --------------------------------------------------------------------------- */

typedef struct
{
  gboolean            take;
  SeqexAuthorization *question;
  guint               n;
} Asked;

static gboolean
authorize_cb (SeqexEndpoint      *endpoint,
              SeqexAuthorization *authorization,
              Asked              *asked)
{
  asked->n++;
  if (!asked->take)
    return FALSE;
  g_set_object (&asked->question, authorization);
  return TRUE;
}

/* The server is asked about the client, whose connection waits for the answer. */
static void
test_incoming (Fixture       *fixture,
               gconstpointer  data)
{
  Asked asked = { .take = TRUE };
  g_auto (Outcome) opened = { 0 };
  g_autoptr (GError) error = NULL;
  SeqexAuthorization *question;
  Pair pair;

  seqex_endpoint_set_trust_policy (fixture->server, SEQEX_TRUST_POLICY_STRICT);
  g_signal_connect (fixture->server, "authorize", G_CALLBACK (authorize_cb), &asked);
  seqex_endpoint_open_connection_async (fixture->client, fixture->target, fixture->server_key,
                                        NULL, util_outcome_cb, &opened);
  wait_until (asked.question != NULL);
  util_run_for (50);
  g_assert_null (opened.result);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (fixture->server)), ==, 0);

  question = asked.question;
  g_assert_true (seqex_authorization_get_endpoint (question) == fixture->server);
  g_assert_cmpstr (seqex_authorization_get_peer_key (question), ==, fixture->client_key);
  g_assert_cmpstr (seqex_authorization_get_application_id (question), ==, "");
  g_assert_null (seqex_authorization_get_name (question));
  g_assert_true (seqex_authorization_get_incoming (question));
  g_assert_false (seqex_authorization_get_answered (question));
  g_assert_true (G_IS_INET_SOCKET_ADDRESS (seqex_authorization_get_remote_address (question)));

  seqex_authorization_accept (question);
  g_assert_true (seqex_authorization_get_answered (question));
  /* The first answer counts. */
  seqex_authorization_reject (question);
  wait_until (opened.result != NULL);
  pair.a = seqex_endpoint_open_connection_finish (fixture->client, opened.result, &error);
  g_assert_no_error (error);
  pair.b = endpoint_accept (fixture->server, &error);
  g_assert_no_error (error);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "let in");
  g_assert_cmpuint (asked.n, ==, 1);
  g_assert_finalize_object (g_steal_pointer (&asked.question));
  util_outcome_clear (&opened);
  util_close (pair.a, NULL);
  util_pair_free (&pair);
}

/* The client is asked about the server. */
static void
test_outgoing (Fixture       *fixture,
               gconstpointer  data)
{
  Asked asked = { .take = TRUE };
  g_auto (Outcome) opened = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexConnection) connection = NULL;

  g_signal_connect (fixture->client, "authorize", G_CALLBACK (authorize_cb), &asked);
  seqex_endpoint_open_connection_async (fixture->client, fixture->target, NULL, NULL,
                                        util_outcome_cb, &opened);
  wait_until (asked.question != NULL);
  g_assert_cmpstr (seqex_authorization_get_peer_key (asked.question), ==, fixture->server_key);
  g_assert_cmpstr (seqex_authorization_get_name (asked.question), ==, fixture->name);
  g_assert_false (seqex_authorization_get_incoming (asked.question));
  util_run_for (50);
  g_assert_null (opened.result);
  seqex_authorization_accept (asked.question);
  wait_until (opened.result != NULL);
  connection = seqex_endpoint_open_connection_finish (fixture->client, opened.result, &error);
  g_assert_no_error (error);
  g_assert_nonnull (connection);
  g_clear_object (&asked.question);
  util_outcome_clear (&opened);
}

typedef enum
{
  REJECT,
  DROP,
  DROP_IN_THREAD,
  LEAVE,
} HowNot;

static gpointer
unref_in_thread (gpointer object)
{
  g_object_unref (object);
  return NULL;
}

/* Rejected, dropped, or taken by nobody: the peer is told that it is not trusted. */
static void
test_rejected (Fixture       *fixture,
               gconstpointer  data)
{
  HowNot how = GPOINTER_TO_INT (data);
  Asked asked = { .take = how != LEAVE };
  g_auto (Outcome) opened = { 0 };
  g_autoptr (GError) error = NULL;

  seqex_endpoint_set_trust_policy (fixture->server, SEQEX_TRUST_POLICY_STRICT);
  g_signal_connect (fixture->server, "authorize", G_CALLBACK (authorize_cb), &asked);
  seqex_endpoint_open_connection_async (fixture->client, fixture->target, fixture->server_key,
                                        NULL, util_outcome_cb, &opened);
  wait_until (asked.n == 1);
  if (how == REJECT)
    seqex_authorization_reject (asked.question);
  else if (how == DROP_IN_THREAD)
    g_thread_join (g_thread_new ("drop", unref_in_thread, g_steal_pointer (&asked.question)));
  g_clear_object (&asked.question);
  wait_until (opened.result != NULL);
  g_assert_null (seqex_endpoint_open_connection_finish (fixture->client, opened.result, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_PEER_REFUSED);
  g_assert_nonnull (strstr (error->message, fixture->client_key));
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (fixture->server)), ==, 0);
  util_outcome_clear (&opened);
}

/* The same on the side that opens. */
static void
test_rejected_outgoing (Fixture       *fixture,
                        gconstpointer  data)
{
  Asked asked = { .take = FALSE };

  g_signal_connect (fixture->client, "authorize", G_CALLBACK (authorize_cb), &asked);
  assert_fails (fixture, NULL, SEQEX_ERROR_UNTRUSTED_PEER, fixture->server_key, "rejected");
  g_assert_cmpuint (asked.n, ==, 1);
}

/* An answer that comes when nobody waits for it any more. */
static void
test_late_answer (Fixture       *fixture,
                  gconstpointer  data)
{
  Asked asked = { .take = TRUE };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_auto (Outcome) opened = { 0 };
  g_autoptr (GError) error = NULL;

  g_signal_connect (fixture->client, "authorize", G_CALLBACK (authorize_cb), &asked);
  seqex_endpoint_open_connection_async (fixture->client, fixture->target, NULL, cancellable,
                                        util_outcome_cb, &opened);
  wait_until (asked.question != NULL);
  g_cancellable_cancel (cancellable);
  wait_until (opened.result != NULL);
  g_assert_null (seqex_endpoint_open_connection_finish (fixture->client, opened.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  seqex_authorization_accept (asked.question);
  g_assert_true (seqex_authorization_get_answered (asked.question));
  util_run_for (20);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (fixture->client)), ==, 0);
  util_outcome_clear (&opened);
  g_clear_object (&asked.question);
}

/* A question that outlives its endpoint. */
static void
test_orphan (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = seqex_endpoint_new (NULL);
  g_autoptr (GSocketConnectable) target = endpoint_target (server);
  Asked asked = { .take = TRUE };
  g_auto (Outcome) opened = { 0 };

  seqex_endpoint_set_trust_policy (server, SEQEX_TRUST_POLICY_STRICT);
  g_signal_connect (server, "authorize", G_CALLBACK (authorize_cb), &asked);
  seqex_endpoint_open_connection_async (
    client, target, seqex_identity_get_fingerprint (seqex_endpoint_get_identity (server)), NULL,
    util_outcome_cb, &opened);
  wait_until (asked.question != NULL);
  endpoint_free (server);
  g_assert_null (seqex_authorization_get_endpoint (asked.question));
  seqex_authorization_accept (asked.question);
  g_clear_object (&asked.question);
  g_assert_true (endpoint_close (client, NULL));
  wait_until (opened.result != NULL);
  util_outcome_clear (&opened);
  endpoint_free (client);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(path, data, test)                                                               \
  g_test_add ("/seqex/authorization/" path, Fixture, GINT_TO_POINTER (data), set_up, test,  \
              tear_down)
  ADD ("expected", 0, test_expected);
  ADD ("strict", 0, test_strict);
  ADD ("anyone", 0, test_anyone);
  ADD ("store", 0, test_store);
  ADD ("first-use", 0, test_first_use);
  ADD ("changed", 0, test_changed);
  ADD ("damaged-store", 0, test_damaged_store);
  ADD ("shared-secret", 0, test_shared_secret);
  ADD ("incoming", 0, test_incoming);
  ADD ("outgoing", 0, test_outgoing);
  ADD ("rejected", REJECT, test_rejected);
  ADD ("dropped", DROP, test_rejected);
  ADD ("dropped-in-thread", DROP_IN_THREAD, test_rejected);
  ADD ("left", LEAVE, test_rejected);
  ADD ("rejected-outgoing", 0, test_rejected_outgoing);
  ADD ("late-answer", 0, test_late_answer);
#undef ADD
  g_test_add_func ("/seqex/authorization/orphan", test_orphan);

  return g_test_run ();
}
