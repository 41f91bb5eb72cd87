/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From a GSocketConnectable to a connection: its addresses are tried in turn, each some time after
 * the one before it and not after its end, so that one that is dead costs little (RFC 8305).
 */
#include "config.h"

#include "seqex-endpoint-private.h"

#include "seqex-error-private.h"
#include "seqex-lookup-private.h"
#include "seqex-trust-store-private.h"

/* RFC 8305 section 5, Connection Attempt Delay, and section 3, Resolution Delay: how long an IPv6
 * address is waited for when an IPv4 address is there. */
#define STAGGER_MS      250u
#define WAIT_FOR_SIX_MS 50u

/* Addresses of one name that are tried at most. */
#define ADDRESSES_MAX 32u

struct _SeqexOpening
{
  SeqexEndpoint      *endpoint;  /* unowned: the wait keeps it */
  SeqexWait          *wait;      /* unowned: in the endpoint's queue */
  GList               link;      /* in the endpoint's openings */
  GSocketConnectable *peer;      /* owned */
  char               *name;
  gboolean            has_key;
  guint8              key[SEQEX_KEY_SIZE];

  GCancellable       *lookup;    /* owned; NULL: it is over */
  GArray             *waiting;   /* sqx_address: not tried yet */
  guint               n_found;
  gboolean            last_was_six; /* families take turns */
  guint               n_attempts;   /* that go on */
  SeqexAttempt       *winner;    /* the one that has succeeded; NULL: none yet */
  GSource            *timer;     /* when the next address is tried; NULL: not by time */
  GError             *error;     /* the one that says most */
};

static void try_next (SeqexOpening *self);

const char *
seqex_opening_get_name (SeqexOpening *self)
{
  return self->name;
}

const guint8 *
seqex_opening_get_key (SeqexOpening *self)
{
  return self->has_key ? self->key : NULL;
}

static void
stop_timer (SeqexOpening *self)
{
  if (self->timer != NULL)
    g_source_destroy (self->timer);
  g_clear_pointer (&self->timer, g_source_unref);
}

/* The attempts that go on are of no use any more. */
static void
free_opening (SeqexOpening *self)
{
  GList *link = self->endpoint->attempts.head;

  while (link != NULL)
    {
      SeqexAttempt *attempt = link->data;

      link = link->next;
      if (attempt->opening == self)
        seqex_attempt_drop (attempt);
    }
  if (self->lookup != NULL)
    g_cancellable_cancel (self->lookup);
  g_clear_object (&self->lookup);
  stop_timer (self);
  self->endpoint->n_succeeded -= self->winner != NULL;
  g_queue_unlink (&self->endpoint->openings, &self->link);
  g_array_unref (self->waiting);
  g_object_unref (self->peer);
  g_free (self->name);
  g_clear_error (&self->error);
  g_free (self);
}

/* Takes @error. */
static void
fail (SeqexOpening *self,
      GError       *error)
{
  SeqexWait *wait = self->wait;

  seqex_endpoint_mark_ready (self->endpoint);
  free_opening (self);
  seqex_wait_resolve (wait, NULL, error);
}

/* What somebody at the other end says counts more than what the network says, and that more than
 * silence. */
static guint
rank (const GError *error)
{
  if (error->domain != SEQEX_ERROR)
    return 1;
  return error->code == SEQEX_ERROR_CONNECTION_LOST ? 0 : 2;
}

static void
note_error (SeqexOpening *self,
            GError       *error)
{
  if (self->error == NULL || rank (error) > rank (self->error))
    {
      g_clear_error (&self->error);
      self->error = error;
    }
  else
    g_error_free (error);
}

static gboolean
fail_if_over (SeqexOpening *self)
{
  if (self->lookup != NULL || self->waiting->len > 0 || self->n_attempts > 0)
    return FALSE;
  fail (self, g_steal_pointer (&self->error));
  return TRUE;
}

/* Trying --------------------------------------------------------------------------------- */

static gboolean
is_six (const sqx_address *address)
{
  return address->host_size != 4;
}

static gboolean
has_six (SeqexOpening *self)
{
  for (guint i = 0; i < self->waiting->len; i++)
    if (is_six (&g_array_index (self->waiting, sqx_address, i)))
      return TRUE;
  return FALSE;
}

/* The two families take turns, IPv6 goes first. */
static sqx_address
take_address (SeqexOpening *self)
{
  sqx_address address;
  guint index = 0;

  for (guint i = 0; i < self->waiting->len; i++)
    if (is_six (&g_array_index (self->waiting, sqx_address, i)) != self->last_was_six)
      {
        index = i;
        break;
      }
  address = g_array_index (self->waiting, sqx_address, index);
  g_array_remove_index (self->waiting, index);
  self->last_was_six = is_six (&address);
  return address;
}

static gboolean
timer_cb (gpointer user_data)
{
  SeqexOpening *self = user_data;

  stop_timer (self);
  try_next (self);
  return G_SOURCE_REMOVE;
}

static void
start_timer (SeqexOpening *self,
             guint         milliseconds)
{
  stop_timer (self);
  self->timer = g_timeout_source_new (milliseconds);
  g_source_set_static_name (self->timer, "[seqex] next address");
  g_source_set_callback (self->timer, timer_cb, self, NULL);
  g_source_attach (self->timer, self->endpoint->driver->context);
}

static void
try_address (SeqexOpening      *self,
             const sqx_address *address)
{
  SeqexEndpoint *endpoint = self->endpoint;
  g_autofree char *text = NULL;
  SeqexAttempt *attempt;
  sqx_conn *core;

  if (!seqex_endpoint_can_reach (endpoint, address))
    {
      text = seqex_address_to_string (address);
      note_error (self, g_error_new (G_IO_ERROR, G_IO_ERROR_NETWORK_UNREACHABLE,
                                     "%s cannot be reached from the address of the endpoint",
                                     text));
      return;
    }

  attempt = seqex_attempt_new (endpoint, self, address);
  core = sqx_endpoint_connect (endpoint->driver->core, seqex_driver_time (endpoint->driver),
                               &endpoint->config, address, seqex_opening_get_key (self),
                               &attempt->watcher);
  if (core == NULL)
    {
      seqex_attempt_free (attempt);
      note_error (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                                             "There is no memory for another connection"));
      return;
    }
  seqex_attempt_set_core (attempt, core);
  self->n_attempts++;
  seqex_endpoint_mark_ready (endpoint);
}

static void
try_next (SeqexOpening *self)
{
  guint n_attempts = self->n_attempts;

  while (self->waiting->len > 0 && self->n_attempts == n_attempts)
    {
      sqx_address address = take_address (self);

      try_address (self, &address);
    }
  if (self->waiting->len > 0)
    start_timer (self, STAGGER_MS);
  else
    fail_if_over (self);
}

void
seqex_opening_unreachable (SeqexOpening *self)
{
  if (self->waiting->len > 0 && self->winner == NULL)
    {
      stop_timer (self);
      try_next (self);
    }
}

void
seqex_opening_failed (SeqexOpening *self,
                      GError       *error)
{
  self->n_attempts--;
  note_error (self, error);
  if (self->winner != NULL)
    return;
  if (self->waiting->len > 0)
    {
      stop_timer (self);
      try_next (self);
    }
  else
    fail_if_over (self);
}

void
seqex_opening_succeeded (SeqexOpening *self,
                         SeqexAttempt *attempt)
{
  /* Of two at once the first one counts. */
  if (self->winner != NULL)
    return;
  self->winner = attempt;
  self->endpoint->n_succeeded++;
  stop_timer (self);
}

static SeqexOpening *
find_succeeded (SeqexEndpoint *self)
{
  for (GList *link = self->openings.head; link != NULL; link = link->next)
    if (((SeqexOpening *) link->data)->winner != NULL)
      return link->data;
  return NULL;
}

gboolean
seqex_endpoint_finish_opening (SeqexEndpoint *self)
{
  SeqexOpening *opening = self->n_succeeded > 0 ? find_succeeded (self) : NULL;
  g_autoptr (GSocketConnectable) peer = NULL;
  g_autofree char *name = NULL;
  g_autoptr (SeqexConnection) connection = NULL;
  guint8 key[SEQEX_KEY_SIZE] = { 0 };
  SeqexAttempt *attempt;
  GError *error = NULL;
  SeqexWait *wait;
  gboolean is_new;

  if (opening == NULL)
    return FALSE;

  attempt = g_steal_pointer (&opening->winner);
  self->n_succeeded--;
  attempt->opening = NULL;
  is_new = attempt->remember && self->trust_store != NULL;
  if (is_new)
    memcpy (key, sqx_conn_peer_key (attempt->core), sizeof key);
  peer = g_object_ref (opening->peer);
  name = g_strdup (opening->name);
  wait = seqex_wait_ref (opening->wait);
  /* From here on there is nothing to be given up, whatever the program does now. */
  wait->abandoned = NULL;
  free_opening (opening);
  connection = seqex_endpoint_adopt (self, seqex_attempt_steal (attempt), &self->config, peer);

  if (is_new && !seqex_trust_store_remember_key (self->trust_store, name, key, &error))
    seqex_dialogue_fail (seqex_connection_get_dialogue (connection), g_error_copy (error));
  else
    seqex_endpoint_announce (self, connection);
  /* Unless it was cancelled meanwhile. */
  if (wait->queue != NULL && wait->queue != &self->done)
    seqex_wait_resolve (wait, error == NULL ? g_steal_pointer (&connection) : NULL, error);
  else
    g_clear_error (&error);
  seqex_wait_unref (wait);
  return TRUE;
}

/* Addresses ------------------------------------------------------------------------------ */

static void
found_cb (gpointer           user_data,
          const sqx_address *address,
          const GError      *error)
{
  SeqexOpening *self = user_data;

  if (self->winner != NULL)
    {
      if (address == NULL)
        g_clear_object (&self->lookup);
      return;
    }
  if (address == NULL)
    {
      g_clear_object (&self->lookup);
      if (error != NULL)
        note_error (self, g_error_copy (error));
    }
  else if (self->n_found < ADDRESSES_MAX)
    {
      self->n_found++;
      g_array_append_val (self->waiting, *address);
    }

  /* An attempt goes on, and time brings the next. */
  if (self->timer != NULL && self->n_attempts > 0)
    return;
  if (self->n_attempts == 0 && self->lookup != NULL && !has_six (self))
    {
      if (self->waiting->len == 1)
        start_timer (self, WAIT_FOR_SIX_MS);
      return;
    }
  if (self->n_attempts == 0)
    try_next (self);
  else if (self->waiting->len > 0)
    start_timer (self, STAGGER_MS);
  else
    fail_if_over (self);
}

void
seqex_endpoint_fail_openings (SeqexEndpoint *self,
                              const GError  *error)
{
  GList *link;

  while ((link = self->openings.head) != NULL)
    fail (link->data, g_error_copy (error));
}

static void
abandoned (SeqexWait *wait)
{
  SeqexOpening *self = wait->data;

  seqex_endpoint_mark_ready (self->endpoint);
  free_opening (self);
}

/**
 * seqex_endpoint_open_connection_async:
 * @self: an endpoint
 * @peer: where the peer is: a [class@Gio.NetworkAddress], a [class@Gio.InetSocketAddress] …
 * @peer_key: (nullable): the fingerprint of the key that the peer must have, or `NULL`
 * @cancellable: (nullable): to stop it
 * @callback: (nullable) (scope async) (closure user_data): called when the connection is open, or
 *   when that failed
 * @user_data: for @callback
 *
 * Opens an encrypted connection to a peer.
 *
 * If the peer has several addresses they are tried in turn, IPv6 before IPv4; while one is silent
 * the next is tried a quarter of a second later. An endpoint that is not bound is bound to any port
 * of all addresses; then it only opens connections, and accepts none.
 *
 * With @peer_key nobody else than the owner of that key is taken, and it takes one round trip less.
 * Without, it is up to [property@Seqex.Endpoint:trust-store],
 * [property@Seqex.Endpoint:trust-policy] and [signal@Seqex.Endpoint::authorize] to decide.
 *
 * Finish with [method@Seqex.Endpoint.open_connection_finish].
 */
void
seqex_endpoint_open_connection_async (SeqexEndpoint       *self,
                                      GSocketConnectable  *peer,
                                      const char          *peer_key,
                                      GCancellable        *cancellable,
                                      GAsyncReadyCallback  callback,
                                      gpointer             user_data)
{
  SeqexOpening *opening;
  guint8 key[SEQEX_KEY_SIZE] = { 0 };
  const SeqexCall *call = SEQEX_CALL (seqex_endpoint_open_connection_async);
  GError *error = NULL;

  g_return_if_fail (SEQEX_IS_ENDPOINT (self));
  g_return_if_fail (G_IS_SOCKET_CONNECTABLE (peer));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC))
    return;

  if (!g_cancellable_set_error_if_cancelled (cancellable, &error)
      && (error = seqex_endpoint_get_failure (self)) == NULL
      && (peer_key == NULL || seqex_key_parse (peer_key, key, &error)))
    seqex_endpoint_ensure_bound (self, &error);
  if (error != NULL)
    {
      seqex_result_return_later (self->driver->context, call, NULL, error);
      return;
    }

  opening = g_new0 (SeqexOpening, 1);
  opening->endpoint = self;
  opening->link.data = opening;
  opening->peer = g_object_ref (peer);
  opening->name = g_socket_connectable_to_string (peer);
  opening->has_key = peer_key != NULL;
  memcpy (opening->key, key, sizeof key);
  opening->waiting = g_array_new (FALSE, FALSE, sizeof (sqx_address));
  opening->lookup = g_cancellable_new ();
  g_queue_push_tail_link (&self->openings, &opening->link);

  opening->wait = seqex_wait_new_for_endpoint (self->driver, G_OBJECT (self), &self->done,
                                               SEQEX_WAIT_ENDPOINT_OPEN, &self->opening, call);
  opening->wait->abandoned = abandoned;
  opening->wait->data = opening;
  seqex_lookup_start (peer, self->driver->context, opening->lookup, found_cb, opening,
                      NULL);
}

/**
 * seqex_endpoint_open_connection_finish:
 * @self: an endpoint
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Endpoint.open_connection_async].
 *
 * The errors are:
 *
 * - %G_IO_ERROR_INVALID_ARGUMENT: the expected key is malformed; it is said where;
 * - %G_RESOLVER_ERROR_NOT_FOUND and its like: the name of the peer is not known;
 * - %G_IO_ERROR_CONNECTION_REFUSED, %G_IO_ERROR_HOST_UNREACHABLE,
 *   %G_IO_ERROR_NETWORK_UNREACHABLE: the network says so, and no answer came for 5 seconds;
 * - %SEQEX_ERROR_CONNECTION_LOST: no answer came within 20 seconds;
 * - %SEQEX_ERROR_PEER_REFUSED: the peer has no room, or does not trust this side;
 * - %SEQEX_ERROR_UNTRUSTED_PEER: the peer has another key than the expected one, and both are
 *   named; or this side does not trust it;
 * - %SEQEX_ERROR_KEY_CHANGED: the trust store knows the peer with another key, and both are named;
 * - %SEQEX_ERROR_APPLICATION_MISMATCH, %SEQEX_ERROR_VERSION_MISMATCH: both are named;
 * - %G_IO_ERROR_CLOSED: the endpoint is closed;
 * - %G_IO_ERROR_CANCELLED: the operation was cancelled;
 * - those of binding a socket, and of a trust store that cannot be read or written.
 *
 * If a name has several addresses this is the error of the one from which most was heard.
 *
 * Returns: (transfer full): the connection, which the endpoint keeps, too, until it is closed
 */
SeqexConnection *
seqex_endpoint_open_connection_finish (SeqexEndpoint  *self,
                                       GAsyncResult   *result,
                                       GError        **error)
{
  return seqex_result_propagate_pointer (result, self, seqex_endpoint_open_connection_async,
                                         G_STRFUNC, error);
}
