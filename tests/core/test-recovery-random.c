/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Random traces of recovery against an oracle.
 */
#include "recovery-fixture.h"

/* RFC 9002 with a list of all packets that is walked from end to end each time. */
typedef struct
{
  guint64        time;
  guint64        lost_at;
  guint16        size;
  gboolean       eliciting;
  gboolean       limited;
  gboolean       received; /* by the peer, or will be */
  sqx_sent_state state;
} Packet;

typedef struct
{
  GArray  *packets;
  sqx_cc   cc;
  sqx_rtt  rtt;
  sqx_reorder reorder;
  guint    episode_end;
  guint64  first_sample;
  gint64   largest_acked; /* -1: none */
  guint64  loss_time;
  guint64  pto_start;
  guint    pto_count, probes;
  guint64  lost, spurious;
  guint64  least_remembered; /* three times the smallest probe time-out so far */
  GString *told;
} Oracle;

#define PACKET(o, i) (&g_array_index ((o)->packets, Packet, (i)))

static guint64
oracle_in_flight (const Oracle *o)
{
  guint64 bytes = 0;

  for (guint i = 0; i < o->packets->len; i++)
    if (PACKET (o, i)->state == SQX_SENT_OUTSTANDING && PACKET (o, i)->eliciting)
      bytes += PACKET (o, i)->size;
  return bytes;
}

static guint64
oracle_deadline (const Oracle *o)
{
  if (o->loss_time != SQX_TIME_NEVER)
    return o->loss_time;
  if (oracle_in_flight (o) == 0)
    return SQX_TIME_NEVER;
  return o->pto_start + sqx_rtt_pto (&o->rtt, SQX_ACK_DELAY_DEFAULT, o->pto_count);
}

static void
oracle_sent (Oracle  *o,
             guint64  now,
             guint16  size,
             gboolean eliciting,
             gboolean limited,
             gboolean received)
{
  Packet packet = { now, 0, size, eliciting, limited, received, SQX_SENT_OUTSTANDING };

  g_array_append_val (o->packets, packet);
  if (!eliciting)
    return;
  o->pto_start = now;
  if (o->probes > 0)
    o->probes--;
  if (limited && oracle_in_flight (o) <= o->cc.window / 2)
    for (guint i = 0; i < o->packets->len; i++)
      PACKET (o, i)->limited = TRUE;
}

/* Whether two of the packets lost right now, nothing acknowledged in between, are far enough
 * apart. */
static gboolean
oracle_is_persistent (const Oracle *o,
                      GArray       *lost)
{
  guint64 duration = sqx_rtt_persistent_duration (&o->rtt, SQX_ACK_DELAY_DEFAULT);

  for (guint i = 0; i < lost->len; i++)
    for (guint j = i + 1; j < lost->len; j++)
      {
        guint from = g_array_index (lost, guint, i);
        guint to = g_array_index (lost, guint, j);
        gboolean broken = FALSE;

        for (guint k = from; k < to; k++)
          broken |= PACKET (o, k)->state == SQX_SENT_DONE;
        if (!broken && PACKET (o, from)->eliciting && PACKET (o, to)->eliciting &&
            o->rtt.sampled && PACKET (o, from)->time > o->first_sample &&
            PACKET (o, to)->time - PACKET (o, from)->time > duration)
          return TRUE;
      }
  return FALSE;
}

static GString *
oracle_detect (Oracle  *o,
               guint64  now)
{
  g_autoptr (GArray) lost = g_array_new (FALSE, FALSE, sizeof (guint));
  GString *told = g_string_new (NULL);
  guint64 newest = SQX_TIME_NEVER;
  gboolean begun = FALSE;

  o->loss_time = SQX_TIME_NEVER;
  for (guint i = 0; (gint64) i < o->largest_acked; i++)
    {
      Packet *packet = PACKET (o, i);
      guint64 due = packet->time + sqx_reorder_delay (&o->reorder, &o->rtt);

      if (packet->state != SQX_SENT_OUTSTANDING)
        continue;
      if (o->largest_acked - (gint64) i >= o->reorder.packets || due <= now)
        {
          packet->state = SQX_SENT_LOST;
          packet->lost_at = now;
          o->lost++;
          begun |= packet->eliciting && i >= o->episode_end;
          g_string_append_printf (told, "-%u ", i);
          g_array_append_val (lost, i);
          if (packet->eliciting)
            newest = packet->time;
        }
      else if (packet->eliciting)
        {
          o->loss_time = MIN (o->loss_time, due);
        }
    }
  if (begun)
    {
      sqx_reorder_episode (&o->reorder);
      o->episode_end = o->packets->len;
    }
  if (newest != SQX_TIME_NEVER)
    sqx_newreno.lost (&o->cc, now, 0, &(sqx_sent_packet) { .time = newest },
                      &(sqx_rate) { 0 });
  if (oracle_is_persistent (o, lost))
    sqx_newreno.persistent (&o->cc);
  return told;
}

/* @kept: what the unit under test still remembers; which numbers it may forget is checked
 * elsewhere. */
static void
oracle_ack (Oracle     *o,
            guint64     now,
            guint64     delay,
            guint64     kept,
            const Span *spans,
            gsize       n)
{
  g_autoptr (GArray) acked = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autoptr (GArray) flown = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autoptr (GString) acked_told = g_string_new (NULL);
  g_autoptr (GString) lost_told = NULL;
  Packet *largest = PACKET (o, spans[n - 1].high);
  gboolean largest_is_new = FALSE;

  for (gsize s = 0; s < n; s++)
    for (guint i = (guint) MAX (spans[s].low, kept); i <= spans[s].high; i++)
      if (PACKET (o, i)->state != SQX_SENT_DONE)
        {
          Packet *packet = PACKET (o, i);

          g_assert_cmpint (packet->state, !=, SQX_SENT_SKIPPED);
          g_array_append_val (acked, i);
          g_string_append_printf (acked_told, "+%u ", i);
          if (packet->state == SQX_SENT_LOST)
            {
              o->spurious++;
              sqx_reorder_spurious (&o->reorder, &o->rtt, now, packet->time,
                                    (guint64) MAX (o->largest_acked, (gint64) spans[n - 1].high) - i);
            }
          else if (packet->eliciting)
            g_array_append_val (flown, i);
          packet->state = SQX_SENT_DONE;
          largest_is_new |= packet == largest;
        }
  if (acked->len == 0)
    return;

  o->largest_acked = MAX (o->largest_acked, (gint64) spans[n - 1].high);
  if (largest_is_new && largest->eliciting)
    {
      if (!o->rtt.sampled)
        o->first_sample = now;
      sqx_rtt_add_sample (&o->rtt, now - largest->time, MIN (delay, SQX_ACK_DELAY_DEFAULT));
      sqx_cc_set_floor (&o->cc, MAX (o->rtt.min, 1));
    }
  lost_told = oracle_detect (o, now);
  for (guint i = 0; i < flown->len; i++)
    {
      Packet *packet = PACKET (o, g_array_index (flown, guint, i));

      sqx_newreno.acked (&o->cc, now, 0, &(sqx_sent_packet) {
                           .time = packet->time,
                           .size = packet->size,
                           .limited = packet->limited & 1,
                         });
    }
  g_string_append_printf (o->told, "%s%s", acked_told->str, lost_told->str);
  o->pto_count = o->probes = 0;
}

static void
oracle_timeout (Oracle  *o,
                guint64  now)
{
  if (o->loss_time <= now)
    {
      g_autoptr (GString) lost_told = oracle_detect (o, now);

      g_string_append (o->told, lost_told->str);
    }
  if (oracle_deadline (o) <= now)
    {
      guint i = 0;

      o->probes = o->pto_count == 1 || o->pto_count == 2 ? 2 : 1;
      o->pto_count++;
      o->pto_start = now;
      while (PACKET (o, i)->state != SQX_SENT_OUTSTANDING || !PACKET (o, i)->eliciting)
        i++;
      g_string_append_printf (o->told, "-%u ", i);
    }
}

/* Packets at the front that nobody was asked to acknowledge are given up with time. */
static void
oracle_give_up (Oracle  *o,
                guint64  now)
{
  guint64 remembered = 3 * sqx_rtt_pto (&o->rtt, SQX_ACK_DELAY_DEFAULT, 0);

  for (guint i = 0; i < o->packets->len; i++)
    {
      Packet *packet = PACKET (o, i);

      if (packet->state != SQX_SENT_OUTSTANDING)
        continue;
      if (packet->eliciting || packet->time + remembered >= now)
        return;
      packet->state = SQX_SENT_DONE;
    }
}

static void
compare (Fixture *f,
         Oracle  *o,
         guint64  kept_before)
{
  const sqx_recovery *r = &f->recovery;
  guint64 remembered = 3 * sqx_recovery_pto (r);

  g_assert_cmpstr (f->told->str, ==, o->told->str);
  g_string_truncate (f->told, 0);
  g_string_truncate (o->told, 0);
  check_sums (r);
  g_assert_cmpuint (r->bytes_in_flight, ==, oracle_in_flight (o));
  if (oracle_deadline (o) != SQX_TIME_NEVER)
    g_assert_cmpuint (sqx_recovery_deadline (r), ==, oracle_deadline (o));
  else
    assert_rests (f);
  g_assert_cmpuint (r->pto_count, ==, o->pto_count);
  g_assert_cmpuint (r->probes, ==, o->probes);
  g_assert_cmpuint (r->packets_lost, ==, o->lost);
  g_assert_cmpuint (r->spurious_losses, ==, o->spurious);
  g_assert_cmpuint (r->cc.window, ==, o->cc.window);
  g_assert_cmpuint (r->cc.newreno.acked, ==, o->cc.newreno.acked);
  g_assert_cmpuint (r->rtt.smoothed, ==, o->rtt.smoothed);
  g_assert_cmpuint (r->sent.next_number, ==, o->packets->len);
  o->least_remembered = MIN (o->least_remembered, remembered);
  for (guint64 i = r->sent.first_number; i < r->sent.next_number; i++)
    g_assert_cmpint (sqx_sent_get (&r->sent, i)->state, ==, PACKET (o, i)->state);

  /* What was forgotten was settled, and long enough ago. */
  for (guint64 i = kept_before; i < r->sent.first_number; i++)
    {
      const Packet *packet = PACKET (o, i);

      g_assert_cmpint (packet->state, !=, SQX_SENT_OUTSTANDING);
      if (packet->state == SQX_SENT_LOST)
        g_assert_cmpuint (packet->lost_at + remembered, <, f->now);
      if (packet->state == SQX_SENT_SKIPPED)
        g_assert_cmpuint (packet->time + o->least_remembered, <, f->now);
    }
}

/* An ACK of some of the highest ranges of what the peer has, as of up to @lag packets ago. */
static gsize
make_ack (const Oracle *o,
          guint         lag,
          Span         *spans,
          gsize         max)
{
  gsize n = 0;
  gint64 i = (gint64) o->packets->len - 1 - (gint64) lag;

  for (; i >= 0; i--)
    {
      const Packet *packet = PACKET (o, i);

      if (packet->state == SQX_SENT_SKIPPED || !packet->received)
        continue;
      if (n > 0 && spans[n - 1].low == (guint64) i + 1)
        spans[n - 1].low = (guint64) i;
      else if (n == max)
        break;
      else
        spans[n++] = (Span) { (guint64) i, (guint64) i };
    }
  for (gsize a = 0; a < n / 2; a++)
    {
      Span other = spans[a];

      spans[a] = spans[n - 1 - a];
      spans[n - 1 - a] = other;
    }
  return n;
}

/* Of what is acknowledged, the peer may forget the lowest; and what was late arrives. */
static void
random_ack (Fixture *f,
            Oracle  *o)
{
  Span spans[20];
  guint lag = MIN ((guint) g_test_rand_int_range (0, 12), o->packets->len);
  guint64 delay = (guint64) g_test_rand_int_range (0, 60 * MS);
  gsize n;

  for (guint i = 0; i < 3 && o->packets->len > 0; i++)
    {
      guint back = (guint) g_test_rand_int_range (0, 30);

      if (back < o->packets->len)
        PACKET (o, o->packets->len - 1 - back)->received = TRUE;
    }
  n = make_ack (o, lag, spans, (gsize) g_test_rand_int_range (1, G_N_ELEMENTS (spans)));
  if (n == 0)
    return;
  oracle_ack (o, f->now, delay, f->recovery.sent.first_number, spans, n);
  g_assert_cmpint (ack_spans (f, delay, spans, n), ==, SQX_OK);
}

static void
random_step (Fixture *f,
             Oracle  *o,
             guint    loss)
{
  guint64 kept = f->recovery.sent.first_number;
  gint action = g_test_rand_int_range (0, 100);

  if (action < 55)
    {
      gboolean eliciting = g_test_rand_int_range (0, 4) > 0;
      gboolean limited = g_test_rand_int_range (0, 8) == 0;
      guint16 size = (guint16) g_test_rand_int_range (30, DATAGRAM + 1);

      if (eliciting && sqx_recovery_room (&f->recovery) < size)
        return;
      oracle_sent (o, f->now, size, eliciting, limited,
                   (guint) g_test_rand_int_range (0, 100) >= loss);
      send_packet (f, size, eliciting, limited);
    }
  else if (action < 75)
    {
      random_ack (f, o);
    }
  else if (action < 77)
    {
      Packet packet = { .time = f->now, .state = SQX_SENT_SKIPPED };

      skip (f);
      g_array_append_val (o->packets, packet);
    }
  else if (action < 80)
    {
      guint64 next = f->recovery.sent.next_number;

      assert_refused (f, (Span []) { { next, next + 5 } }, 1);
      for (guint64 i = kept; i < next; i++)
        if (PACKET (o, i)->state == SQX_SENT_SKIPPED)
          assert_refused (f, (Span []) { { i / 2, i } }, 1);
    }
  else
    {
      f->now += (guint64) g_test_rand_int_range (0, action < 99 ? 30 * MS : 900 * MS);
      if (sqx_recovery_deadline (&f->recovery) <= f->now || action == 80)
        {
          oracle_timeout (o, f->now);
          sqx_recovery_on_timeout (&f->recovery, f->now);
          g_assert_true (f->recovery.probes > 0 ||
                         sqx_recovery_deadline (&f->recovery) > f->now);
          oracle_give_up (o, f->now);
        }
    }

  if (action < 75)
    {
      /* The unit gives up when it sends and when an ACK says something new, and only then. */
      if (action < 55 || f->told->len > 0)
        oracle_give_up (o, f->now);
    }
  compare (f, o, kept);
}

static void
test_random (void)
{
  for (guint run = 0; run < 60; run++)
    {
      guint loss = run % 6 * 15;
      Fixture f;
      Oracle o = {
        .packets = g_array_new (FALSE, FALSE, sizeof (Packet)),
        .largest_acked = -1,
        .loss_time = SQX_TIME_NEVER,
        .least_remembered = G_MAXUINT64,
        .told = g_string_new (NULL),
      };

      set_up (&f);
      sqx_cc_init (&o.cc, &sqx_newreno, DATAGRAM, 0);
      sqx_rtt_init (&o.rtt);
      sqx_reorder_init (&o.reorder);
      for (guint i = 0; i < 1500; i++)
        random_step (&f, &o, loss);
      g_array_free (o.packets, TRUE);
      g_string_free (o.told, TRUE);
      tear_down (&f);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/recovery-random/traces", test_random);
  return g_test_run ();
}
