/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How an endpoint gets its transport, and what others send over it.
 */
#include "config.h"

#include "seqex-endpoint-private.h"

#include <netinet/in.h>

#include "seqex-refusal-private.h"
#include "seqex-udp-private.h"

/* Datagrams of others that wait to be told. */
#define FOREIGN_MAX 64u

typedef struct
{
  GSocketAddress *from;
  GBytes         *payload;
} Foreign;

/* Binding -------------------------------------------------------------------------------- */

static gboolean
check_unbound (SeqexEndpoint  *self,
               GError        **error)
{
  g_autofree char *address = NULL;
  GError *failure = seqex_endpoint_get_failure (self);

  if (failure != NULL)
    {
      g_propagate_error (error, failure);
      return FALSE;
    }
  if (!self->bound)
    return TRUE;

  if (self->local_address != NULL)
    address = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (self->local_address));
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS, "The endpoint is bound already, to %s",
               address != NULL ? address : "a transport without an address");
  return FALSE;
}

static GSocket *
new_socket (GSocketAddress  *address,
            GError         **error)
{
  g_autofree char *text = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GError) failure = NULL;

  if (!G_IS_INET_SOCKET_ADDRESS (address))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   "%s is neither an IPv4 nor an IPv6 address", text);
      return NULL;
    }

  socket = g_socket_new (g_socket_address_get_family (address), G_SOCKET_TYPE_DATAGRAM,
                         G_SOCKET_PROTOCOL_UDP, &failure);
  /* The address that stands for all IPv6 ones stands for all IPv4 ones, too. */
  if (socket != NULL && g_socket_get_family (socket) == G_SOCKET_FAMILY_IPV6)
    g_socket_set_option (socket, IPPROTO_IPV6, IPV6_V6ONLY, FALSE, NULL);
  if (socket != NULL)
    seqex_udp_enlarge (socket);
  if (socket != NULL && g_socket_bind (socket, address, FALSE, &failure))
    return g_steal_pointer (&socket);

  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE,
                 "The address %s is in use by another socket", text);
  else
    g_set_error (error, failure->domain, failure->code, "Cannot bind to %s: %s", text,
                 failure->message);
  return NULL;
}

static void
take_transport (SeqexEndpoint  *self,
                GDatagramBased *transport,
                gboolean        accepts)
{
  if (G_IS_SOCKET (transport))
    {
      GSocket *socket = G_SOCKET (transport);

      self->local_address = g_socket_get_local_address (socket, NULL);
      seqex_refusal_watch (socket);
      /* What peers send must not fill the socket by a few datagrams. */
      self->config.max_datagram_size = seqex_udp_largest (socket);
      sqx_endpoint_set_max_datagram_size (self->driver->core, self->config.max_datagram_size);
      /* It would end in an error when nobody sends anything. */
      g_socket_set_timeout (socket, 0);
    }
  self->bound = TRUE;
  self->accepts = accepts;
  sqx_endpoint_set_accepts (self->driver->core, accepts);
  seqex_driver_set_transport (self->driver, transport, TRUE);
  seqex_driver_watch_network (self->driver);
  seqex_endpoint_notify_local_address (self);
}

/**
 * seqex_endpoint_bind:
 * @self: an endpoint
 * @address: an IPv4 or IPv6 address with a port; port 0 for any
 * @error: where to put an error
 *
 * Binds the endpoint to an address, so that peers can open connections.
 *
 * The address `::` stands for every address of the machine, IPv4 ones included, where the system
 * has IPv6. [property@Seqex.Endpoint:local-address] says the port afterwards.
 *
 * Errors are %G_IO_ERROR_ADDRESS_IN_USE, which names the address; %G_IO_ERROR_EXISTS if the
 * endpoint is bound already; %G_IO_ERROR_NOT_SUPPORTED for an address of another kind;
 * %G_IO_ERROR_CLOSED if the endpoint is closed; and those of binding a socket.
 *
 * Returns: `TRUE` if the endpoint is bound
 */
gboolean
seqex_endpoint_bind (SeqexEndpoint   *self,
                     GSocketAddress  *address,
                     GError         **error)
{
  g_autoptr (GSocket) socket = NULL;

  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), FALSE);
  g_return_val_if_fail (G_IS_SOCKET_ADDRESS (address), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC) || !check_unbound (self, error))
    return FALSE;

  socket = new_socket (address, error);
  if (socket == NULL)
    return FALSE;
  take_transport (self, G_DATAGRAM_BASED (socket), TRUE);
  return TRUE;
}

/**
 * seqex_endpoint_rebind:
 * @self: an endpoint
 * @address: an IPv4 or IPv6 address with a port; port 0 for any
 * @error: where to put an error
 *
 * Moves the endpoint to another address of this machine. Its connections follow.
 *
 * The old transport is not used any more, and what was on its way to it is sent again. Peers of a
 * connection with something open hear of the new address at once, others with the next thing that
 * is sent to them; each makes sure of it before it uses it. A connection whose peer sends to the
 * old address only, because this side has nothing to say, is not found any more.
 *
 * An endpoint that is not bound is bound, as by [method@Seqex.Endpoint.bind].
 *
 * Errors are as in [method@Seqex.Endpoint.bind], but for %G_IO_ERROR_EXISTS. After an error the
 * endpoint is where it was. It is not possible to bind to the port that the endpoint has already,
 * on addresses that include the old one.
 *
 * Returns: `TRUE` if the endpoint has moved
 */
gboolean
seqex_endpoint_rebind (SeqexEndpoint   *self,
                       GSocketAddress  *address,
                       GError         **error)
{
  g_autoptr (GSocket) socket = NULL;
  GError *failure;

  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), FALSE);
  g_return_val_if_fail (G_IS_SOCKET_ADDRESS (address), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);
  if (!self->bound)
    return seqex_endpoint_bind (self, address, error);
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC))
    return FALSE;

  failure = seqex_endpoint_get_failure (self);
  if (failure != NULL)
    {
      g_propagate_error (error, failure);
      return FALSE;
    }
  socket = new_socket (address, error);
  if (socket == NULL)
    return FALSE;

  seqex_driver_close_transport (self->driver);
  g_clear_object (&self->local_address);
  take_transport (self, G_DATAGRAM_BASED (socket), self->accepts);
  sqx_endpoint_handle_network_changed (self->driver->core, seqex_driver_time (self->driver));
  seqex_driver_mark_ready (self->driver);
  return TRUE;
}

static gboolean
check_socket (GSocket  *socket,
              GError  **error)
{
  GSocketFamily family = g_socket_get_family (socket);
  g_autoptr (GSocketAddress) remote = NULL;

  if (g_socket_is_closed (socket))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The socket is closed");
  else if (g_socket_get_socket_type (socket) != G_SOCKET_TYPE_DATAGRAM)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                         "The socket is not a datagram socket");
  else if (family != G_SOCKET_FAMILY_IPV4 && family != G_SOCKET_FAMILY_IPV6)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                         "The socket is neither of IPv4 nor of IPv6");
  else if ((remote = g_socket_get_remote_address (socket, NULL)) != NULL)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                         "The socket is connected to a peer; make a SeqexConnection of it instead");
  else
    return TRUE;
  return FALSE;
}

/* A socket gets a port with the first datagram that it sends, which would be too late. */
static gboolean
bind_to_any_port (GSocket  *socket,
                  GError  **error)
{
  g_autoptr (GSocketAddress) local = g_socket_get_local_address (socket, error);
  g_autoptr (GInetAddress) any = NULL;
  g_autoptr (GSocketAddress) address = NULL;

  if (local == NULL)
    return FALSE;
  if (g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (local)) != 0)
    return TRUE;

  any = g_inet_address_new_any (g_socket_get_family (socket));
  address = g_inet_socket_address_new (any, 0);
  return g_socket_bind (socket, address, FALSE, error);
}

/**
 * seqex_endpoint_bind_socket:
 * @self: an endpoint
 * @socket: a datagram socket of IPv4 or IPv6 that is not connected
 * @error: where to put an error
 *
 * Lets the endpoint use a socket that was made elsewhere, so that peers can open connections.
 *
 * That is how a service that systemd activates gets its socket: with `ListenDatagram=` in the
 * socket unit, descriptor 3 is the first of the `LISTEN_FDS` sockets if `LISTEN_PID` is the
 * process, and [ctor@Gio.Socket.new_from_fd] makes the socket of it.
 *
 * A socket that is not bound is bound to any port. From now on nobody else should read from it. As
 * long as it is used, it sends no fragments, and the kernel may join datagrams that come. The sizes
 * of its buffers are left as they are.
 *
 * Errors are as in [method@Seqex.Endpoint.bind]; %G_IO_ERROR_NOT_SUPPORTED says what is wrong with
 * the socket.
 *
 * Returns: `TRUE` if the endpoint is bound
 */
gboolean
seqex_endpoint_bind_socket (SeqexEndpoint  *self,
                            GSocket        *socket,
                            GError        **error)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), FALSE);
  g_return_val_if_fail (G_IS_SOCKET (socket), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC) || !check_unbound (self, error)
      || !check_socket (socket, error) || !bind_to_any_port (socket, error))
    return FALSE;

  take_transport (self, G_DATAGRAM_BASED (socket), TRUE);
  return TRUE;
}

/**
 * seqex_endpoint_bind_transport:
 * @self: an endpoint
 * @transport: what carries datagrams
 * @error: where to put an error
 *
 * Lets the endpoint use something else than a socket.
 *
 * The transport gives and takes the addresses of datagrams, which are of IPv4 or IPv6, and works
 * without waiting: the endpoint only uses it with a time-out of 0, and waits for the sources that
 * it makes. It carries at least 1200 bytes.
 *
 * Errors are as in [method@Seqex.Endpoint.bind_socket].
 *
 * Returns: `TRUE` if the endpoint is bound
 */
gboolean
seqex_endpoint_bind_transport (SeqexEndpoint   *self,
                               GDatagramBased  *transport,
                               GError         **error)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), FALSE);
  g_return_val_if_fail (G_IS_DATAGRAM_BASED (transport), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);
  if (G_IS_SOCKET (transport))
    return seqex_endpoint_bind_socket (self, G_SOCKET (transport), error);
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC) || !check_unbound (self, error))
    return FALSE;

  take_transport (self, transport, TRUE);
  return TRUE;
}

gboolean
seqex_endpoint_ensure_bound (SeqexEndpoint  *self,
                             GError        **error)
{
  const GSocketFamily families[] = { G_SOCKET_FAMILY_IPV6, G_SOCKET_FAMILY_IPV4 };
  g_autoptr (GError) failure = NULL;

  if (self->bound)
    return TRUE;

  for (guint i = 0; i < G_N_ELEMENTS (families); i++)
    {
      g_autoptr (GInetAddress) any = g_inet_address_new_any (families[i]);
      g_autoptr (GSocketAddress) address = g_inet_socket_address_new (any, 0);
      g_autoptr (GSocket) socket = NULL;

      g_clear_error (&failure);
      socket = new_socket (address, &failure);
      if (socket != NULL)
        {
          take_transport (self, G_DATAGRAM_BASED (socket), FALSE);
          return TRUE;
        }
    }
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
seqex_endpoint_can_reach (SeqexEndpoint     *self,
                          const sqx_address *address)
{
  GSocket *socket;

  if (!G_IS_SOCKET (self->driver->transport))
    return self->driver->transport != NULL;
  socket = G_SOCKET (self->driver->transport);
  if (address->host_size == 4)
    return g_socket_speaks_ipv4 (socket);
  return g_socket_get_family (socket) == G_SOCKET_FAMILY_IPV6;
}

/* Datagrams of others -------------------------------------------------------------------- */

static void
free_foreign (Foreign *foreign)
{
  g_object_unref (foreign->from);
  g_bytes_unref (foreign->payload);
  g_free (foreign);
}

void
seqex_endpoint_take_foreign (SeqexEndpoint     *self,
                             const sqx_address *from,
                             const guint8      *data,
                             gsize              size)
{
  Foreign *foreign;

  if (self->foreign.length >= FOREIGN_MAX || !seqex_endpoint_has_handler (self, "foreign-datagram"))
    return;

  foreign = g_new (Foreign, 1);
  foreign->from = seqex_address_to_gio (from);
  foreign->payload = g_bytes_new (data, size);
  g_queue_push_tail (&self->foreign, foreign);
}

void
seqex_endpoint_emit_foreign (SeqexEndpoint *self)
{
  Foreign *foreign = g_queue_pop_head (&self->foreign);

  g_signal_emit_by_name (self, "foreign-datagram", foreign->from, foreign->payload);
  free_foreign (foreign);
}

void
seqex_endpoint_clear_foreign (SeqexEndpoint *self)
{
  g_queue_clear_full (&self->foreign, (GDestroyNotify) free_foreign);
}

static GError *
check_foreign (const guint8 *data,
               gsize         size)
{
  if (size == 0)
    return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The datagram is empty");
  if (data[0] >= 4 && data[0] <= 15)
    return g_error_new (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        "The first byte of the datagram is %u, but 4 to 15 are for Seqex", data[0]);
  return NULL;
}

/**
 * seqex_endpoint_send_foreign_datagram:
 * @self: an endpoint
 * @address: where to, an IPv4 or IPv6 address
 * @payload: what to send
 * @error: where to put an error
 *
 * Sends a datagram of another protocol from the address of the endpoint, such as one of STUN.
 *
 * It is sent as it is, at once or not at all, and may be lost. So that the receiver can tell it
 * from datagrams of Seqex, its first byte is not one of 4 to 15.
 *
 * Errors are %G_IO_ERROR_INVALID_ARGUMENT for a payload that is empty or begins otherwise,
 * %G_IO_ERROR_NOT_SUPPORTED for an address of another kind, %G_IO_ERROR_WOULD_BLOCK if the system
 * has no room at the moment, %G_IO_ERROR_CLOSED, and those of sending.
 *
 * Returns: `TRUE` if it was sent
 */
gboolean
seqex_endpoint_send_foreign_datagram (SeqexEndpoint   *self,
                                      GSocketAddress  *address,
                                      GBytes          *payload,
                                      GError         **error)
{
  g_autoptr (GSocketAddress) to = NULL;
  sqx_address where;
  GOutputVector vector;
  GOutputMessage message = { .vectors = &vector, .num_vectors = 1 };
  const guint8 *data;
  GError *failure;

  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), FALSE);
  g_return_val_if_fail (G_IS_SOCKET_ADDRESS (address), FALSE);
  g_return_val_if_fail (payload != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC))
    return FALSE;

  data = g_bytes_get_data (payload, &vector.size);
  vector.buffer = data;
  failure = check_foreign (data, vector.size);
  if (failure == NULL && !seqex_address_from_gio (&where, address))
    failure = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                                   "The address is neither an IPv4 nor an IPv6 address");
  if (failure == NULL)
    failure = seqex_endpoint_get_failure (self);
  if (failure != NULL || !seqex_endpoint_ensure_bound (self, &failure))
    {
      g_propagate_error (error, failure);
      return FALSE;
    }

  to = seqex_address_to_gio (&where);
  message.address = to;
  return g_datagram_based_send_messages (self->driver->transport, &message, 1, 0, 0, NULL,
                                         error) == 1;
}
