/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * R6: what one datagram can cost at most, beside a datagram full of small questions. Processor time
 * is not the same twice, so nothing of this goes into a hash, each cost is the least of several
 * measurements, and the margin is wide.
 */

#include "sim-hostile.h"

#include "seqex/core/sqx-util.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Times the normal cost that a datagram may have. */
#define MARGIN  10
#define REPEATS 5
#define PACKETS 200

static const uint8_t zeros[SQX_DATAGRAM_MAX];

typedef struct
{
  const char *name;
  uint64_t    packets;
  void (*prepare) (sim_hostile *hostile);              /* before each measurement */
  void (*fill)    (sim_hostile *hostile, uint64_t i);  /* one packet */
} expense;

static uint64_t
processor_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
  return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

/* Straight into the core, and out of it again: nothing of the simulator is measured. */
static uint64_t
feed (sim_hostile *hostile)
{
  static uint8_t out[SQX_DATAGRAM_MAX];
  sim_end *victim = hostile->victim;
  uint64_t now = ++hostile->world->now;
  uint64_t begin = processor_time ();
  sqx_event event;

  sim_end_enter (victim);
  sqx_conn_handle_datagram (victim->conn, now, hostile->buffer, hostile->writer.size);
  sqx_conn_handle_timeout (victim->conn, now);
  while (sqx_conn_poll_transmit (victim->conn, now, out, sizeof out) > 0)
    ;
  while (sqx_conn_poll_event (victim->conn, &event))
    {
      free (event.message.data);
      if (event.type == SQX_EVENT_CLOSED)
        sim_fail (hostile->world, "closed while costs are measured: %s", event.reason_text);
    }
  sim_end_leave ();
  return processor_time () - begin;
}

/* The program takes and answers what came: the cost of this is no packet's. */
static void
answer_all (sim_hostile *hostile)
{
  sim_end *victim = hostile->victim;
  sqx_message message;

  sim_end_enter (victim);
  while (sqx_conn_receive (victim->conn, hostile->world->now, 0, &message))
    {
      free (message.data);
      sqx_conn_end (victim->conn, hostile->world->now, &message.id, SQX_END_ENDED);
    }
  sim_end_leave ();
}

static sim_hostile *
begin (sim_world *world)
{
  sim_end *victim;
  sim_hostile *hostile = sim_hostile_new (world, &victim);

  victim->config.exchange_credit = SQX_EXCHANGES_MAX;
  victim->config.byte_window = victim->config.byte_window_max = SQX_WINDOW_MAX;
  victim->config.idle_timeout = SQX_TIME_NEVER;
  /* Not paced, so that a flight is made at once. */
  victim->config.controller = &sqx_newreno;
  victim->config.max_message_size = SQX_MESSAGE_MAX_MAX;
  hostile->hello.byte_credit = SQX_WINDOW_MAX;
  hostile->hello.max_message_size = SQX_MESSAGE_MAX_MIN;
  hostile->hello.exchange_credit = SQX_EXCHANGES_MAX;
  sim_end_open (victim);
  hostile->acks_all = true;
  sim_hostile_connect (hostile);
  sim_hostile_wait (hostile, SIM_SEC);
  hostile->acks_all = false;
  return hostile;
}

static bool
has_room (const sim_hostile *hostile,
          size_t             size)
{
  return sqx_writer_room (&hostile->writer) >= size;
}

/* What is measured ---------------------------------------------------------------------- */

static void
prepare_nothing (sim_hostile *hostile)
{
}

/* Normal: questions of 16 bytes, 52 to a datagram. */
static void
fill_questions (sim_hostile *hostile,
                uint64_t     i)
{
  for (uint64_t n = 0; has_room (hostile, 40); n++)
    sim_hostile_message (hostile, 0, hostile->messages++, 0, 0, 0, 0, zeros, 16);
}

/* What the victim sent and nobody acknowledged yet. */
static sqx_range sent[64];
static size_t    sent_count;

static void
note_sent (sim_hostile *hostile,
           uint64_t     number)
{
  hostile->newest = (uint32_t) number;
  if (sent_count > 0 && sent[sent_count - 1].end == number)
    sent[sent_count - 1].end++;
  else if (sent_count < sizeof sent / sizeof *sent)
    sent[sent_count++] = (sqx_range) { number, number + 1 };
}

static void
drain (sim_hostile *hostile)
{
  static uint8_t out[SQX_DATAGRAM_MAX];
  sqx_conn *conn = hostile->victim->conn;

  while (sqx_conn_poll_transmit (conn, hostile->world->now, out, sizeof out) > 0)
    note_sent (hostile, sqx_get_be32 (out + 13));
}

/* Thousands in flight at the victim: the window is opened by acknowledging all, some times. */
static void
prepare_flight (sim_hostile *hostile)
{
  sim_end *victim = hostile->victim;
  sqx_payload payload = { zeros, 16000, NULL };

  sent_count = 0;
  sim_end_enter (victim);
  sqx_conn_set_queue_limit (victim->conn, UINT64_MAX);
  for (int i = 0; i < 5000; i++)
    sqx_conn_send (victim->conn, hostile->world->now, 0, &payload, 0, NULL, NULL);
  for (int round = 0; round < 5; round++)
    {
      drain (hostile);
      sim_hostile_begin (hostile);
      sqx_write_ack (&hostile->writer, sent, sent_count, 0);
      sent_count = 0;
      hostile->world->now += SIM_MS;
      sqx_conn_handle_datagram (victim->conn, hostile->world->now, hostile->buffer,
                                hostile->writer.size);
    }
  drain (hostile);
  sim_end_leave ();
}

static bool
was_sent (uint64_t number)
{
  for (size_t i = 0; i < sent_count; i++)
    if (number >= sent[i].start && number < sent[i].end)
      return true;
  return false;
}

/* As many ranges as fit, of a packet each, the same again and again. */
static void
fill_ack_ranges (sim_hostile *hostile,
                 uint64_t     i)
{
  sqx_writer *writer = &hostile->writer;
  uint8_t type = SQX_FRAME_ACK;
  uint64_t count = (sqx_writer_room (writer) - 32) / 2;
  uint64_t low = sent[0].start + 4 * count;

  if (sent_count == 0 || sent[sent_count - 1].end < low)
    sim_fail (hostile->world, "too few packets are in flight");
  while (low > sent[0].start && !was_sent (low))
    low--;
  sim_hostile_raw (hostile, &type, 1);
  sqx_write_varint (writer, low);
  sqx_write_varint (writer, 0);
  sqx_write_varint (writer, count);
  sqx_write_varint (writer, 0);
  for (; count > 0; count--)
    {
      uint64_t next = low - 3;

      while (next > sent[0].start && !was_sent (next))
        next--;
      sqx_write_varint (writer, low - next - 2);
      sqx_write_varint (writer, 0);
      low = next;
    }
}

/* All that there is, in every frame. */
static void
fill_ack_all (sim_hostile *hostile,
              uint64_t     i)
{
  while (has_room (hostile, 300))
    sqx_write_ack (&hostile->writer, sent, sent_count, 0);
}

/* Every other packet number is missing. */
static void
fill_gaps (sim_hostile *hostile,
           uint64_t     i)
{
  hostile->number++;
  sqx_write_ping (&hostile->writer);
}

static void
fill_empty_datagrams (sim_hostile *hostile,
                      uint64_t     i)
{
  static const uint8_t empty[] = { SQX_FRAME_DATAGRAM_LENGTH, 0 };

  while (has_room (hostile, 2))
    sim_hostile_raw (hostile, empty, 2);
}

/* Single bytes of one message, each in the middle of those before. */
static void
fill_fragments (sim_hostile *hostile,
                uint64_t     i)
{
  uint64_t total = SQX_MESSAGE_MAX_DEFAULT;

  for (uint64_t n = 0; has_room (hostile, 24); n++)
    {
      uint64_t at = i * 60 + n;

      sim_hostile_message (hostile, 0, hostile->messages, SQX_WIRE_FRAGMENT, 0, total,
                           at % 2 == 0 ? 100000 - 2 * at : 100000 + 2 * at, zeros, 1);
    }
}

static void
prepare_fragments (sim_hostile *hostile)
{
  /* The buffer grows with what has arrived; with this, all of it is allowed. */
  hostile->messages++;
  for (uint64_t at = 0; at < 1000 * 1000; at += 2000)
    {
      sim_hostile_begin (hostile);
      sim_hostile_message (hostile, 0, hostile->messages, SQX_WIRE_FRAGMENT, 0,
                           SQX_MESSAGE_MAX_DEFAULT, 200000 + at % 800000, zeros, 1000);
      feed (hostile);
    }
}

/* A long run that ends nothing, again and again, between messages that stay open. */
static void
prepare_open (sim_hostile *hostile)
{
  sim_end *victim = hostile->victim;
  sqx_payload payload = { zeros, 1, NULL };

  sim_end_enter (victim);
  for (int i = 0; i < 30000; i++)
    sqx_conn_send (victim->conn, hostile->world->now, 0, &payload, 0, NULL, NULL);
  drain (hostile);
  sim_end_leave ();
  sim_hostile_begin (hostile);
  sim_hostile_end (hostile, 0, 0, 0, 20000);
  feed (hostile);
}

static void
fill_ends (sim_hostile *hostile,
           uint64_t     i)
{
  while (has_room (hostile, 32))
    sim_hostile_end (hostile, 0, 0, 0, 20000);
}

static void
fill_cancels (sim_hostile *hostile,
              uint64_t     i)
{
  for (uint64_t n = 0; has_room (hostile, 24); n++)
    sqx_write_cancel (&hostile->writer, 0, hostile->messages++, 0, false, 0);
}

/* 32 000 wait for credit, and it comes in the smallest of portions. */
static void
prepare_queue (sim_hostile *hostile)
{
  sim_end *victim = hostile->victim;
  sqx_payload payload = { zeros, 16000, NULL };

  sim_end_enter (victim);
  sqx_conn_set_queue_limit (victim->conn, UINT64_MAX);
  for (int i = 0; i < 32000; i++)
    sqx_conn_send (victim->conn, hostile->world->now, (uint32_t) i % 16, &payload, 0, NULL, NULL);
  sim_end_leave ();
}

static void
fill_credits (sim_hostile *hostile,
              uint64_t     i)
{
  while (has_room (hostile, 24))
    sqx_write_credit (&hostile->writer, SQX_WINDOW_MAX + hostile->credit_bytes++,
                      SQX_EXCHANGES_MAX);
}

/* As many parameters as HELLO holds, all unknown. */
static void
fill_hello (sim_hostile *hostile,
            uint64_t     i)
{
  uint8_t bytes[SQX_HELLO_MAX];
  sqx_writer writer = { bytes, 0, sizeof bytes };

  writer.size = sqx_hello_encode (&hostile->hello, bytes);
  for (uint64_t id = 16; id < 16 + SQX_HELLO_PARAMETERS - 7; id++)
    {
      sqx_write_varint (&writer, id);
      sqx_write_varint (&writer, 0);
    }
  while (has_room (hostile, 520))
    sqx_write_hello (&hostile->writer, bytes, writer.size);
}

/* A message on each channel in turn. */
static void
fill_channels (sim_hostile *hostile,
               uint64_t     i)
{
  for (uint64_t n = 0; has_room (hostile, 24); n++)
    sim_hostile_message (hostile, hostile->messages % 256, hostile->messages / 256, 0, 0, 0, 0,
                         zeros, 0), hostile->messages++;
}

static const expense expenses[] = {
  { "normal", PACKETS, prepare_nothing, fill_questions },
  { "ranges in ACK", PACKETS, prepare_flight, fill_ack_ranges },
  { "ACK of everything", PACKETS, prepare_flight, fill_ack_all },
  { "gaps in packet numbers", PACKETS, prepare_nothing, fill_gaps },
  { "empty datagrams", PACKETS, prepare_nothing, fill_empty_datagrams },
  { "fragments", 130, prepare_fragments, fill_fragments },
  { "runs of ends", PACKETS, prepare_open, fill_ends },
  { "cancels", PACKETS, prepare_nothing, fill_cancels },
  { "credit for a long queue", PACKETS, prepare_queue, fill_credits },
  { "parameters of HELLO", PACKETS, prepare_nothing, fill_hello },
  { "channels", PACKETS, prepare_nothing, fill_channels },
};

static uint64_t
measure (sim_world     *world,
         const expense *it,
         sim_hostile   *hostile)
{
  uint64_t spent = 0;

  hostile->messages = 0;
  it->prepare (hostile);
  for (uint64_t i = 0; i < it->packets; i++)
    {
      sim_hostile_begin (hostile);
      it->fill (hostile, i);
      spent += feed (hostile);
      if (i % 4 == 3 && it->prepare == prepare_nothing)
        answer_all (hostile);
    }
  return spent / it->packets;
}

static uint64_t
least_of (sim_world     *world,
          const expense *it)
{
  uint64_t least = UINT64_MAX;

  for (int i = 0; i < REPEATS; i++)
    {
      sim_hostile *hostile = begin (world);
      uint64_t cost = measure (world, it, hostile);

      if (cost < least)
        least = cost;
      sim_end_kill (hostile->victim);
      hostile->self->tap = NULL;
      sim_hostile_free (hostile);
    }
  return least;
}

static void
run_costs (sim_world *world)
{
  const expense *it = &expenses[1 + world->seed % (sizeof expenses / sizeof *expenses - 1)];
  uint64_t normal, cost;

  world->weak = true;
  normal = least_of (world, &expenses[0]);
  cost = least_of (world, it);
  SIM_TRACE (world, NULL, "%s: %llu ns, normal %llu ns", it->name, (unsigned long long) cost,
             (unsigned long long) normal);
  if (cost > MARGIN * normal)
    sim_fail (world, "a datagram of %s costs %llu ns, a normal one %llu ns", it->name,
              (unsigned long long) cost, (unsigned long long) normal);
}

const sim_scenario sim_scenarios_costs[] = {
  { "costs", run_costs, sizeof expenses / sizeof *expenses - 1,
    sizeof expenses / sizeof *expenses - 1, "R6: the processor time of one datagram" },
  { NULL, NULL, 0, 0, NULL },
};
