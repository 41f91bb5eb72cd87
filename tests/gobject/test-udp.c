/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sockets of the kernel, and a kernel that refuses: the system calls of the library go through the
 * functions __wrap_… of this file.
 */
#define _GNU_SOURCE
#include "test-util.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "seqex-connection-private.h"
#include "seqex-driver-private.h"

/* A kernel that refuses ------------------------------------------------------------------- */

static struct
{
  int      code;    /* what sending fails with … */
  guint    times;   /* … this many times more … */
  gboolean joined;  /* … only where datagrams share a buffer … */
  gsize    larger;  /* … or where one is larger than this */
  gboolean old;     /* neither sendmmsg() nor recvmmsg() */
  gboolean no_gso;
  guint    n_sends; /* calls, refused ones included */
  guint    n_timers;
} kernel;

/* NOLINTBEGIN: names that the linker wants */
ssize_t __real_sendmsg (int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg (int fd, const struct msghdr *message, int flags);
int __real_sendmmsg (int fd, struct mmsghdr *messages, unsigned n, int flags);
int __wrap_sendmmsg (int fd, struct mmsghdr *messages, unsigned n, int flags);
int __real_recvmmsg (int fd, struct mmsghdr *messages, unsigned n, int flags,
                     struct timespec *time);
int __wrap_recvmmsg (int fd, struct mmsghdr *messages, unsigned n, int flags,
                     struct timespec *time);
int __real_setsockopt (int fd, int level, int name, const void *value, socklen_t size);
int __wrap_setsockopt (int fd, int level, int name, const void *value, socklen_t size);
int __real_timerfd_settime (int fd, int flags, const struct itimerspec *time,
                            struct itimerspec *old);
int __wrap_timerfd_settime (int fd, int flags, const struct itimerspec *time,
                            struct itimerspec *old);
/* NOLINTEND */

static gboolean
refuse (const struct msghdr *message)
{
  if (kernel.joined && message->msg_controllen == 0)
    return FALSE;
  if (kernel.larger > 0 && message->msg_iov[0].iov_len > kernel.larger
      && message->msg_controllen == 0)
    {
      errno = EMSGSIZE;
      return TRUE;
    }
  if (kernel.times == 0)
    return FALSE;
  kernel.times--;
  errno = kernel.code;
  return TRUE;
}

ssize_t
__wrap_sendmsg (int                  fd,
                const struct msghdr *message,
                int                  flags)
{
  kernel.n_sends++;
  return refuse (message) ? -1 : __real_sendmsg (fd, message, flags);
}

int
__wrap_sendmmsg (int             fd,
                 struct mmsghdr *messages,
                 unsigned        n,
                 int             flags)
{
  unsigned n_taken = 0;

  kernel.n_sends++;
  if (kernel.old)
    {
      errno = ENOSYS;
      return -1;
    }
  while (n_taken < n && !refuse (&messages[n_taken].msg_hdr))
    if (__real_sendmmsg (fd, &messages[n_taken], 1, flags) == 1)
      n_taken++;
    else
      break;
  return n_taken > 0 ? (int) n_taken : -1;
}

int
__wrap_recvmmsg (int              fd,
                 struct mmsghdr  *messages,
                 unsigned         n,
                 int              flags,
                 struct timespec *time)
{
  if (!kernel.old)
    return __real_recvmmsg (fd, messages, n, flags, time);
  errno = ENOSYS;
  return -1;
}

int
__wrap_setsockopt (int         fd,
                   int         level,
                   int         name,
                   const void *value,
                   socklen_t   size)
{
  if (!kernel.no_gso || level != IPPROTO_UDP)
    return __real_setsockopt (fd, level, name, value, size);
  errno = ENOPROTOOPT;
  return -1;
}

int
__wrap_timerfd_settime (int                      fd,
                        int                      flags,
                        const struct itimerspec *time,
                        struct itimerspec       *old)
{
  kernel.n_timers++;
  return __real_timerfd_settime (fd, flags, time, old);
}

/* Sockets --------------------------------------------------------------------------------- */

typedef struct
{
  GSocket    *sockets[3]; /* not connected */
  sqx_address addresses[3];
  SeqexUdp    udps[3];
  SeqexBatch *batch;      /* from the first one */
} Fixture;

static void
set_up (Fixture      *fixture,
        gconstpointer data)
{
  const char *host = data;

  memset (&kernel, 0, sizeof kernel);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string (host, 0);
      g_autoptr (GSocketAddress) local = NULL;
      GSocket *socket = g_socket_new (g_socket_address_get_family (any), G_SOCKET_TYPE_DATAGRAM,
                                      G_SOCKET_PROTOCOL_UDP, NULL);

      g_socket_bind (socket, any, FALSE, NULL);
      local = g_socket_get_local_address (socket, NULL);
      fixture->sockets[i] = socket;
      g_assert_true (seqex_address_from_gio (&fixture->addresses[i], local));
      seqex_udp_init (&fixture->udps[i], socket, TRUE);
    }
  fixture->batch = seqex_batch_take ();
}

static void
tear_down (Fixture      *fixture,
           gconstpointer data)
{
  seqex_batch_give (fixture->batch);
  for (guint i = 0; i < 3; i++)
    {
      seqex_udp_clear (&fixture->udps[i]);
      g_assert_finalize_object (fixture->sockets[i]);
    }
  memset (&kernel, 0, sizeof kernel);
}

static guint8
octet (guint to,
       guint seed,
       gsize at)
{
  return (guint8) (at * 31 + seed * 7 + to * 101 + at / 256);
}

/* What the core would write. */
static void
add (Fixture *fixture,
     guint    to,
     gsize    size,
     guint    seed)
{
  SeqexBatch *batch = fixture->batch;
  guint32 at = batch->at[batch->count];

  batch->to[batch->count] = fixture->addresses[to];
  for (gsize i = 0; i < size; i++)
    batch->data[at + i] = octet (to, seed, i);
  batch->at[++batch->count] = at + (guint32) size;
}

static void
send_all (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (seqex_udp_send (&fixture->udps[0], fixture->batch, &error), ==, SEQEX_SENT_SOME);
  g_assert_no_error (error);
  g_assert_cmpuint (fixture->batch->first, ==, fixture->batch->count);
}

/* What @to has got is what the batch has for it, in order, and nothing else. */
static void
assert_got (Fixture *fixture,
            guint    to)
{
  SeqexBatch *batch = fixture->batch;
  SeqexInbox *inbox = seqex_inbox_get ();
  guint n, next = 0;

  while ((n = seqex_udp_receive (&fixture->udps[to], NULL)) > 0)
    for (guint i = 0; i < n; i++)
      {
        g_assert_true (sqx_address_equal (&inbox->from[i], &fixture->addresses[0]));
        for (gsize at = 0; at < inbox->sizes[i]; at += inbox->segments[i])
          {
            gsize size = MIN (inbox->segments[i], inbox->sizes[i] - at);

            while (next < batch->count
                   && !sqx_address_equal (&batch->to[next], &fixture->addresses[to]))
              next++;
            g_assert_cmpuint (next, <, batch->count);
            g_assert_cmpmem (inbox->data[i] + at, size, batch->data + batch->at[next],
                             seqex_batch_size (batch, next));
            next++;
          }
      }
  for (; next < batch->count; next++)
    g_assert_false (sqx_address_equal (&batch->to[next], &fixture->addresses[to]));
}

/* One buffer each way. */
static void
test_joined (Fixture      *fixture,
             gconstpointer data)
{
  for (guint i = 0; i < 20; i++)
    add (fixture, 1, 1200, i);
  add (fixture, 1, 7, 20);
  send_all (fixture);
  g_assert_cmpuint (fixture->udps[0].n_sends, ==, 1);
  g_assert_cmpuint (fixture->udps[0].n_joined_out, ==, 21);
  assert_got (fixture, 1);
  g_assert_cmpuint (fixture->udps[1].n_receives, ==, 1);
  g_assert_cmpuint (fixture->udps[1].n_received, ==, 21);
  g_assert_cmpuint (fixture->udps[1].n_joined_in, ==, 21);
}

static void
add_mixed (Fixture *fixture)
{
  const struct
  {
    guint to;
    guint size;
  } datagrams[] = {
    { 1, 1000 }, { 1, 1000 }, { 1, 400 }, { 1, 400 }, { 1, 1000 }, { 2, 1000 }, { 2, 700 },
    { 1, 50 }, { 2, 51 }, { 2, 51 }, { 2, 51 }, { 1, 1 }, { 1, 1400 }, { 1, 1400 }, { 1, 1399 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (datagrams); i++)
    add (fixture, datagrams[i].to, datagrams[i].size, i);
}

/* Two destinations, and sizes that go up and down. */
static void
test_mixed (Fixture      *fixture,
            gconstpointer data)
{
  add_mixed (fixture);
  send_all (fixture);
  g_assert_cmpuint (fixture->udps[0].n_sends, ==, 1);
  /* 1000 1000 400 · 400 · 1000 · 1000 700 · 50 · 51 51 51 · 1 · 1400 1400 1399 */
  g_assert_cmpuint (fixture->udps[0].n_joined_out, ==, 3 + 2 + 3 + 3);
  assert_got (fixture, 1);
  assert_got (fixture, 2);
}

/* More than fits into one buffer, by bytes and by number, and the largest alone. */
static void
test_limits (Fixture      *fixture,
             gconstpointer data)
{
  for (guint i = 0; i < SEQEX_BATCH_DATAGRAMS; i++)
    add (fixture, 1, 1300, i);
  send_all (fixture);
  g_assert_cmpuint (fixture->udps[0].n_joined_out, ==, SEQEX_BATCH_DATAGRAMS);
  assert_got (fixture, 1);

  fixture->batch->first = fixture->batch->count = 0;
  for (guint i = 0; i < SEQEX_BATCH_DATAGRAMS; i++)
    add (fixture, 2, 100, i);
  send_all (fixture);
  g_assert_cmpuint (fixture->udps[0].n_sends, ==, 2);
  assert_got (fixture, 2);

  fixture->batch->first = fixture->batch->count = 0;
  /* The loopback device carries 65536 bytes, 40 of which IPv6 takes for itself. */
  add (fixture, 1, fixture->addresses[0].host_size == 4 ? SQX_DATAGRAM_MAX : 65488, 1);
  add (fixture, 1, seqex_batch_size (fixture->batch, 0), 2);
  send_all (fixture);
  assert_got (fixture, 1);
}

/* Whatever the kernel does not have, all that was sent arrives, once. */
static void
test_without_option (Fixture      *fixture,
                     gconstpointer data)
{
  kernel.no_gso = TRUE;
  seqex_udp_clear (&fixture->udps[0]);
  seqex_udp_init (&fixture->udps[0], fixture->sockets[0], TRUE);
  g_assert_false (fixture->udps[0].gso);
  add_mixed (fixture);
  send_all (fixture);
  g_assert_cmpuint (fixture->udps[0].n_joined_out, ==, 0);
  g_assert_cmpuint (fixture->udps[0].n_sends, ==, 1);
  assert_got (fixture, 1);
  assert_got (fixture, 2);
}

static void
test_without_calls (Fixture      *fixture,
                    gconstpointer data)
{
  kernel.old = TRUE;
  add_mixed (fixture);
  send_all (fixture);
  g_assert_false (fixture->udps[0].many);
  g_assert_cmpuint (fixture->udps[0].n_sends, ==, 8);
  assert_got (fixture, 1);
  assert_got (fixture, 2);
}

/* What a device without checksums says, and other kernels. */
static void
test_refused_buffers (Fixture      *fixture,
                      gconstpointer data)
{
  const int codes[] = { EIO, EINVAL, EOPNOTSUPP };

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      fixture->udps[0].gso = TRUE;
      fixture->batch->first = fixture->batch->count = fixture->batch->alone = 0;
      fixture->udps[0].n_joined_out = 0;
      kernel.joined = TRUE;
      kernel.code = codes[i];
      kernel.times = 1;
      add_mixed (fixture);
      send_all (fixture);
      g_assert_false (fixture->udps[0].gso);
      /* The others of the batch were on their way when EINVAL was understood. */
      g_assert_cmpuint (fixture->udps[0].n_joined_out, ==, codes[i] == EINVAL ? 2 + 3 + 3 : 0);
      assert_got (fixture, 1);
      assert_got (fixture, 2);
    }
}

/* Too long together, not alone: that says nothing about buffers that are shorter. */
static void
test_refused_once (Fixture      *fixture,
                   gconstpointer data)
{
  kernel.joined = TRUE;
  kernel.code = EMSGSIZE;
  kernel.times = 1;
  add_mixed (fixture);
  send_all (fixture);
  g_assert_true (fixture->udps[0].gso);
  assert_got (fixture, 1);
  assert_got (fixture, 2);
}

/* Datagrams that are too long alone as well say nothing about the buffer. */
static void
test_refused_sizes (Fixture      *fixture,
                    gconstpointer data)
{
  const int codes[] = { EMSGSIZE, EINVAL };

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      guint n_failed = 0;

      fixture->batch->first = fixture->batch->count = fixture->batch->alone = 0;
      kernel.larger = 1000;
      kernel.code = codes[i];
      kernel.times = 1;
      for (guint j = 0; j < 5; j++)
        add (fixture, 1, 1100, j);
      while (fixture->batch->first < fixture->batch->count)
        {
          g_autoptr (GError) error = NULL;

          g_assert_cmpint (seqex_udp_send (&fixture->udps[0], fixture->batch, &error), ==,
                           SEQEX_SENT_FAILED);
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE);
          g_assert_cmpuint (fixture->batch->offered, ==, 1);
          fixture->batch->first++;
          n_failed++;
        }
      g_assert_cmpuint (n_failed, ==, 5);
      g_assert_true (fixture->udps[0].gso);
      g_assert_cmpuint (seqex_udp_receive (&fixture->udps[1], NULL), ==, 0);
    }
}

/* Something in the middle is refused: what was before is gone, and what follows is not. */
static void
test_errors (Fixture      *fixture,
             gconstpointer data)
{
  const struct
  {
    int       code;
    SeqexSent sent;
  } cases[] = {
    { EAGAIN, SEQEX_SENT_WAIT }, { ENOBUFS, SEQEX_SENT_FULL }, { ENOMEM, SEQEX_SENT_FULL },
    { EPERM, SEQEX_SENT_FAILED }, { EACCES, SEQEX_SENT_FAILED },
    { EHOSTUNREACH, SEQEX_SENT_FAILED }, { EINTR, SEQEX_SENT_SOME },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      fixture->batch->first = fixture->batch->count = 0;
      kernel.code = cases[i].code;
      kernel.times = 1;
      for (guint j = 0; j < 3; j++)
        add (fixture, 1, 900, j);
      g_assert_cmpint (seqex_udp_send (&fixture->udps[0], fixture->batch, &error), ==,
                       cases[i].sent);
      g_assert_true ((error != NULL) == (cases[i].sent == SEQEX_SENT_FAILED));
      g_assert_cmpuint (fixture->batch->first, ==, cases[i].sent == SEQEX_SENT_SOME ? 3 : 0);
      g_assert_cmpuint (fixture->batch->offered, ==, 3);
      send_all (fixture);
      assert_got (fixture, 1);
    }
}

static int
get_option (GSocket *socket,
            int      level,
            int      name)
{
  int value = -1;

  g_socket_get_option (socket, level, name, &value, NULL);
  return value;
}

/* The socket is the program's again, as it was. */
static void
test_options (Fixture      *fixture,
              gconstpointer data)
{
  GSocket *socket = fixture->sockets[0];

  g_assert_cmpint (get_option (socket, IPPROTO_IP, IP_MTU_DISCOVER), ==, IP_PMTUDISC_PROBE);
  g_assert_cmpint (get_option (socket, IPPROTO_UDP, UDP_GRO), ==, 1);
  seqex_udp_clear (&fixture->udps[0]);
  g_assert_cmpint (get_option (socket, IPPROTO_IP, IP_MTU_DISCOVER), ==, IP_PMTUDISC_WANT);
  g_assert_cmpint (get_option (socket, IPPROTO_UDP, UDP_GRO), ==, 0);

  g_socket_set_option (socket, SOL_SOCKET, SO_RCVBUF, 50000, NULL);
  g_assert_cmpuint (seqex_udp_largest (socket), ==,
                    (guint) get_option (socket, SOL_SOCKET, SO_RCVBUF) / 8);
  seqex_udp_enlarge (socket);
  g_assert_cmpint (get_option (socket, SOL_SOCKET, SO_RCVBUF), >, 200000);
}

/* The program closes the socket: nothing is done with a descriptor that may be another's. */
static void
test_closed (Fixture      *fixture,
             gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_socket_close (fixture->sockets[0], NULL);
  add (fixture, 1, 100, 1);
  g_assert_cmpint (seqex_udp_send (&fixture->udps[0], fixture->batch, &error), ==,
                   SEQEX_SENT_FAILED);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_cmpuint (seqex_udp_receive (&fixture->udps[0], &error), ==, 0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_assert_cmpuint (kernel.n_sends, ==, 0);
}

/* Connections ----------------------------------------------------------------------------- */

static Pair
new_pair (guint datagram_size)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;
  Pair pair;

  memset (&kernel, 0, sizeof kernel);
  util_new_udp_sockets (&a, &b);
  pair.a = g_object_new (SEQEX_TYPE_CONNECTION, "socket", a, "max-datagram-size", datagram_size,
                         NULL);
  pair.b = g_object_new (SEQEX_TYPE_CONNECTION, "socket", b, "max-datagram-size", datagram_size,
                         NULL);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "x");
  return pair;
}

static void
exchange_blob (Pair *pair,
               gsize size)
{
  g_autoptr (GBytes) payload = util_blob (size, (guint32) size);
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) reply = NULL;
  g_auto (Outcome) asked = { 0 };

  seqex_connection_send_with_reply_async (pair->a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  wait_until (asked.result != NULL);
  reply = util_send_with_reply_finish (&asked, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (seqex_message_get_payload (reply), payload));
}

static guint64
count_send_errors (Pair *pair)
{
  g_autoptr (SeqexStatistics) statistics = seqex_connection_get_statistics (pair->a);

  return seqex_statistics_get_send_errors (statistics);
}

static void
test_bulk (void)
{
  Pair pair = new_pair (1200);
  const SeqexUdp *udp = &pair.a->dialogue.driver->udp;

  exchange_blob (&pair, 1000000);
  g_test_message ("%" G_GUINT64_FORMAT " datagrams out in %" G_GUINT64_FORMAT " calls, %"
                  G_GUINT64_FORMAT " in in %" G_GUINT64_FORMAT, udp->n_sent, udp->n_sends,
                  udp->n_received, udp->n_receives);
  g_assert_cmpuint (udp->n_sent, >=, 800);
  g_assert_cmpuint (udp->n_sends * 5, <=, udp->n_sent);
  g_assert_cmpuint (udp->n_joined_out * 2, >=, udp->n_sent);
  g_assert_cmpuint (udp->n_receives * 5, <=, udp->n_received);
  g_assert_cmpuint (udp->n_joined_in * 2, >=, udp->n_received);
  g_assert_cmpuint (count_send_errors (&pair), ==, 0);
  /* Nothing is kept for a connection that sends nothing. */
  g_assert_null (pair.a->dialogue.driver->batch);
  util_pair_free (&pair);
}

/* No room: nothing is lost, and nobody is kept busy. */
static void
test_no_room (gconstpointer data)
{
  Pair pair = new_pair (1200);

  kernel.code = GPOINTER_TO_INT (data);
  kernel.times = 20;
  kernel.n_sends = 0;
  exchange_blob (&pair, 100000);
  g_assert_cmpuint (kernel.times, ==, 0);
  g_assert_cmpuint (count_send_errors (&pair), ==, 0);
  /* A millisecond for a full device, not a wait that is rounded up to two. */
  if (kernel.code == ENOBUFS)
    g_assert_cmpuint (kernel.n_timers, >=, 4);
  g_assert_cmpuint (kernel.n_sends, <=, 400);
  util_pair_free (&pair);
}

/* It stays so: the wait ends, and says why. */
static void
test_never_room (void)
{
  Pair pair = new_pair (1200);
  g_autoptr (GError) error = NULL;

  seqex_connection_set_idle_timeout (pair.a, 300);
  kernel.code = ENOBUFS;
  kernel.times = G_MAXUINT;
  kernel.n_sends = 0;
  g_assert_null (util_send_with_reply (pair.a, "x", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  g_assert_cmpuint (kernel.n_sends, <=, 100);
  kernel.times = 0;
  util_pair_dispose (&pair);
}

/* What a firewall forbids is lost, which it may allow later … */
static void
test_forbidden (void)
{
  Pair pair = new_pair (1200);

  kernel.code = EPERM;
  kernel.times = 3;
  exchange_blob (&pair, 20000);
  g_assert_cmpuint (kernel.times, ==, 0);
  /* Each datagram of a refused buffer counts. */
  g_assert_cmpuint (count_send_errors (&pair), >, 3);
  util_pair_free (&pair);
}

/* … or not, and then the error says so. */
static void
test_always_forbidden (void)
{
  Pair pair = new_pair (1200);
  g_autoptr (GError) error = NULL;

  seqex_connection_set_idle_timeout (pair.a, 300);
  kernel.code = EPERM;
  kernel.times = G_MAXUINT;
  kernel.n_sends = 0;
  g_assert_null (util_send_with_reply (pair.a, "x", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  g_assert_nonnull (strstr (error->message, g_strerror (EPERM)));
  g_assert_cmpuint (kernel.n_sends, <=, 50);
  kernel.times = 0;
  util_pair_dispose (&pair);
}

/* A queue of ten datagrams, as a pair of Unix sockets has, and a kernel that says when there is
 * room again. */
static void
test_small_queue (void)
{
  Pair pair = util_pair_new_unix ();

  memset (&kernel, 0, sizeof kernel);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  exchange_blob (&pair, 1000000);
  g_assert_cmpuint (count_send_errors (&pair), ==, 0);
  util_pair_free (&pair);
}

/* Deadlines that are far away cost no timer. */
static void
test_no_timer (void)
{
  Pair pair = new_pair (1200);

  kernel.n_timers = 0;
  for (guint i = 0; i < 100; i++)
    util_exchange (pair.a, "x");
  g_test_message ("%u timers set", kernel.n_timers);
  g_assert_cmpuint (kernel.n_timers, <=, 20);
  util_pair_free (&pair);
}

/* A network of its own, where the loopback device carries little. */
static gboolean
enter_network (guint mtu)
{
  struct ifreq request = { .ifr_name = "lo" };
  gboolean made = unshare (CLONE_NEWNET) == 0 || unshare (CLONE_NEWUSER | CLONE_NEWNET) == 0;
  int fd;

  if (!made)
    return FALSE;
  fd = socket (AF_INET, SOCK_DGRAM, 0);
  request.ifr_mtu = (int) mtu;
  made = ioctl (fd, SIOCSIFMTU, &request) == 0;
  request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
  made = made && ioctl (fd, SIOCSIFFLAGS, &request) == 0;
  close (fd);
  return made;
}

static void
test_small_mtu (void)
{
  Pair pair;

  /* There is no way back. */
  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      return;
    }
  if (!enter_network (1400))
    {
      g_test_skip ("Nobody may make a network namespace here");
      return;
    }
  /* IPv4 and UDP have 28 bytes; what is larger is refused, or never tried. */
  pair = new_pair (9000);
  kernel.n_sends = 0;
  exchange_blob (&pair, 1000000);
  exchange_blob (&pair, 1000000);
  g_assert_cmpuint (count_send_errors (&pair), >=, 1);
  g_assert_cmpuint (count_send_errors (&pair), <=, 64);
  g_assert_true (pair.a->dialogue.driver->udp.gso);
  g_assert_cmpuint (pair.a->dialogue.driver->udp.n_joined_out, >, 1000);
  util_pair_free (&pair);
}

#define ADD(name, func)                                                                          \
  G_STMT_START                                                                                   \
    {                                                                                            \
      g_test_add ("/seqex/udp/four/" name, Fixture, "127.0.0.1", set_up, func, tear_down);       \
      g_test_add ("/seqex/udp/six/" name, Fixture, "::1", set_up, func, tear_down);              \
    }                                                                                            \
  G_STMT_END

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("joined", test_joined);
  ADD ("mixed", test_mixed);
  ADD ("limits", test_limits);
  ADD ("without-option", test_without_option);
  ADD ("without-calls", test_without_calls);
  ADD ("refused-buffers", test_refused_buffers);
  ADD ("refused-once", test_refused_once);
  ADD ("refused-sizes", test_refused_sizes);
  ADD ("errors", test_errors);
  ADD ("options", test_options);
  ADD ("closed", test_closed);
  g_test_add_func ("/seqex/udp/bulk", test_bulk);
  g_test_add_data_func ("/seqex/udp/no-room/blocks", GINT_TO_POINTER (EAGAIN), test_no_room);
  g_test_add_data_func ("/seqex/udp/no-room/full", GINT_TO_POINTER (ENOBUFS), test_no_room);
  g_test_add_func ("/seqex/udp/never-room", test_never_room);
  g_test_add_func ("/seqex/udp/forbidden", test_forbidden);
  g_test_add_func ("/seqex/udp/always-forbidden", test_always_forbidden);
  g_test_add_func ("/seqex/udp/small-queue", test_small_queue);
  g_test_add_func ("/seqex/udp/no-timer", test_no_timer);
  g_test_add_func ("/seqex/udp/small-mtu", test_small_mtu);

  return g_test_run ();
}
