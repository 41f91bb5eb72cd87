/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-driver-private.h"

#include <pthread.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "seqex-connection-private.h"
#include "seqex-debug-private.h"
#include "seqex-dialogue-private.h"
#include "seqex-error-private.h"

/* What one wake tells the program at most, and how many connections it looks at, so that the
 * context's other sources get their turn. */
#define DELIVERY_LIMIT 128u

/* The machine slept if the clock that counts that gained this much on the one that does not. */
#define SLEEP_LEAST (1 * SQX_SECOND)

/* Telling that takes two readings of clocks, so it is not asked in every wake. To fall asleep and to
 * wake up again takes a machine longer than this. */
#define SLEEP_CHECK (10 * SQX_MILLISECOND)

/* The loop of GLib sleeps for whole milliseconds, rounded up. What is due sooner than this gets a
 * timer of the kernel. */
#define PRECISE_BELOW (2 * SQX_MILLISECOND)

/* What the loop waits for costs in every iteration, and to begin or end waiting for it costs one: a
 * timer that nobody needed in so many of them is left out. */
#define TIMER_IDLE_MAX 256u

typedef struct
{
  GSource      source;
  SeqexDriver *driver; /* unowned: it destroys the source */
} WakeSource;

/* What the handler of the network monitor has, which may run in another thread and after the end of
 * the driver. */
struct _SeqexNews
{
  GMainContext    *context; /* owned */
  GNetworkMonitor *monitor; /* owned */
  gulong           handler_id;
  int              changed; /* atomic */
};

guint64
seqex_driver_now (void)
{
  return (guint64) g_get_monotonic_time ();
}

guint64
seqex_driver_read_clock (SeqexDriver *self)
{
  return self->now = seqex_driver_now ();
}

static guint64
read_clock (clockid_t clock)
{
  struct timespec time = { 0 };

  clock_gettime (clock, &time);
  return (guint64) time.tv_sec * SQX_SECOND + (guint64) time.tv_nsec / 1000;
}

/* The coarse clock costs a fifth of the other, and is a few milliseconds behind. Time does not go
 * back in the core, which may know better. */
guint64
seqex_driver_time (SeqexDriver *self)
{
  if (self->waking == 0)
    return seqex_driver_now ();
  return MAX (self->now, read_clock (CLOCK_MONOTONIC_COARSE));
}

gboolean
seqex_driver_check_thread (SeqexDriver *self,
                           const char  *function)
{
  if (G_LIKELY (self->thread == g_thread_self ()) || g_main_context_is_owner (self->context))
    return TRUE;

  g_critical ("%s() was called from another thread than that of the object. Call it in the "
              "object's thread, from an idle source attached to its main context.", function);
  return FALSE;
}

/* Sources ------------------------------------------------------------------------------- */

/* What waits for the transport is not due, whatever the core says. */
static gboolean
is_blocked (SeqexDriver *self)
{
  return self->waits_writable || self->retry != SQX_TIME_NEVER;
}

/* Of a timer that goes off to the microsecond. */
static void
set_timer (SeqexDriver *self,
           guint64      when)
{
  struct itimerspec time = {
    .it_value = { .tv_sec = when / SQX_SECOND, .tv_nsec = when % SQX_SECOND * 1000 },
  };

  if (self->timer < 0)
    {
      self->timer = timerfd_create (CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
      if (self->timer < 0)
        return;
    }
  if (timerfd_settime (self->timer, TFD_TIMER_ABSTIME, &time, NULL) != 0)
    return;
  self->timer_at = when;
  self->timer_idle = 0;
  if (self->timed == NULL)
    self->timed = g_source_add_unix_fd (self->wake, self->timer, G_IO_IN);
}

/* Once for all that was done since the context slept: when it is about to sleep again. */
static void
arm (SeqexDriver *self,
     guint64      now)
{
  guint64 when = self->core != NULL ? sqx_endpoint_next_timeout (self->core) : SQX_TIME_NEVER;

  self->unarmed = FALSE;
  if (when <= now && is_blocked (self))
    when = SQX_TIME_NEVER;
  when = MIN (when, MIN (seqex_waits_next (self), self->retry));
  self->armed = when;
  if (when > now && when - now < PRECISE_BELOW)
    {
      if (when != self->timer_at)
        set_timer (self, when);
    }
  else if (self->timed != NULL && ++self->timer_idle > TIMER_IDLE_MAX)
    {
      g_source_remove_unix_fd (self->wake, g_steal_pointer (&self->timed));
      self->timer_at = SQX_TIME_NEVER;
    }
}

void
seqex_driver_mark_ready (SeqexDriver *self)
{
  GSource *current;

  if (self->stopped)
    return;

  self->unsent = TRUE;
  /* The wake that runs sends it. */
  if (self->ready || self->waking > 0)
    return;
  self->ready = TRUE;
  current = g_main_current_source ();
  /* Inside a dispatch of the context its sources are looked at again before it sleeps. */
  if (current == NULL || g_source_get_context (current) != self->context)
    g_main_context_wakeup (self->context);
}

/* Mail ---------------------------------------------------------------------------------- */

static SeqexMail *
take_mail (SeqexDriver *self)
{
  SeqexMail *head, *oldest = NULL;

  do
    head = g_atomic_pointer_get (&self->mail);
  while (head != NULL && !g_atomic_pointer_compare_and_exchange (&self->mail, head, NULL));

  while (head != NULL)
    {
      SeqexMail *next = head->next;

      head->next = oldest;
      oldest = head;
      head = next;
    }
  return oldest;
}

static void
empty_mail (SeqexDriver *self,
            gboolean     read)
{
  SeqexMail *mail = take_mail (self);

  while (mail != NULL)
    {
      SeqexMail *next = mail->next;

      if (read && mail->read != NULL)
        mail->read (mail);
      mail->free (mail);
      mail = next;
    }
}

void
seqex_driver_post (SeqexDriver *self,
                   SeqexMail   *mail)
{
  g_autoptr (SeqexDriver) driver = seqex_driver_ref (self);

  do
    mail->next = g_atomic_pointer_get (&self->mail);
  while (!g_atomic_pointer_compare_and_exchange (&self->mail, mail->next, mail));

  /* Nobody reads it any more, or somebody is about to. */
  if (g_source_is_destroyed (self->wake))
    empty_mail (self, FALSE);
  else
    g_main_context_wakeup (self->context);
}

/* The machine --------------------------------------------------------------------------- */

static void
unref_news (SeqexNews *news)
{
  g_main_context_unref (news->context);
  g_object_unref (news->monitor);
}

static void
release_news (gpointer  data,
              GClosure *closure)
{
  g_atomic_rc_box_release_full (data, (GDestroyNotify) unref_news);
}

static void
network_changed_cb (GNetworkMonitor *monitor,
                    gboolean         available,
                    gpointer         user_data)
{
  SeqexNews *news = user_data;

  g_atomic_int_set (&news->changed, TRUE);
  g_main_context_wakeup (news->context);
}

void
seqex_driver_watch_network (SeqexDriver *self)
{
  SeqexNews *news;

  if (self->news != NULL || self->stopped)
    return;

  self->news = news = g_atomic_rc_box_new0 (SeqexNews);
  news->context = g_main_context_ref (self->context);
  news->monitor = g_object_ref (g_network_monitor_get_default ());
  news->handler_id = g_signal_connect_data (news->monitor, "network-changed",
                                            G_CALLBACK (network_changed_cb),
                                            g_atomic_rc_box_acquire (news), release_news, 0);
}

static guint64
time_asleep (void)
{
  guint64 awake = read_clock (CLOCK_MONOTONIC);
  guint64 all = read_clock (CLOCK_BOOTTIME);

  return all > awake ? all - awake : 0;
}

static void
check_machine (SeqexDriver *self,
               guint64      now)
{
  gboolean changed = FALSE;

  if (now >= self->next_check)
    {
      guint64 asleep = time_asleep ();

      changed = asleep > self->asleep + SLEEP_LEAST;
      self->asleep = asleep;
      self->next_check = now + SLEEP_CHECK;
    }
  if (self->news != NULL && g_atomic_int_compare_and_exchange (&self->news->changed, TRUE, FALSE))
    changed = TRUE;
  if (changed && self->core != NULL)
    {
      SEQEX_NOTE (TRANSPORT, "%p: the network changed, or the machine slept", self);
      sqx_endpoint_handle_network_changed (self->core, now);
    }
}

/* How often this process is the child of one that knew the library. */
static guint n_forks;

static void
count_fork (void)
{
  n_forks++;
}

static gpointer
watch_forks (gpointer unused)
{
  pthread_atfork (NULL, NULL, count_fork);
  return NULL;
}

/* Two processes with the same keys would use the same packet numbers for different packets, and
 * each would take the datagrams of the other. */
static void
check_process (SeqexDriver *self)
{
  if (G_LIKELY (self->n_forks == n_forks))
    return;

  self->n_forks = n_forks;
  seqex_driver_fail (self, g_error_new_literal (SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST,
                                                "The program forked, and this is the child: what "
                                                "was opened before stays with the parent"));
}

/* Wakes --------------------------------------------------------------------------------- */

void
seqex_driver_fail (SeqexDriver *self,
                   GError      *failure)
{
  seqex_driver_close_transport (self);
  self->ready = TRUE;
  for (GList *link = self->all.head; link != NULL; link = link->next)
    seqex_dialogue_fail (link->data, g_error_copy (failure));
  if (self->owner != NULL)
    self->funcs->failed (self->owner, failure);
  g_error_free (failure);
}

/* Step 5. */
static void
collect (SeqexDriver *self)
{
  sqx_conn *conn;

  while (self->core != NULL && (conn = sqx_endpoint_poll_conn (self->core)) != NULL)
    {
      SeqexWatcher *watcher = sqx_conn_user_data (conn);

      if (watcher != NULL)
        watcher->touched (watcher);
      else if (self->owner != NULL)
        self->funcs->incoming (self->owner, conn);
      else
        sqx_conn_free (conn);
    }
}

void
seqex_driver_flush (SeqexDriver *self)
{
  if (!self->unsent || self->stopped)
    return;

  self->unsent = FALSE;
  seqex_transport_write (self);
  collect (self);
}

/* Step 6. Those that become active meanwhile are left for later. */
static void
deliver (SeqexDriver *self,
         guint        limit)
{
  guint n_active = MIN (self->active.length, DELIVERY_LIMIT);
  guint n = 0;
  GList *link;

  if (limit > 0 && self->owner != NULL && self->funcs->is_due (self->owner))
    {
      g_autoptr (GObject) owner = g_object_ref (self->owner);

      while (n < limit && self->owner != NULL && self->funcs->deliver (owner))
        n++;
    }
  for (; n_active > 0 && (link = g_queue_pop_head_link (&self->active)) != NULL; n_active--)
    {
      SeqexDialogue *dialogue = link->data;

      dialogue->active = FALSE;
      n += seqex_dialogue_run (dialogue, n < limit ? limit - n : 0);
    }
}

static void
activate_heard (SeqexDriver *self)
{
  for (GList *link = self->unheard.head; link != NULL; link = link->next)
    if (seqex_delivery_is_due (link->data))
      seqex_dialogue_activate (link->data);
}

static void
wake (SeqexDriver  *self,
      GIOCondition  condition)
{
  g_autoptr (SeqexDriver) driver = seqex_driver_ref (self);
  guint64 now = seqex_driver_read_clock (self);

  self->serial++;
  self->waking++;
  self->ready = FALSE;
  self->unsent = TRUE;
  self->unarmed = TRUE;
  check_process (self);
  empty_mail (self, TRUE);
  if (self->core != NULL)
    {
      check_machine (self, now);
      if (condition != 0 && self->transport != NULL)
        seqex_transport_read (self, condition, now);

      /* What was not due when this was armed, and is now, is so in the next iteration. */
      if (now >= self->armed || is_blocked (self))
        {
          seqex_waits_expire (self, now);
          sqx_endpoint_handle_timeout (self->core, now);
          seqex_transport_write (self);
        }
      if (self->retry <= now)
        self->retry = SQX_TIME_NEVER;
    }
  collect (self);
  activate_heard (self);

  /* Acknowledgements of what came travel with what the program says to it. */
  deliver (self, DELIVERY_LIMIT);
  seqex_driver_flush (self);
  if (self->active.length > 0 && !self->stopped)
    deliver (self, 0);
  self->waking--;
  SEQEX_NOTE (WAKE, "%p: woken by %s, %s", self, condition != 0 ? "the transport" : "itself",
              self->ready ? "and again at once" : "done");
}

static gboolean
readable_cb (GDatagramBased *transport,
             GIOCondition    condition,
             gpointer        user_data)
{
  wake (user_data, condition | G_IO_IN);
  return G_SOURCE_CONTINUE;
}

static void
stop_waiting (SeqexDriver *self)
{
  if (self->writable != NULL)
    g_source_destroy (self->writable);
  g_clear_pointer (&self->writable, g_source_unref);
  if (self->waits_writable && self->polled != NULL)
    g_source_modify_unix_fd (self->wake, self->polled, G_IO_IN);
  self->waits_writable = FALSE;
}

static gboolean
writable_cb (GDatagramBased *transport,
             GIOCondition    condition,
             gpointer        user_data)
{
  stop_waiting (user_data);
  wake (user_data, 0);
  return G_SOURCE_REMOVE;
}

static GSource *
watch (SeqexDriver  *self,
       GIOCondition  condition)
{
  GSource *source = g_datagram_based_create_source (self->transport, condition, NULL);
  gboolean readable = condition == G_IO_IN;

  g_source_set_static_name (source, readable ? "[seqex] readable" : "[seqex] writable");
  g_source_set_callback (source, G_SOURCE_FUNC (readable ? readable_cb : writable_cb), self, NULL);
  /* A handler may run a nested main loop, which needs the connections to go on. */
  g_source_set_can_recurse (source, TRUE);
  g_source_attach (source, self->context);
  return source;
}

void
seqex_driver_watch_writable (SeqexDriver *self)
{
  self->waits_writable = TRUE;
  if (self->polled != NULL)
    g_source_modify_unix_fd (self->wake, self->polled, G_IO_IN | G_IO_OUT);
  else
    self->writable = watch (self, G_IO_OUT);
}

static gboolean
is_pending (SeqexDriver *self)
{
  if (self->ready || self->unsent || self->active.length > 0 || g_atomic_pointer_get (&self->mail) != NULL
      || (self->news != NULL && g_atomic_int_get (&self->news->changed))
      || (self->owner != NULL && self->funcs->is_due (self->owner)))
    return TRUE;

  for (GList *link = self->unheard.head; link != NULL; link = link->next)
    if (seqex_delivery_is_due (link->data))
      return TRUE;
  return FALSE;
}

static gboolean
prepare_wake (GSource *source,
              int     *timeout)
{
  SeqexDriver *self = ((WakeSource *) source)->driver;
  guint64 now = (guint64) g_source_get_time (source);

  *timeout = -1;
  /* In every iteration: what is pending must not keep what is due from being seen. */
  if (self->unarmed)
    arm (self, now);
  if (is_pending (self))
    return TRUE;
  if (self->armed == SQX_TIME_NEVER)
    return FALSE;
  if (self->armed > now)
    *timeout = (int) MIN ((self->armed - now + 999) / 1000, G_MAXINT);
  return self->armed <= now;
}

static GIOCondition
query (SeqexDriver *self,
       gpointer     tag)
{
  return tag != NULL ? g_source_query_unix_fd (self->wake, tag) : 0;
}

static gboolean
check_wake (GSource *source)
{
  SeqexDriver *self = ((WakeSource *) source)->driver;

  return query (self, self->polled) != 0 || query (self, self->timed) != 0 || is_pending (self)
         || self->armed <= (guint64) g_source_get_time (source);
}

static gboolean
dispatch_wake (GSource     *source,
               GSourceFunc  callback,
               gpointer     user_data)
{
  SeqexDriver *self = ((WakeSource *) source)->driver;
  GIOCondition condition = query (self, self->polled);
  guint64 n_expired;

  /* It stays readable otherwise. */
  if (query (self, self->timed) != 0
      && read (self->timer, &n_expired, sizeof n_expired) == sizeof n_expired)
    self->timer_at = SQX_TIME_NEVER;
  if (condition & G_IO_OUT)
    stop_waiting (self);
  wake (self, condition & ~G_IO_OUT);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs wake_funcs = {
  .prepare  = prepare_wake,
  .check    = check_wake,
  .dispatch = dispatch_wake,
};

/* Life ---------------------------------------------------------------------------------- */

SeqexDriver *
seqex_driver_new (void)
{
  static GOnce once = G_ONCE_INIT;
  SeqexDriver *self = g_atomic_rc_box_new0 (SeqexDriver);

  g_once (&once, watch_forks, NULL);
  self->context = g_main_context_ref_thread_default ();
  self->thread = g_thread_self ();
  self->n_forks = n_forks;
  self->asleep = time_asleep ();
  self->armed = SQX_TIME_NEVER;
  self->retry = SQX_TIME_NEVER;
  self->timer = -1;
  self->timer_at = SQX_TIME_NEVER;
  self->deadlines = g_sequence_new (NULL);

  self->wake = g_source_new (&wake_funcs, sizeof (WakeSource));
  ((WakeSource *) self->wake)->driver = self;
  g_source_set_static_name (self->wake, "[seqex] wake");
  g_source_set_can_recurse (self->wake, TRUE);
  g_source_attach (self->wake, self->context);
  return self;
}

SeqexDriver *
seqex_driver_ref (SeqexDriver *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
stop (SeqexDriver *self)
{
  if (self->stopped)
    return;

  self->stopped = TRUE;
  seqex_driver_close_transport (self);
  g_source_destroy (self->wake);
  if (self->timer >= 0)
    close (self->timer);
  if (self->news != NULL)
    {
      g_signal_handler_disconnect (self->news->monitor, self->news->handler_id);
      release_news (g_steal_pointer (&self->news), NULL);
    }
  g_clear_pointer (&self->core, sqx_endpoint_free);
  empty_mail (self, FALSE);
}

static void
finalize (SeqexDriver *self)
{
  stop (self);
  g_source_unref (self->wake);
  g_clear_error (&self->send_error);
  g_clear_object (&self->spare_result);
  g_clear_object (&self->spare_message);
  g_sequence_free (self->deadlines);
  g_main_context_unref (self->context);
}

void
seqex_driver_unref (SeqexDriver *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) finalize);
}

gboolean
seqex_driver_start (SeqexDriver               *self,
                    const sqx_endpoint_config *config)
{
  self->core = sqx_endpoint_new (config, seqex_driver_now ());
  return self->core != NULL;
}

void
seqex_driver_set_transport (SeqexDriver    *self,
                            GDatagramBased *transport,
                            gboolean        addressed)
{
  self->transport = g_object_ref (transport);
  self->addressed = addressed;
  if (!G_IS_SOCKET (transport))
    {
      self->readable = watch (self, G_IO_IN);
      return;
    }
  seqex_udp_init (&self->udp, G_SOCKET (transport), addressed);
  self->polled = g_source_add_unix_fd (self->wake, g_socket_get_fd (G_SOCKET (transport)), G_IO_IN);
}

void
seqex_driver_close_transport (SeqexDriver *self)
{
  stop_waiting (self);
  if (self->readable != NULL)
    g_source_destroy (self->readable);
  g_clear_pointer (&self->readable, g_source_unref);
  if (self->polled != NULL)
    g_source_remove_unix_fd (self->wake, g_steal_pointer (&self->polled));
  seqex_udp_clear (&self->udp);

  seqex_transport_drop_batch (self);
  g_clear_object (&self->transport);
  self->retry = SQX_TIME_NEVER;
}

void
seqex_driver_set_owner (SeqexDriver            *self,
                        GObject                *owner,
                        const SeqexDriverFuncs *funcs)
{
  self->owner = owner;
  self->funcs = funcs;
  if (owner == NULL)
    seqex_driver_release (self);
}

guint64
seqex_driver_count_foreign (SeqexDriver *self)
{
  guint64 n = self->n_foreign;

  if (self->core != NULL)
    {
      const sqx_endpoint_counters *counters = sqx_endpoint_counters_get (self->core);

#define ADD(name) n += counters->name;
      SQX_ENDPOINT_COUNTERS (ADD)
#undef ADD
    }
  return n;
}

void
seqex_driver_release (SeqexDriver *self)
{
  if (self->owner == NULL && self->all.length == 0)
    stop (self);
}
