/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For sendmmsg() and recvmmsg(). */
#define _GNU_SOURCE
#include "config.h"

#include "seqex-udp-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "seqex-address-private.h"

/* Not in every libc that has the rest. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* What the kernel keeps while the program does something else: at 10 Gbit/s 4 MiB are 3 ms. What
 * waits to be sent only delays what follows. The system may allow less. */
#define RECEIVE_BUFFER (4 << 20)
#define SEND_BUFFER    (1 << 20)

/* No fragments: a datagram that is too long for the route is refused or lost, and so the size that
 * the route carries can be found. The kernel's own idea of it may be wrong for ever. */
static const struct
{
  int level, name, value;
} options[] = {
  { IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE },
  { IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE },
  { IPPROTO_UDP, UDP_GRO, 1 },
};

G_STATIC_ASSERT (G_N_ELEMENTS (options) == G_N_ELEMENTS (((SeqexUdp *) NULL)->former));

/* Memory of the thread ------------------------------------------------------------------ */

typedef struct
{
  struct mmsghdr messages[SEQEX_INBOX_BUFFERS];
  struct iovec   vectors[SEQEX_INBOX_BUFFERS];
  struct sockaddr_storage names[SEQEX_INBOX_BUFFERS];
  union
  {
    struct cmsghdr header;
    guint8         bytes[128]; /* also for what a program has asked its own socket for */
  } controls[SEQEX_INBOX_BUFFERS];
  SeqexInbox     inbox; /* the first thing that is not touched as a whole */
} Arrivals;

typedef struct
{
  SeqexBatch *batch;    /* NULL: somebody has it */
  Arrivals   *arrivals;
} Spare;

static void
free_spare (gpointer data)
{
  Spare *spare = data;

  g_free (spare->batch);
  g_free (spare->arrivals);
  g_free (spare);
}

static Spare *
get_spare (void)
{
  static GPrivate key = G_PRIVATE_INIT (free_spare);
  Spare *spare = g_private_get (&key);

  if (spare == NULL)
    {
      spare = g_new0 (Spare, 1);
      g_private_set (&key, spare);
    }
  return spare;
}

SeqexBatch *
seqex_batch_take (void)
{
  Spare *spare = get_spare ();
  SeqexBatch *batch = g_steal_pointer (&spare->batch);

  if (batch == NULL)
    batch = g_new (SeqexBatch, 1);
  batch->first = batch->count = batch->alone = 0;
  batch->at[0] = 0;
  return batch;
}

void
seqex_batch_give (SeqexBatch *batch)
{
  Spare *spare = get_spare ();

  if (spare->batch != NULL)
    g_free (batch);
  else
    spare->batch = batch;
}

/* Only the pages that are used cost memory. */
static Arrivals *
get_arrivals (void)
{
  Spare *spare = get_spare ();
  Arrivals *arrivals = spare->arrivals;

  if (arrivals != NULL)
    return arrivals;

  spare->arrivals = arrivals = g_new (Arrivals, 1);
  for (guint i = 0; i < SEQEX_INBOX_BUFFERS; i++)
    {
      arrivals->vectors[i] = (struct iovec) { arrivals->inbox.data[i], SEQEX_INBOX_BUFFER_SIZE };
      arrivals->messages[i] = (struct mmsghdr) {
        .msg_hdr = {
          .msg_iov = &arrivals->vectors[i],
          .msg_iovlen = 1,
          .msg_control = &arrivals->controls[i],
        },
      };
    }
  return arrivals;
}

SeqexInbox *
seqex_inbox_get (void)
{
  return &get_arrivals ()->inbox;
}

/* The socket ---------------------------------------------------------------------------- */

static gboolean
set_option (int fd,
            int level,
            int name,
            int value)
{
  return setsockopt (fd, level, name, &value, sizeof value) == 0;
}

void
seqex_udp_init (SeqexUdp *self,
                GSocket  *socket,
                gboolean  addressed)
{
  int fd = g_socket_get_fd (socket);

  *self = (SeqexUdp) { .socket = socket, .addressed = addressed, .many = TRUE };
  self->mapped = g_socket_get_family (socket) == G_SOCKET_FAMILY_IPV6;
  /* 0 changes nothing; each buffer says how it is to be cut. */
  self->gso = set_option (fd, IPPROTO_UDP, UDP_SEGMENT, 0);
  for (guint i = 0; i < G_N_ELEMENTS (options); i++)
    {
      socklen_t size = sizeof self->former[i];

      if (getsockopt (fd, options[i].level, options[i].name, &self->former[i], &size) != 0
          || !set_option (fd, options[i].level, options[i].name, options[i].value))
        self->former[i] = -1;
    }
}

void
seqex_udp_clear (SeqexUdp *self)
{
  int fd = self->socket != NULL ? g_socket_get_fd (self->socket) : -1;

  for (guint i = 0; fd >= 0 && i < G_N_ELEMENTS (options); i++)
    if (self->former[i] >= 0)
      set_option (fd, options[i].level, options[i].name, self->former[i]);
  self->socket = NULL;
}

void
seqex_udp_enlarge (GSocket *socket)
{
  g_socket_set_option (socket, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER, NULL);
  g_socket_set_option (socket, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER, NULL);
}

guint
seqex_udp_largest (GSocket *socket)
{
  int size;

  if (!g_socket_get_option (socket, SOL_SOCKET, SO_RCVBUF, &size, NULL))
    return SQX_DATAGRAM_DEFAULT;
  return CLAMP ((guint) size / 8, SQX_DATAGRAM_DEFAULT, SQX_DATAGRAM_MAX);
}

/* -1 as long as the program has closed the socket under us: another file may have the number. */
static int
get_fd (SeqexUdp  *self,
        GError   **error)
{
  int fd = g_socket_get_fd (self->socket);

  if (fd < 0)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The socket is closed");
  return fd;
}

static void
set_error (GError **error,
           int      code)
{
  g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (code), g_strerror (code));
}

/* Sending ------------------------------------------------------------------------------- */

typedef struct
{
  struct mmsghdr messages[SEQEX_BATCH_DATAGRAMS];
  guint          runs[SEQEX_BATCH_DATAGRAMS]; /* how many datagrams are in each */
  struct iovec   vectors[SEQEX_BATCH_DATAGRAMS];
  struct sockaddr_in6 names[SEQEX_BATCH_DATAGRAMS];
  union
  {
    struct cmsghdr header;
    guint8         bytes[CMSG_SPACE (sizeof (guint16))];
  } controls[SEQEX_BATCH_DATAGRAMS];
} Outbox;

/* How many from @i on leave as one buffer. */
static guint
count_run (const SeqexUdp   *self,
           const SeqexBatch *batch,
           guint             i)
{
  gsize size = seqex_batch_size (batch, i);
  guint n = 1;

  if (!self->gso || i < batch->alone)
    return 1;
  while (i + n < batch->count && seqex_batch_size (batch, i + n) <= size
         && batch->at[i + n + 1] - batch->at[i] <= SEQEX_BATCH_BYTES
         && sqx_address_equal (&batch->to[i], &batch->to[i + n]))
    if (seqex_batch_size (batch, i + n++) < size)
      break;
  return n;
}

static void
address_message (SeqexUdp   *self,
                 SeqexBatch *batch,
                 Outbox     *outbox,
                 guint       n,
                 guint       i)
{
  struct msghdr *message = &outbox->messages[n].msg_hdr;

  outbox->runs[n] = count_run (self, batch, i);
  outbox->vectors[n].iov_base = batch->data + batch->at[i];
  outbox->vectors[n].iov_len = batch->at[i + outbox->runs[n]] - batch->at[i];
  *message = (struct msghdr) { .msg_iov = &outbox->vectors[n], .msg_iovlen = 1 };
  if (self->addressed && batch->to[i].host_size > 0)
    {
      message->msg_name = &outbox->names[n];
      message->msg_namelen = seqex_address_to_native (&batch->to[i], self->mapped,
                                                      &outbox->names[n]);
    }
  if (outbox->runs[n] > 1)
    {
      struct cmsghdr *header = &outbox->controls[n].header;
      guint16 size = seqex_batch_size (batch, i);

      message->msg_control = header;
      message->msg_controllen = sizeof outbox->controls[n];
      header->cmsg_level = IPPROTO_UDP;
      header->cmsg_type = UDP_SEGMENT;
      header->cmsg_len = CMSG_LEN (sizeof size);
      memcpy (CMSG_DATA (header), &size, sizeof size);
    }
}

/* Returns how many datagrams the kernel took, or the error as a negative number. */
static int
offer (SeqexUdp   *self,
       int         fd,
       SeqexBatch *batch)
{
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  Outbox outbox;
  guint i = batch->first, n = 0, taken = 0;
  int result;

  do
    {
      address_message (self, batch, &outbox, n, i);
      i += outbox.runs[n++];
    }
  while (i < batch->count && self->many);
  batch->offered = outbox.runs[0];

  if (n == 1)
    result = sendmsg (fd, &outbox.messages[0].msg_hdr, flags) < 0 ? -1 : 1;
  else
    result = sendmmsg (fd, outbox.messages, n, flags);
  if (result < 0)
    return -errno;

  self->n_sends++;
  for (i = 0; i < (guint) result; i++)
    {
      taken += outbox.runs[i];
      if (outbox.runs[i] > 1)
        self->n_joined_out += outbox.runs[i];
    }
  self->n_sent += taken;
  return (int) taken;
}

/* Whether to go on, with less than before. EINVAL and EMSGSIZE may be about the datagrams: then
 * each of them alone is refused as well. */
static gboolean
can_do_without (SeqexUdp   *self,
                SeqexBatch *batch,
                int         code)
{
  if (code == ENOSYS && self->many)
    {
      self->many = FALSE;
      return TRUE;
    }
  if (batch->offered == 1 || (code != EIO && code != EINVAL && code != EMSGSIZE
                              && code != EOPNOTSUPP && code != ENOPROTOOPT))
    return code == EINTR;

  /* A device without checksums says EIO. */
  if (code != EINVAL && code != EMSGSIZE)
    self->gso = FALSE;
  self->suspect = code == EINVAL;
  batch->alone = batch->first + batch->offered;
  return TRUE;
}

SeqexSent
seqex_udp_send (SeqexUdp    *self,
                SeqexBatch  *batch,
                GError     **error)
{
  int fd = get_fd (self, error);

  if (fd < 0)
    return SEQEX_SENT_FAILED;

  while (batch->first < batch->count)
    {
      int n = offer (self, fd, batch);

      if (n >= 0)
        {
          if (self->suspect && batch->first < batch->alone)
            self->gso = self->suspect = FALSE;
          batch->first += (guint) n;
        }
      else if (n == -EAGAIN)
        {
          return SEQEX_SENT_WAIT;
        }
      else if (n == -ENOBUFS || n == -ENOMEM)
        {
          return SEQEX_SENT_FULL;
        }
      else if (!can_do_without (self, batch, -n))
        {
          self->suspect = FALSE;
          set_error (error, -n);
          return SEQEX_SENT_FAILED;
        }
    }
  return SEQEX_SENT_SOME;
}

/* Receiving ----------------------------------------------------------------------------- */

static gsize
segment_size (struct msghdr *message,
              gsize          size)
{
  int segment;

  for (struct cmsghdr *header = CMSG_FIRSTHDR (message); header != NULL;
       header = CMSG_NXTHDR (message, header))
    if (header->cmsg_level == IPPROTO_UDP && header->cmsg_type == UDP_GRO)
      {
        memcpy (&segment, CMSG_DATA (header), sizeof segment);
        if (segment > 0 && (gsize) segment < size)
          return (gsize) segment;
      }
  return size;
}

static void
take_message (SeqexUdp *self,
              Arrivals *arrivals,
              guint     i)
{
  struct msghdr *message = &arrivals->messages[i].msg_hdr;
  SeqexInbox *inbox = &arrivals->inbox;
  gsize size = arrivals->messages[i].msg_len;
  gsize segment = segment_size (message, size);
  guint n = segment < size ? (size + segment - 1) / segment : 1;

  inbox->sizes[i] = size;
  inbox->segments[i] = segment;
  self->n_received += n;
  if (n > 1)
    self->n_joined_in += n;
  if (self->addressed)
    seqex_address_from_native (&inbox->from[i], (const struct sockaddr *) &arrivals->names[i],
                               message->msg_namelen);
}

/* How many to ask for. To be told that there is no second one costs as much as half a receive, so
 * where they come one by one that is asked only now and then. */
static guint
count_wanted (const SeqexUdp *self)
{
  gboolean one = !self->many || (self->n_single > 4 && self->n_single % 16 != 0);

  return one ? 1 : SEQEX_INBOX_BUFFERS;
}

/* Returns how many there were, or -1. */
static int
receive (SeqexUdp *self,
         int       fd,
         Arrivals *arrivals,
         guint     wanted)
{
  gssize size;

  if (wanted > 1)
    {
      int n = recvmmsg (fd, arrivals->messages, wanted, MSG_DONTWAIT, NULL);

      if (n >= 0 || errno != ENOSYS)
        return n;
      self->many = FALSE;
    }
  size = recvmsg (fd, &arrivals->messages[0].msg_hdr, MSG_DONTWAIT);
  arrivals->messages[0].msg_len = (unsigned) size;
  return size < 0 ? -1 : 1;
}

guint
seqex_udp_receive (SeqexUdp  *self,
                   GError   **error)
{
  Arrivals *arrivals = get_arrivals ();
  guint wanted = count_wanted (self);
  int fd = get_fd (self, error);
  int n;

  if (fd < 0)
    return 0;

  for (guint i = 0; i < wanted; i++)
    {
      struct msghdr *message = &arrivals->messages[i].msg_hdr;

      message->msg_name = self->addressed ? &arrivals->names[i] : NULL;
      message->msg_namelen = self->addressed ? sizeof arrivals->names[i] : 0;
      message->msg_controllen = sizeof arrivals->controls[i];
    }
  do
    n = receive (self, fd, arrivals, wanted);
  while (n < 0 && errno == EINTR);

  if (n < 0)
    {
      if (errno != EAGAIN)
        set_error (error, errno);
      return 0;
    }
  self->n_receives++;
  self->n_single = n > 1 ? 0 : self->n_single + 1;
  for (guint i = 0; i < (guint) n; i++)
    take_message (self, arrivals, i);
  return (guint) n;
}
