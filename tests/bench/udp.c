/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * UDP in a GLib loop and nothing else: what the kernel and the loop allow. Nothing is resent, so a
 * lost datagram stops it. The calls are recvmsg() and sendmsg() on the descriptor itself, from one
 * source per process.
 *
 *   gsocket          one message per datagram by GSocket and its source, as a GLib program has it
 *                    that does not go below GIO
 *   single           one message per datagram, one call per datagram
 *   coalesced        all messages that are ready share a datagram
 *   gso              one message per datagram, all that are ready in one call; the kernel cuts them
 *                    apart on the way out (UDP_SEGMENT) and gives them together on the way in
 *                    (UDP_GRO)
 *   …-aead           the same, each datagram sealed with AES-256-GCM by GnuTLS: 9 bytes of header
 *                    and 16 of tag, as much as Seqex adds
 *
 * Bulk: a message is cut into datagrams (sent in one call with gso) and put together in a buffer of
 * its own at the receiver, which says after each message that it came; a few are on their way.
 */
#include <errno.h>
#include <gio/gio.h>
#include <gnutls/crypto.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

#define HEADER_SIZE 9u
#define TAG_SIZE 16u
#define NONCE_SIZE 12u
#define BURST_MAX 65507u
#define SEGMENTS_MAX 64u
#define READS_MAX 64u /* in one wake */
#define BULK_WINDOW 3u /* messages that the smallest usual receive buffer holds */
#define SOCKET_BUFFER (8 * 1024 * 1024)

typedef struct
{
  GSource                  source;
  Bench                   *bench;
  gpointer                 tag;
  int                      fd;
  GSocket                 *socket;  /* or NULL: the descriptor itself is used */
  GSocketAddress          *address; /* of the peer, at the server */
  gboolean                 serves;
  gboolean                 coalesced;
  gboolean                 gso;
  struct sockaddr_storage  peer;
  socklen_t                peer_size;

  gnutls_aead_cipher_hd_t  seal;
  gnutls_aead_cipher_hd_t  open;
  guint64                  seal_number;
  guint64                  open_number;

  /* What is to be sent: datagrams of segment bytes each but the last. */
  guint8                   out[BURST_MAX + 1];
  gsize                    out_size;
  gsize                    out_started; /* where the datagram begins that is being filled */
  gsize                    segment;
  guint                    segments;
  guint8                   in[BURST_MAX + 1];

  guint8                  *whole; /* a message of the bulk work that is being put together */
  gsize                    whole_size;
  guint64                  confirmed;
} Peer;

/* Sealing ----------------------------------------------------------------------------- */

static gnutls_aead_cipher_hd_t
new_cipher (guint8 direction)
{
  guint8 key[32] = { direction };
  const gnutls_datum_t datum = { key, sizeof key };
  gnutls_aead_cipher_hd_t handle;

  if (gnutls_aead_cipher_init (&handle, GNUTLS_CIPHER_AES_256_GCM, &datum) != 0)
    bench_fail ("no AES-256-GCM");
  return handle;
}

static gsize
head_size (Peer *self)
{
  return self->seal != NULL ? HEADER_SIZE : 0;
}

static gsize
tag_size (Peer *self)
{
  return self->seal != NULL ? TAG_SIZE : 0;
}

static void
seal (Peer   *self,
      guint8 *datagram,
      gsize   size)
{
  guint8 nonce[NONCE_SIZE] = { 0 };
  gsize room = size - HEADER_SIZE;

  datagram[0] = 8;
  memcpy (datagram + 1, &self->seal_number, sizeof self->seal_number);
  memcpy (nonce, &self->seal_number, sizeof self->seal_number);
  self->seal_number++;
  if (gnutls_aead_cipher_encrypt (self->seal, nonce, sizeof nonce, datagram, HEADER_SIZE, TAG_SIZE,
                                  datagram + HEADER_SIZE, size - HEADER_SIZE - TAG_SIZE,
                                  datagram + HEADER_SIZE, &room) != 0)
    bench_fail ("sealing failed");
}

static void
unseal (Peer   *self,
        guint8 *datagram,
        gsize   size)
{
  guint8 nonce[NONCE_SIZE] = { 0 };
  gsize room = size;

  if (size < HEADER_SIZE + TAG_SIZE)
    bench_fail ("a datagram of %zu bytes", size);
  memcpy (nonce, datagram + 1, sizeof self->open_number);
  if (gnutls_aead_cipher_decrypt (self->open, nonce, sizeof nonce, datagram, HEADER_SIZE, TAG_SIZE,
                                  datagram + HEADER_SIZE, size - HEADER_SIZE,
                                  datagram + HEADER_SIZE, &room) != 0)
    bench_fail ("opening failed");
}

/* Sending ----------------------------------------------------------------------------- */

static void
send_by_gsocket (Peer *self)
{
  g_autoptr (GError) error = NULL;

  if (g_socket_send_to (self->socket, self->address, (const char *) self->out, self->out_size, NULL,
                        &error) < 0)
    bench_fail ("%s", error->message);
}

static void
send_by_descriptor (Peer *self)
{
  struct iovec vector = { self->out, self->out_size };
  char control[CMSG_SPACE (sizeof (guint16))] = { 0 };
  struct msghdr message = {
    .msg_name = self->peer_size != 0 ? &self->peer : NULL,
    .msg_namelen = self->peer_size,
    .msg_iov = &vector,
    .msg_iovlen = 1,
  };

  if (self->segments > 1)
    {
      guint16 segment = (guint16) self->segment;
      struct cmsghdr *header;

      message.msg_control = control;
      message.msg_controllen = sizeof control;
      header = CMSG_FIRSTHDR (&message);
      header->cmsg_level = SOL_UDP;
      header->cmsg_type = UDP_SEGMENT;
      header->cmsg_len = CMSG_LEN (sizeof segment);
      memcpy (CMSG_DATA (header), &segment, sizeof segment);
    }
  if (sendmsg (self->fd, &message, 0) < 0)
    bench_fail ("sendmsg: %s", g_strerror (errno));
}

static void
send_burst (Peer *self)
{
  if (self->out_size == 0)
    return;
  if (self->socket != NULL)
    send_by_gsocket (self);
  else
    send_by_descriptor (self);
  self->out_size = 0;
  self->out_started = 0;
  self->segments = 0;
}

/* The datagram that is being filled is complete. */
static void
end_datagram (Peer *self)
{
  gsize size = self->out_size - self->out_started + tag_size (self);

  if (self->out_size == self->out_started)
    return;
  self->out_size += tag_size (self);
  if (self->seal != NULL)
    seal (self, self->out + self->out_started, size);
  self->out_started = self->out_size;
  if (self->segments++ == 0)
    self->segment = size;
  /* Datagrams of one call are of one size, and only the last may be smaller. */
  g_assert (size <= self->segment);
  if (!self->gso || size != self->segment || self->segments == SEGMENTS_MAX
      || self->out_size + self->segment > BURST_MAX)
    send_burst (self);
}

static void
flush (Peer *self)
{
  end_datagram (self);
  send_burst (self);
}

/* Room in a datagram for @size bytes, which the caller fills at once. */
static guint8 *
put (Peer  *self,
     gsize  size)
{
  gsize limit = bench_datagram_size (self->bench) - tag_size (self);
  gsize filled = self->out_size - self->out_started;
  guint8 *at;

  if (filled != 0 && (!self->coalesced || filled + sizeof (guint16) + size > limit))
    {
      end_datagram (self);
      filled = 0;
    }
  if (filled == 0)
    self->out_size += head_size (self);
  if (self->coalesced)
    {
      guint16 length = (guint16) size;

      memcpy (self->out + self->out_size, &length, sizeof length);
      self->out_size += sizeof length;
    }
  at = self->out + self->out_size;
  self->out_size += size;
  return at;
}

/* Bulk: a message is cut into datagrams of the largest size. */
static void
send_message (Peer         *self,
              const guint8 *message)
{
  gsize size = bench_size (self->bench);
  gsize step = bench_datagram_size (self->bench) - head_size (self) - tag_size (self);

  for (gsize at = 0; at < size; at += step)
    {
      gsize part = MIN (step, size - at);

      memcpy (put (self, part), message + at, part);
    }
  flush (self);
}

static void
fill_window (Peer *self)
{
  gconstpointer message;

  while (bench_bulk_sent (self->bench) - self->confirmed < BULK_WINDOW
         && bench_bulk (self->bench, &message))
    send_message (self, message);
}

/* Receiving --------------------------------------------------------------------------- */

static void
take_request (Peer   *self,
              guint8 *payload,
              gsize   size)
{
  guint slot;

  if (self->serves)
    memcpy (put (self, size), payload, size);
  else if (bench_reply (self->bench, payload, size, &slot))
    bench_request (self->bench, slot, put (self, bench_size (self->bench)));
}

static void
take_bulk (Peer   *self,
           guint8 *payload,
           gsize   size)
{
  gsize wanted = bench_size (self->bench);

  if (!self->serves)
    {
      memcpy (&self->confirmed, payload, sizeof self->confirmed);
      fill_window (self);
      return;
    }
  if (self->whole == NULL)
    self->whole = g_malloc (wanted);
  if (self->whole_size + size > wanted)
    bench_fail ("more bytes than a message has: something was lost");
  memcpy (self->whole + self->whole_size, payload, size);
  self->whole_size += size;
  if (self->whole_size < wanted)
    return;
  bench_received (self->bench, self->whole, wanted);
  g_clear_pointer (&self->whole, g_free);
  self->whole_size = 0;
  self->confirmed++;
  memcpy (put (self, sizeof self->confirmed), &self->confirmed, sizeof self->confirmed);
  flush (self);
}

static void
take_datagram (Peer   *self,
               guint8 *datagram,
               gsize   size)
{
  guint8 *at = datagram + head_size (self);
  guint8 *end = datagram + size - tag_size (self);

  if (self->open != NULL)
    unseal (self, datagram, size);
  while (at < end)
    {
      guint16 length = (guint16) (end - at);

      if (self->coalesced)
        {
          memcpy (&length, at, sizeof length);
          at += sizeof length;
        }
      if (bench_work (self->bench) == WORK_BULK)
        take_bulk (self, at, length);
      else
        take_request (self, at, length);
      at += length;
    }
}

static gboolean
receive_by_gsocket (Peer *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketAddress) from = NULL;
  gssize size;

  size = g_socket_receive_from (self->socket, self->serves ? &from : NULL, (char *) self->in,
                                sizeof self->in, NULL, &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return FALSE;
  if (size < 0)
    bench_fail ("%s", error->message);
  if (self->serves)
    g_set_object (&self->address, from);
  take_datagram (self, self->in, (gsize) size);
  return TRUE;
}

static gboolean
receive_by_descriptor (Peer *self)
{
  struct iovec vector = { self->in, sizeof self->in };
  char control[CMSG_SPACE (sizeof (int))];
  struct msghdr message = {
    .msg_name = self->serves ? &self->peer : NULL,
    .msg_namelen = self->serves ? sizeof self->peer : 0,
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = self->gso ? control : NULL,
    .msg_controllen = self->gso ? sizeof control : 0,
  };
  gssize size = recvmsg (self->fd, &message, MSG_DONTWAIT);
  gsize segment;

  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return FALSE;
  if (size < 0)
    bench_fail ("recvmsg: %s", g_strerror (errno));
  if (self->serves)
    self->peer_size = message.msg_namelen;
  segment = (gsize) size;
  for (struct cmsghdr *header = CMSG_FIRSTHDR (&message); header != NULL;
       header = CMSG_NXTHDR (&message, header))
    if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO)
      {
        int given;

        memcpy (&given, CMSG_DATA (header), sizeof given);
        segment = (gsize) given;
      }
  for (gsize at = 0; at < (gsize) size; at += segment)
    take_datagram (self, self->in + at, MIN (segment, (gsize) size - at));
  return TRUE;
}

/* The loop ---------------------------------------------------------------------------- */

static gboolean
dispatch (GSource     *source,
          GSourceFunc  callback,
          gpointer     user_data)
{
  Peer *self = (Peer *) source;
  /* With one message on its way there is nothing behind it to look for. */
  gboolean one = bench_work (self->bench) == WORK_REQUESTS && bench_depth (self->bench) == 1;

  for (guint i = 0; i < READS_MAX; i++)
    if (!(self->socket != NULL ? receive_by_gsocket (self) : receive_by_descriptor (self)) || one)
      break;
  flush (self);
  return G_SOURCE_CONTINUE;
}

static gboolean
ready_cb (GSocket      *socket,
          GIOCondition  condition,
          gpointer      user_data)
{
  return dispatch (user_data, NULL, NULL);
}

static int
new_socket (gboolean gso)
{
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int size = SOCKET_BUFFER;
  int on = 1;

  if (fd < 0)
    bench_fail ("socket: %s", g_strerror (errno));
  /* As root only; others keep what the system gives. */
  setsockopt (fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  setsockopt (fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  if (gso)
    setsockopt (fd, SOL_UDP, UDP_GRO, &on, sizeof on);
  return fd;
}

static Peer *
new_peer (Bench    *bench,
          gboolean  serves)
{
  static GSourceFuncs functions = { .dispatch = dispatch };
  Peer *self = (Peer *) g_source_new (&functions, sizeof *self);
  gboolean aead = bench_is (bench, "single-aead") || bench_is (bench, "coalesced-aead")
                  || bench_is (bench, "gso-aead") || bench_is (bench, "gsocket-aead");

  self->bench = bench;
  self->serves = serves;
  /* Bulk has nothing to put together: its datagrams are full. */
  self->coalesced = bench_work (bench) == WORK_REQUESTS
                    && (bench_is (bench, "coalesced") || bench_is (bench, "coalesced-aead"));
  self->gso = bench_is (bench, "gso") || bench_is (bench, "gso-aead");
  self->fd = new_socket (self->gso);
  if (aead)
    {
      self->seal = new_cipher (serves ? 1 : 2);
      self->open = new_cipher (serves ? 2 : 1);
    }
  if (!bench_is (bench, "gsocket") && !bench_is (bench, "gsocket-aead"))
    {
      self->tag = g_source_add_unix_fd (&self->source, self->fd, G_IO_IN);
      g_source_attach (&self->source, NULL);
    }
  return self;
}

/* Once the descriptor is bound or connected. */
static void
use_gsocket (Peer *self)
{
  g_autoptr (GError) error = NULL;
  GSource *source;

  if (self->tag != NULL)
    return;
  self->socket = g_socket_new_from_fd (self->fd, &error);
  if (self->socket == NULL)
    bench_fail ("%s", error->message);
  g_socket_set_blocking (self->socket, FALSE);
  source = g_socket_create_source (self->socket, G_IO_IN, NULL);
  g_source_set_callback (source, G_SOURCE_FUNC (ready_cb), self, NULL);
  g_source_attach (source, NULL);
}

static struct sockaddr_in
address_of (const char *host,
            guint       port)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (host, port);
  struct sockaddr_in native;

  if (address == NULL || !g_socket_address_to_native (address, &native, sizeof native, NULL))
    bench_fail ("%s is no IPv4 address", host);
  return native;
}

static void
serve (Bench *bench)
{
  Peer *self = new_peer (bench, TRUE);
  struct sockaddr_in address = address_of (bench_host (bench), 0);
  socklen_t size = sizeof address;

  if (bind (self->fd, (struct sockaddr *) &address, size) != 0
      || getsockname (self->fd, (struct sockaddr *) &address, &size) != 0)
    bench_fail ("bind: %s", g_strerror (errno));
  use_gsocket (self);
  bench_ready (bench, g_ntohs (address.sin_port), NULL);
  while (TRUE)
    g_main_context_iteration (NULL, TRUE);
}

static void
drive (Bench *bench)
{
  Peer *self = new_peer (bench, FALSE);
  struct sockaddr_in address = address_of (bench_host (bench), bench_port (bench));

  if (connect (self->fd, (struct sockaddr *) &address, sizeof address) != 0)
    bench_fail ("connect: %s", g_strerror (errno));
  use_gsocket (self);
  bench_begin (bench);
  if (bench_work (bench) == WORK_BULK)
    fill_window (self);
  else
    for (guint slot = 0; slot < bench_depth (bench); slot++)
      bench_request (bench, slot, put (self, bench_size (bench)));
  flush (self);
  bench_run_loop (bench);
}

static const char *
missing (Bench *bench)
{
  int fd = socket (AF_INET, SOCK_DGRAM, 0);
  int on = 1;
  gboolean gro = setsockopt (fd, SOL_UDP, UDP_GRO, &on, sizeof on) == 0;

  close (fd);
  if (!gro && (bench_is (bench, "gso") || bench_is (bench, "gso-aead")))
    return "the kernel has no UDP GRO";
  return NULL;
}

int
main (int    argc,
      char **argv)
{
  static const char *const variants[] = {
    "single",      "coalesced",      "gso",      "gsocket", /* in pairs */
    "single-aead", "coalesced-aead", "gso-aead", "gsocket-aead", NULL,
  };
  static const System system = {
    .name = "udp",
    .variants = variants,
    .works = WORK_REQUESTS | WORK_BULK,
    .serve = serve,
    .drive = drive,
    .missing = missing,
  };

  return bench_main (&system, argc, argv);
}
