/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-endpoint-private.h"

#include "seqex-authorization.h"
#include "seqex-crypto-private.h"
#include "seqex-debug-private.h"
#include "seqex-error-private.h"
#include "seqex-identity-private.h"

/**
 * SeqexEndpoint:
 *
 * One socket, and any number of encrypted connections to peers over it.
 *
 * An endpoint opens connections with [method@Seqex.Endpoint.open_connection_async], and once it is
 * bound ([method@Seqex.Endpoint.bind]) it accepts those that peers open: they come to handlers of
 * [signal@Seqex.Endpoint::connection], or to who calls [method@Seqex.Endpoint.accept_async], and
 * wait until there is either. Who the peers are is proved by their keys; whether they may be peers
 * is decided by an expected key, the [property@Seqex.Endpoint:trust-store], the
 * [property@Seqex.Endpoint:trust-policy] or the program, in this order.
 *
 * ## Life
 *
 * The endpoint is a [iface@Gio.ListModel] of its connections, and keeps each until it is closed. A
 * connection does not keep its endpoint, but works without it: when the program has dropped the
 * endpoint, nothing is opened or accepted any more, and the connections that the program holds go
 * on.
 * [method@Seqex.Endpoint.close_async] ends all in good order.
 *
 * A process that forks keeps its connections; in the child they have failed, and nothing is sent
 * from there.
 *
 * ## Threads
 *
 * An endpoint, its connections and their messages belong to the main context that was the
 * thread-default one when the endpoint was made, as it is with [class@Seqex.Connection].
 */
static void seqex_endpoint_list_model_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (SeqexEndpoint, seqex_endpoint, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL,
                                                      seqex_endpoint_list_model_init))

enum
{
  SIGNAL_CONNECTION,
  SIGNAL_AUTHORIZE,
  SIGNAL_FOREIGN_DATAGRAM,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

/* For the driver ------------------------------------------------------------------------- */

void
seqex_endpoint_mark_ready (SeqexEndpoint *self)
{
  seqex_driver_mark_ready (self->driver);
}

gboolean
seqex_endpoint_has_handler (SeqexEndpoint *self,
                            const char    *signal_name)
{
  return g_signal_has_handler_pending (self, g_signal_lookup (signal_name, SEQEX_TYPE_ENDPOINT), 0,
                                       FALSE);
}

static void
incoming (GObject  *owner,
          sqx_conn *conn)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (owner);
  SeqexAttempt *attempt = seqex_attempt_new (self, NULL, sqx_conn_address (conn));

  seqex_attempt_set_core (attempt, conn);
  attempt->watcher.touched (&attempt->watcher);
}

static void
foreign (GObject           *owner,
         const sqx_address *from,
         const guint8      *data,
         gsize              size)
{
  seqex_endpoint_take_foreign (SEQEX_ENDPOINT (owner), from, data, size);
}

static void
unreachable (GObject           *owner,
             const sqx_address *to,
             const GError      *error)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (owner);
  GList *next;

  for (GList *link = self->attempts.head; link != NULL; link = next)
    {
      SeqexAttempt *attempt = link->data;

      next = link->next;
      if (attempt->opening == NULL || !sqx_address_equal (&attempt->address, to))
        continue;
      g_clear_error (&attempt->unreachable);
      attempt->unreachable = g_error_copy (error);
      seqex_opening_unreachable (attempt->opening);
    }
}

static void
failed (GObject      *owner,
        const GError *error)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (owner);

  if (self->failure == NULL)
    self->failure = g_error_copy (error);
  seqex_endpoint_fail_openings (self, error);
  while (self->accepting.length > 0)
    seqex_wait_resolve (g_queue_peek_head (&self->accepting), NULL, g_error_copy (error));
}

/* Connections ---------------------------------------------------------------------------- */

SeqexConnection *
seqex_endpoint_adopt (SeqexEndpoint      *self,
                      sqx_conn           *core,
                      const sqx_config   *config,
                      GSocketConnectable *peer)
{
  SeqexConnection *connection;

  self->handover = core;
  self->handover_config = config;
  connection = g_object_new (SEQEX_TYPE_CONNECTION, "endpoint", self, NULL);
  g_assert (self->handover == NULL);
  seqex_connection_set_peer (connection, peer);
  if (self->is_closing)
    seqex_dialogue_close (seqex_connection_get_dialogue (connection));
  return connection;
}

void
seqex_endpoint_announce (SeqexEndpoint   *self,
                         SeqexConnection *connection)
{
  g_queue_push_tail (&self->arrivals, g_object_ref (connection));
  seqex_endpoint_mark_ready (self);
}

static void
drop_from (GQueue          *queue,
           SeqexConnection *connection)
{
  if (g_queue_remove (queue, connection))
    g_object_unref (connection);
}

void
seqex_endpoint_forget (SeqexEndpoint   *self,
                       SeqexConnection *connection)
{
  guint position;

  if (self->is_closing)
    self->undelivered += seqex_connection_get_dialogue (connection)->undelivered;
  drop_from (&self->arrivals, connection);
  /* One that was closed before anybody took it is not handed out any more. */
  drop_from (&self->incoming, connection);
  if (g_ptr_array_find (self->connections, connection, &position))
    {
      g_ptr_array_remove_index (self->connections, position);
      g_list_model_items_changed (G_LIST_MODEL (self), position, 1, 0);
      seqex_endpoint_notify_n_items (self);
    }
  seqex_endpoint_mark_ready (self);
}

static gboolean
has_listener (SeqexEndpoint *self)
{
  return self->accepting.length > 0
         || g_signal_has_handler_pending (self, signals[SIGNAL_CONNECTION], 0, FALSE);
}

static gboolean
list_arrival (SeqexEndpoint *self)
{
  SeqexConnection *connection = g_queue_pop_head (&self->arrivals);

  if (connection == NULL)
    return FALSE;
  g_ptr_array_add (self->connections, connection);
  g_list_model_items_changed (G_LIST_MODEL (self), self->connections->len - 1, 0, 1);
  seqex_endpoint_notify_n_items (self);
  return TRUE;
}

static gboolean
hand_out (SeqexEndpoint *self)
{
  SeqexWait *wait = g_queue_peek_head (&self->accepting);
  g_autoptr (SeqexConnection) connection = NULL;

  if (self->incoming.length == 0 || !has_listener (self))
    return FALSE;

  connection = g_queue_pop_head (&self->incoming);
  if (wait != NULL)
    {
      wait->outcome = G_OBJECT (g_steal_pointer (&connection));
      seqex_wait_return (wait);
    }
  else
    g_signal_emit (self, signals[SIGNAL_CONNECTION], 0, connection);
  return TRUE;
}

/* Closing -------------------------------------------------------------------------------- */

static gboolean
is_finished (SeqexEndpoint *self)
{
  if (!self->is_closing || self->closed || self->connections->len > 0 || self->arrivals.length > 0
      || self->attempts.length > 0)
    return FALSE;

  for (GList *link = self->driver->all.head; link != NULL; link = link->next)
    {
      SeqexDialogue *dialogue = link->data;

      if (dialogue->core != NULL && sqx_conn_state (dialogue->core) < SQX_STATE_DRAINING)
        return FALSE;
    }
  return TRUE;
}

static gboolean
finish_close (SeqexEndpoint *self)
{
  SeqexWait *wait;

  if (is_finished (self))
    {
      self->closed = TRUE;
      seqex_driver_close_transport (self->driver);
    }
  wait = self->closed ? g_queue_peek_head (&self->closing) : NULL;
  if (wait == NULL)
    return FALSE;
  if (self->undelivered > 0)
    wait->error = g_error_new (SEQEX_ERROR, SEQEX_ERROR_FAILED,
                               "Messages that were not delivered, or not answered, when the "
                               "endpoint was closed: %u", self->undelivered);
  seqex_wait_return (wait);
  return TRUE;
}

static void
begin_close (SeqexEndpoint *self)
{
  g_autoptr (GError) error = NULL;
  GList *next;

  if (self->is_closing)
    return;

  self->is_closing = TRUE;
  self->accepts = FALSE;
  sqx_endpoint_set_accepts (self->driver->core, FALSE);
  error = seqex_endpoint_get_failure (self);
  seqex_endpoint_fail_openings (self, error);
  for (GList *link = self->attempts.head; link != NULL; link = next)
    {
      next = link->next;
      seqex_attempt_drop (link->data);
    }
  while (self->accepting.length > 0)
    seqex_wait_resolve (g_queue_peek_head (&self->accepting), NULL, NULL);
  for (GList *link = self->driver->all.head; link != NULL; link = link->next)
    seqex_dialogue_close (link->data);
}

/* The program gives up: what is left is closed at once. */
static void
close_abandoned (SeqexWait *wait)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (wait->object);

  for (GList *link = self->driver->all.head; link != NULL; link = link->next)
    {
      SeqexDialogue *dialogue = link->data;

      if (dialogue->core != NULL)
        sqx_conn_abort (dialogue->core, seqex_driver_time (self->driver), SQX_CLOSE_NO_ERROR, NULL);
      seqex_dialogue_activate (dialogue);
    }
}

static gboolean
deliver (GObject *owner)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (owner);
  SeqexWait *wait;

  if (list_arrival (self) || seqex_endpoint_finish_opening (self))
    return TRUE;
  if ((wait = g_queue_peek_head (&self->done)) != NULL)
    seqex_wait_return (wait);
  else if (self->asked.length > 0)
    seqex_endpoint_emit_authorize (self);
  else if (self->foreign.length > 0)
    seqex_endpoint_emit_foreign (self);
  else
    return hand_out (self) || finish_close (self);
  return TRUE;
}

static gboolean
is_due (GObject *owner)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (owner);

  return self->arrivals.length > 0 || self->n_succeeded > 0 || self->done.length > 0
         || self->asked.length > 0 || self->foreign.length > 0
         || (self->incoming.length > 0 && has_listener (self))
         || (self->closed && self->closing.length > 0) || is_finished (self);
}

static const SeqexDriverFuncs driver_funcs = {
  .incoming = incoming,
  .foreign = foreign,
  .unreachable = unreachable,
  .failed = failed,
  .deliver = deliver,
  .is_due = is_due,
};

GError *
seqex_endpoint_get_failure (SeqexEndpoint *self)
{
  if (self->failure != NULL)
    return g_error_copy (self->failure);
  if (self->is_closing || self->driver->core == NULL)
    return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "The endpoint is closed");
  return NULL;
}

/* GListModel ----------------------------------------------------------------------------- */

static GType
seqex_endpoint_get_item_type (GListModel *model)
{
  return SEQEX_TYPE_CONNECTION;
}

static guint
seqex_endpoint_get_n_items (GListModel *model)
{
  return SEQEX_ENDPOINT (model)->connections->len;
}

static gpointer
seqex_endpoint_get_item (GListModel *model,
                         guint       position)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (model);

  if (position >= self->connections->len)
    return NULL;
  return g_object_ref (g_ptr_array_index (self->connections, position));
}

static void
seqex_endpoint_list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = seqex_endpoint_get_item_type;
  iface->get_n_items = seqex_endpoint_get_n_items;
  iface->get_item = seqex_endpoint_get_item;
}

/* GObject -------------------------------------------------------------------------------- */

static void
seqex_endpoint_constructed (GObject *object)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (object);
  sqx_endpoint_config config;

  G_OBJECT_CLASS (seqex_endpoint_parent_class)->constructed (object);

  if (self->identity == NULL)
    self->identity = seqex_identity_new_generate ();

  self->config.application_id = self->application_id;
  sqx_endpoint_config_init (&config);
  config.connection = self->config;
  config.connection.user_data = self->driver;
  config.crypto = seqex_crypto_table ();
  memcpy (config.secret_key, seqex_identity_get_secret (self->identity), sizeof config.secret_key);
  config.max_connections = self->max_connections;
  config.max_half_open = self->max_half_open;
  config.max_half_open_per_host = self->max_half_open_per_address;
  config.judge = seqex_endpoint_judge;

  seqex_driver_set_owner (self->driver, object, &driver_funcs);
  if (!seqex_driver_start (self->driver, &config))
    g_set_error (&self->failure, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "An application id is UTF-8 of at most %u bytes", SQX_APPLICATION_ID_MAX);
  seqex_crypto_table ()->wipe (config.secret_key, sizeof config.secret_key);
}

static void
unref_queue (GQueue *queue)
{
  gpointer object;

  while ((object = g_queue_pop_head (queue)) != NULL)
    g_object_unref (object);
}

static void
seqex_endpoint_dispose (GObject *object)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (object);
  g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED,
                                                  "The endpoint is closed");

  self->is_closing = TRUE;
  /* Every wait refers to the endpoint, so there are only some if somebody insists on dispose. */
  seqex_endpoint_fail_openings (self, error);
  seqex_waits_clear_queue (&self->done, error);
  seqex_waits_clear_queue (&self->accepting, error);
  seqex_waits_clear_queue (&self->closing, error);
  while (self->attempts.length > 0)
    seqex_attempt_free (g_queue_peek_head (&self->attempts));
  if (self->driver->core != NULL)
    sqx_endpoint_set_accepts (self->driver->core, FALSE);

  unref_queue (&self->asked);
  unref_queue (&self->incoming);
  unref_queue (&self->arrivals);
  seqex_endpoint_clear_foreign (self);
  g_ptr_array_set_size (self->connections, 0);
  if (self->driver->owner != NULL)
    seqex_driver_set_owner (self->driver, NULL, NULL);

  G_OBJECT_CLASS (seqex_endpoint_parent_class)->dispose (object);
}

static void
seqex_endpoint_finalize (GObject *object)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (object);

  g_clear_pointer (&self->questions, g_hash_table_unref);
  g_clear_pointer (&self->driver, seqex_driver_unref);
  g_ptr_array_unref (self->connections);
  g_clear_object (&self->identity);
  g_clear_object (&self->trust_store);
  g_clear_object (&self->local_address);
  g_clear_pointer (&self->application_id, g_ref_string_release);
  if (self->shared_secret != NULL)
    seqex_crypto_table ()->wipe (self->shared_secret, strlen (self->shared_secret));
  g_free (self->shared_secret);
  g_clear_error (&self->failure);

  G_OBJECT_CLASS (seqex_endpoint_parent_class)->finalize (object);
}

static void
install_signals (void)
{
  /**
   * SeqexEndpoint::connection:
   * @self: the endpoint
   * @connection: the connection
   *
   * A peer opened a connection, and is trusted.
   *
   * As long as no handler is connected and nobody calls
   * [method@Seqex.Endpoint.accept_async], connections wait. What a peer has sent already waits for
   * the handlers that are connected to the connection here.
   */
  signals[SIGNAL_CONNECTION] = g_signal_new ("connection", SEQEX_TYPE_ENDPOINT, G_SIGNAL_RUN_LAST,
                                             0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                                             SEQEX_TYPE_CONNECTION);

  /**
   * SeqexEndpoint::authorize:
   * @self: the endpoint
   * @authorization: the question
   *
   * Somebody has proved to own a key about which nothing else decides: may that be a peer?
   *
   * A handler that returns `TRUE` has taken the question, and answers it when it likes. If every
   * handler returns `FALSE` the peer is rejected.
   *
   * Returns: `TRUE` if the handler has taken the question
   */
  signals[SIGNAL_AUTHORIZE] = g_signal_new ("authorize", SEQEX_TYPE_ENDPOINT, G_SIGNAL_RUN_LAST, 0,
                                            g_signal_accumulator_true_handled, NULL, NULL,
                                            G_TYPE_BOOLEAN, 1, SEQEX_TYPE_AUTHORIZATION);

  /**
   * SeqexEndpoint::foreign-datagram:
   * @self: the endpoint
   * @address: where it came from
   * @payload: what arrived
   *
   * A datagram of another protocol arrived, whose first byte is not one of 4 to 15.
   *
   * Such datagrams do not wait: without a handler they are dropped.
   */
  signals[SIGNAL_FOREIGN_DATAGRAM] = g_signal_new ("foreign-datagram", SEQEX_TYPE_ENDPOINT,
                                                   G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                                   G_TYPE_NONE, 2, G_TYPE_SOCKET_ADDRESS,
                                                   G_TYPE_BYTES);
}

static void
seqex_endpoint_class_init (SeqexEndpointClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = seqex_endpoint_constructed;
  object_class->dispose = seqex_endpoint_dispose;
  object_class->finalize = seqex_endpoint_finalize;

  seqex_endpoint_install_properties (object_class);
  install_signals ();
}

static void
seqex_endpoint_init (SeqexEndpoint *self)
{
  seqex_connection_init_config (&self->config);
  self->connections = g_ptr_array_new_with_free_func (g_object_unref);
  self->driver = seqex_driver_new ();
}

/**
 * seqex_endpoint_new:
 * @identity: (nullable): who this side is, or `NULL` for somebody new
 *
 * Makes an endpoint.
 *
 * To set properties that can only be set at construction, such as
 * [property@Seqex.Endpoint:application-id], use `g_object_new()`.
 *
 * Returns: (transfer full): a new endpoint
 */
SeqexEndpoint *
seqex_endpoint_new (SeqexIdentity *identity)
{
  g_return_val_if_fail (identity == NULL || SEQEX_IS_IDENTITY (identity), NULL);

  return g_object_new (SEQEX_TYPE_ENDPOINT, "identity", identity, NULL);
}

/**
 * seqex_endpoint_open_plain_connection:
 * @self: an endpoint
 * @address: where the peer is, an IPv4 or IPv6 address
 * @instance: a number that both peers agree on
 * @error: where to put an error
 *
 * Makes a connection that is not encrypted, beside those that are.
 *
 * There is no handshake: the peer does the same with the address of this endpoint. Whoever can send
 * datagrams with the address of the peer can pass for it, so this is for a network that is trusted.
 *
 * Errors are %G_IO_ERROR_EXISTS if there is a connection of that instance to that address,
 * %G_IO_ERROR_NOT_SUPPORTED for an address of another kind, %G_IO_ERROR_CLOSED if the endpoint is
 * closed, and those of binding a socket.
 *
 * Returns: (transfer full): a new connection
 */
SeqexConnection *
seqex_endpoint_open_plain_connection (SeqexEndpoint   *self,
                                      GSocketAddress  *address,
                                      guint            instance,
                                      GError         **error)
{
  sqx_config config;
  sqx_address where;
  sqx_conn *core;
  GError *failure;
  SeqexConnection *connection;

  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET_ADDRESS (address), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC))
    return NULL;

  failure = seqex_endpoint_get_failure (self);
  if (failure == NULL && !seqex_address_from_gio (&where, address))
    failure = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                                   "The address is neither an IPv4 nor an IPv6 address");
  if (failure != NULL || !seqex_endpoint_ensure_bound (self, &failure))
    {
      g_propagate_error (error, failure);
      return NULL;
    }

  config = self->config;
  config.instance = instance;
  core = sqx_endpoint_add_plain (self->driver->core, seqex_driver_time (self->driver), &config,
                                 &where, NULL);
  if (core == NULL)
    {
      g_autofree char *text = seqex_address_to_string (&where);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS,
                   "There is a connection of instance %u to %s", instance, text);
      return NULL;
    }
  connection = seqex_endpoint_adopt (self, core, &config, NULL);
  seqex_endpoint_announce (self, connection);
  return connection;
}

/**
 * seqex_endpoint_accept_async:
 * @self: an endpoint
 * @cancellable: (nullable): to stop waiting
 * @callback: (nullable) (scope async) (closure user_data): called when a connection is there, or
 *   when none comes any more
 * @user_data: for @callback
 *
 * Waits for the next connection that a peer opens.
 *
 * This is the other form of [signal@Seqex.Endpoint::connection], and goes before it. If
 * @cancellable is cancelled no connection is lost: it goes to the next one who asks.
 *
 * Finish with [method@Seqex.Endpoint.accept_finish].
 */
void
seqex_endpoint_accept_async (SeqexEndpoint       *self,
                             GCancellable        *cancellable,
                             GAsyncReadyCallback  callback,
                             gpointer             user_data)
{
  const SeqexCall *call = SEQEX_CALL (seqex_endpoint_accept_async);

  g_return_if_fail (SEQEX_IS_ENDPOINT (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC))
    return;

  if (self->failure != NULL || (self->is_closing && self->incoming.length == 0))
    {
      seqex_result_return_later (self->driver->context, call, NULL,
                                 self->failure != NULL ? g_error_copy (self->failure) : NULL);
      return;
    }
  seqex_wait_new_for_endpoint (self->driver, G_OBJECT (self), &self->done,
                               SEQEX_WAIT_ENDPOINT_ACCEPT, &self->accepting, call);
  seqex_endpoint_mark_ready (self);
}

/**
 * seqex_endpoint_accept_finish:
 * @self: an endpoint
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Endpoint.accept_async].
 *
 * The errors are %G_IO_ERROR_CANCELLED, and why the transport failed if it did.
 *
 * Returns: (transfer full) (nullable): the connection, or `NULL` without an error if the endpoint
 *   was closed
 */
SeqexConnection *
seqex_endpoint_accept_finish (SeqexEndpoint  *self,
                              GAsyncResult   *result,
                              GError        **error)
{
  return seqex_result_propagate_pointer (result, self, seqex_endpoint_accept_async,
                                         G_STRFUNC, error);
}

/**
 * seqex_endpoint_close_async:
 * @self: an endpoint
 * @cancellable: (nullable): to stop finishing what was begun
 * @callback: (nullable) (scope async) (closure user_data): called when everything is closed
 * @user_data: for @callback
 *
 * Closes every connection in good order, as [method@Seqex.Connection.close_async] does, and then
 * lets the socket go.
 *
 * Nothing is opened or accepted from now on. If @cancellable is cancelled the connections are
 * closed at once, and everything fails. Closing a closed endpoint does nothing.
 *
 * Finish with [method@Seqex.Endpoint.close_finish].
 */
void
seqex_endpoint_close_async (SeqexEndpoint       *self,
                            GCancellable        *cancellable,
                            GAsyncReadyCallback  callback,
                            gpointer             user_data)
{
  const SeqexCall *call = SEQEX_CALL (seqex_endpoint_close_async);
  SeqexWait *wait;

  g_return_if_fail (SEQEX_IS_ENDPOINT (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC))
    return;

  if (self->closed || self->driver->core == NULL)
    {
      seqex_result_return_later (self->driver->context, call, NULL, NULL);
      return;
    }

  wait = seqex_wait_new_for_endpoint (self->driver, G_OBJECT (self), &self->done,
                                      SEQEX_WAIT_ENDPOINT_CLOSE, &self->closing, call);
  wait->abandoned = close_abandoned;
  begin_close (self);
  seqex_endpoint_mark_ready (self);
}

/**
 * seqex_endpoint_close_finish:
 * @self: an endpoint
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Endpoint.close_async].
 *
 * The endpoint is closed in any case. An error says what was lost by it: %SEQEX_ERROR_FAILED if
 * some messages were not delivered or not answered, and the error's message says how many;
 * %G_IO_ERROR_CANCELLED if the operation was cancelled.
 *
 * Returns: `TRUE` if nothing was lost
 */
gboolean
seqex_endpoint_close_finish (SeqexEndpoint  *self,
                             GAsyncResult   *result,
                             GError        **error)
{
  return seqex_result_propagate_boolean (result, self, seqex_endpoint_close_async,
                                         G_STRFUNC, error);
}
