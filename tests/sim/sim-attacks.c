/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Peers that mean harm: what they can make the victim hold, send or believe.
 */

#include "sim-hostile.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t zeros[SQX_DATAGRAM_MAX];

/* The attacker falls silent; the victim must come to rest. */
static void
leave (sim_hostile *hostile)
{
  sim_world *world = hostile->world;

  hostile->acks_all = false;
  world->close_after = true;
  sim_world_run (world);
  if (hostile->victim->account.current > 262144)
    sim_fail (world, "%llu bytes are left after the attack",
              (unsigned long long) hostile->victim->account.current);
  sim_hostile_free (hostile);
}

static sim_hostile *
begin (sim_world *world)
{
  sim_end *victim;
  sim_hostile *hostile = sim_hostile_new (world, &victim);

  victim->config.exchange_credit = 1 + sim_rng_scale (&world->rng, 0, 1023);
  victim->config.max_message_size = sim_rng_scale (&world->rng, SQX_MESSAGE_MAX_MIN,
                                                   SQX_MESSAGE_MAX_DEFAULT);
  if (sim_rng_chance (&world->rng, 5000))
    {
      victim->config.byte_window = 2 * (victim->config.max_message_size + SQX_MESSAGE_OVERHEAD);
      victim->config.byte_window_max = victim->config.byte_window;
    }
  sim_end_open (victim);
  sim_hostile_connect (hostile);
  return hostile;
}

/* R3 ------------------------------------------------------------------------------------ */

/* How many messages of @size the victim granted. */
static uint64_t
granted_messages (const sim_hostile *hostile,
                  uint64_t           size)
{
  uint64_t by_bytes = hostile->credit_bytes / (size + SQX_MESSAGE_OVERHEAD);

  return by_bytes < hostile->credit_exchanges ? by_bytes : hostile->credit_exchanges;
}

static void
send_fragment (sim_hostile *hostile,
               uint64_t     number,
               uint64_t     total,
               uint64_t     offset,
               size_t       size)
{
  sim_hostile_begin (hostile);
  sim_hostile_message (hostile, 0, number, SQX_WIRE_FRAGMENT, 0, total, offset, zeros, size);
  sim_hostile_send (hostile);
}

/* Single bytes, far from each other. */
static void
run_sparse (sim_world *world)
{
  sim_hostile *hostile = begin (world);
  uint64_t total = hostile->its_hello.max_message_size - sim_rng_below (&world->rng, 1000);
  uint64_t messages = granted_messages (hostile, total);

  for (uint64_t i = 0; i < 20000; i++)
    {
      uint64_t number = sim_rng_below (&world->rng, messages);

      send_fragment (hostile, number, total, sim_rng_below (&world->rng, total - 1), 1);
      if (i % 500 == 0)
        {
          sim_hostile_wait (hostile, SIM_MS);
          sim_hostile_check_memory (hostile, "sparse fragments");
        }
    }
  sim_hostile_wait (hostile, SIM_MS);
  sim_hostile_expect_alive (hostile, "sparse fragments");
  leave (hostile);
}

/* Everything but the last byte of everything, in order or not. */
static void
run_last_missing (sim_world *world)
{
  sim_hostile *hostile = begin (world);
  uint64_t total = sim_rng_scale (&world->rng, 2, hostile->its_hello.max_message_size);
  uint64_t messages = granted_messages (hostile, total);
  bool backwards = world->seed % 4 == 0;
  uint64_t sent = 0;

  for (uint64_t number = 0; number < messages; number++)
    for (uint64_t at = 0; at < total - 1; at += 1100)
      {
        uint64_t size = total - 1 - at < 1100 ? total - 1 - at : 1100;

        send_fragment (hostile, number, total, backwards ? total - 1 - at - size : at,
                       (size_t) size);
        if (++sent % 64 == 0)
          {
            sim_hostile_wait (hostile, 10);
            sim_hostile_check_memory (hostile, "missing last fragments");
          }
      }
  sim_hostile_wait (hostile, SIM_MS);
  sim_hostile_check_memory (hostile, "missing last fragments");
  sim_hostile_expect_alive (hostile, "missing last fragments");
  leave (hostile);
}

/* A size is claimed, and nearly nothing comes. */
static void
run_huge_claims (sim_world *world)
{
  sim_hostile *hostile = begin (world);
  uint64_t total = hostile->its_hello.max_message_size;
  uint64_t messages = granted_messages (hostile, total);
  uint64_t before = hostile->victim->account.current;

  for (uint64_t number = 0; number < messages; number++)
    send_fragment (hostile, number, total, 0, 1);
  sim_hostile_wait (hostile, SIM_MS);
  sim_hostile_expect_alive (hostile, "a claim");
  if (hostile->victim->account.current - before
      > messages * (SQX_FRAGMENT_SLACK + 1024) + 100000)
    sim_fail (world, "%llu claims make it allocate %llu bytes", (unsigned long long) messages,
              (unsigned long long) (hostile->victim->account.current - before));
  sim_hostile_check_memory (hostile, "claims");
  /* Larger than the limit, up to the largest number there is. */
  send_fragment (hostile, messages, sim_rng_scale (&world->rng, total + 1, SQX_VARINT_MAX), 0, 1);
  sim_hostile_wait (hostile, SIM_MS);
  sim_hostile_expect_violation (hostile, "a message larger than the limit");
  if (hostile->victim->account.largest > total + SQX_FRAGMENT_SLACK + 300000)
    sim_fail (world, "a claim makes it allocate %llu bytes at once",
              (unsigned long long) hostile->victim->account.largest);
  leave (hostile);
}

/* Overlapping fragments that contradict each other: the bytes that came first win. */
static void
run_overlaps (sim_world *world)
{
  sim_hostile *hostile = begin (world);
  uint64_t total = sim_rng_between (&world->rng, 16, 5000);
  uint8_t *wanted = malloc (total), *have = calloc (1, total);
  uint8_t bytes[600];
  uint64_t missing = total;
  sqx_message message;

  hostile->victim->program.habits.read_interval = 3600 * SIM_SEC;
  while (missing > 0)
    {
      uint64_t offset = sim_rng_below (&world->rng, total);
      uint64_t size = 1 + sim_rng_below (&world->rng, sizeof bytes);

      if (size > total - offset)
        size = total - offset;
      sim_rng_fill (&world->rng, bytes, size);
      for (uint64_t i = 0; i < size; i++)
        if (!have[offset + i])
          {
            have[offset + i] = 1;
            wanted[offset + i] = bytes[i];
            missing--;
          }
      sim_hostile_begin (hostile);
      sim_hostile_message (hostile, 0, 0, SQX_WIRE_FRAGMENT, 0, total, offset, bytes, size);
      sim_hostile_send (hostile);
    }
  sim_hostile_wait (hostile, SIM_MS);
  sim_end_enter (hostile->victim);
  if (!sqx_conn_receive (hostile->victim->conn, world->now, 0, &message))
    sim_fail (world, "a message in overlapping pieces does not arrive");
  sim_end_leave ();
  if (message.size != total || memcmp (message.data, wanted, total) != 0)
    sim_fail (world, "overlapping pieces change what was there");
  free (message.data);
  free (wanted);
  free (have);
  sim_end_enter (hostile->victim);
  sqx_conn_end (hostile->victim->conn, world->now, &message.id, SQX_END_ENDED);
  sim_end_leave ();
  sim_end_ready (hostile->victim);
  leave (hostile);
}

/* Violations ---------------------------------------------------------------------------- */

typedef struct
{
  const char *name;
  void (*send) (sim_hostile *hostile);
} violation;

static void
other_size (sim_hostile *hostile)
{
  send_fragment (hostile, 0, 5000, 0, 100);
  send_fragment (hostile, 0, 5001, 200, 100);
}

static void
other_link (sim_hostile *hostile)
{
  sim_hostile_begin (hostile);
  sim_hostile_message (hostile, 0, 0, SQX_WIRE_FRAGMENT | SQX_WIRE_REPLY, 7, 5000, 0, zeros, 100);
  sim_hostile_message (hostile, 0, 0, SQX_WIRE_FRAGMENT | SQX_WIRE_REPLY, 8, 5000, 200, zeros, 100);
  sim_hostile_send (hostile);
}

static void
too_many_bytes (sim_hostile *hostile)
{
  uint64_t total = hostile->its_hello.max_message_size;
  uint64_t sum = 0;

  hostile->credit_exchanges = UINT64_MAX;
  /* What is granted may grow meanwhile, up to the largest window. */
  for (uint64_t number = 0; sum <= hostile->credit_bytes && hostile->closes == 0; number++)
    {
      send_fragment (hostile, number, total, 0, 1);
      sum += total + SQX_MESSAGE_OVERHEAD;
      sim_hostile_wait (hostile, 10);
    }
}

static void
too_many_exchanges (sim_hostile *hostile)
{
  uint64_t most = hostile->credit_exchanges > SQX_EARLY_EXCHANGES ? hostile->credit_exchanges
                                                                   : SQX_EARLY_EXCHANGES;

  /* The least window may be too small for so many: then that is what they break. */
  if (hostile->credit_bytes < (most + 1) * (1 + SQX_MESSAGE_OVERHEAD))
    {
      too_many_bytes (hostile);
      return;
    }
  hostile->victim->program.habits.hold = 10000;
  hostile->victim->program.habits.read_interval = 3600 * SIM_SEC;
  for (uint64_t number = 0; number <= most; number++)
    {
      sim_hostile_begin (hostile);
      sim_hostile_message (hostile, 0, number, 0, 0, 0, 0, zeros, 1);
      sim_hostile_send (hostile);
      if (number == most - 1)
        {
          sim_hostile_wait (hostile, SIM_MS);
          sim_hostile_expect_alive (hostile, "every exchange that was granted");
        }
    }
}

/* Numbers so far apart that no credit covers what is missing between them. */
static void
far_number (sim_hostile *hostile)
{
  uint64_t gap = 2 * SQX_EXCHANGES_MAX + sim_rng_below (&hostile->world->rng, 1000000);

  sim_hostile_begin (hostile);
  sim_hostile_message (hostile, 0,
                       sim_rng_chance (&hostile->world->rng, 5000) ? gap : SQX_VARINT_MAX,
                       0, 0, 0, 0, zeros, 1);
  sim_hostile_send (hostile);
}

static void
far_channel (sim_hostile *hostile)
{
  sim_hostile_begin (hostile);
  sim_hostile_message (hostile, hostile->its_hello.max_channels
                                + sim_rng_scale (&hostile->world->rng, 0, 1u << 30),
                       0, 0, 0, 0, 0, zeros, 1);
  sim_hostile_send (hostile);
}

static void
end_of_nothing (sim_hostile *hostile)
{
  sim_hostile_begin (hostile);
  sim_hostile_end (hostile, 0, 0, 0, sim_rng_scale (&hostile->world->rng, 1, SQX_VARINT_MAX / 2));
  sim_hostile_send (hostile);
}

/* The run begins with what was sent, and goes on. */
static void
end_past_the_last (sim_hostile *hostile)
{
  for (int i = 0; i < 5; i++)
    sim_program_send (hostile->victim, 0, 10, 0);
  sim_hostile_wait (hostile, SIM_MS);
  sim_hostile_begin (hostile);
  sim_hostile_end (hostile, 0, 0, 2, sim_rng_scale (&hostile->world->rng, 4, SQX_VARINT_MAX / 2));
  sim_hostile_send (hostile);
}

static void
reply_to_nothing_sent (sim_hostile *hostile)
{
  sim_hostile_begin (hostile);
  sim_hostile_message (hostile, 0, 0, SQX_WIRE_REPLY, 1000000, 0, 0, zeros, 1);
  sim_hostile_send (hostile);
}

static void
unknown_frame (sim_hostile *hostile)
{
  static const uint8_t types[] = { 0x03, 0x05, 0x07, 0x09, 0x0c, 0x0d, 0x0e, 0x0f, 0x32, 0x40, 0x80,
                                   0xff };
  uint8_t type = types[sim_rng_below (&hostile->world->rng, sizeof types)];

  sim_hostile_begin (hostile);
  sim_hostile_raw (hostile, &type, 1);
  sim_hostile_send (hostile);
}

static void
no_frames (sim_hostile *hostile)
{
  sim_hostile_begin (hostile);
  sim_hostile_send (hostile);
}

static void
never_sent (sim_hostile *hostile)
{
  uint64_t high = hostile->newest + sim_rng_scale (&hostile->world->rng, 1, 1u << 20);

  sim_hostile_begin (hostile);
  sim_hostile_ack (hostile, high, high);
  sim_hostile_send (hostile);
}

/* A1: the victim leaves out a number now and then; who acknowledges it lies. */
static void
left_out (sim_hostile *hostile)
{
  hostile->acks_all = true;
  for (int i = 0; i < 2000 && !hostile->any_skipped; i++)
    {
      sim_program_send (hostile->victim, 0, 10, SQX_MESSAGE_FINAL);
      sim_hostile_wait (hostile, SIM_MS);
      /* It also answers, so that there is always credit. */
      sim_hostile_begin (hostile);
      sim_hostile_end (hostile, 0, 0, (uint64_t) i, 1);
      sim_hostile_send (hostile);
      sim_hostile_wait (hostile, SIM_MS);
    }
  if (!hostile->any_skipped)
    sim_fail (hostile->world, "no packet number is ever left out");
  sim_hostile_expect_alive (hostile, "an honest acknowledgement");
  hostile->acks_all = false;
  sim_hostile_begin (hostile);
  /* Alone, or among others that were sent. */
  if (sim_rng_chance (&hostile->world->rng, 5000))
    sim_hostile_ack (hostile, hostile->skipped, hostile->skipped);
  else
    sim_hostile_ack (hostile, hostile->skipped - 1, hostile->newest);
  sim_hostile_send (hostile);
}

static const violation violations[] = {
  { "another size for the same message", other_size },
  { "another link for the same message", other_link },
  { "more exchanges than granted", too_many_exchanges },
  { "more bytes than granted", too_many_bytes },
  { "a number far away", far_number },
  { "a channel out of range", far_channel },
  { "an end of what was never sent", end_of_nothing },
  { "an end beyond what was sent", end_past_the_last },
  { "an unknown frame", unknown_frame },
  { "a packet without frames", no_frames },
  { "an acknowledgement of what was never sent", never_sent },
  { "an acknowledgement of a number that was left out", left_out },
};

static void
run_violations (sim_world *world)
{
  const violation *it = &violations[world->seed % (sizeof violations / sizeof *violations)];
  sim_hostile *hostile = begin (world);

  SIM_TRACE (world, NULL, "%s", it->name);
  it->send (hostile);
  sim_hostile_wait (hostile, SIM_MS);
  /* So short a packet is none, if it is encrypted. */
  if (world->secure && it->send == no_frames)
    sim_hostile_expect_alive (hostile, it->name);
  else
    sim_hostile_expect_violation (hostile, it->name);
  leave (hostile);
}

/* Replies to nothing, and ends and cancels that come again: counted, and nothing more. */
static void
run_strays (sim_world *world)
{
  sim_hostile *hostile = begin (world);
  sim_message *asked;

  hostile->acks_all = true;
  asked = sim_program_send (hostile->victim, 0, 100, 0);
  sim_hostile_wait (hostile, SIM_MS);
  sim_hostile_begin (hostile);
  sim_hostile_end (hostile, 0, SQX_END_FAILED, 0, 1);
  sim_hostile_send (hostile);
  sim_hostile_wait (hostile, SIM_MS);
  if (asked->wait != SIM_WAIT_ENDED || asked->reason != SQX_END_FAILED)
    sim_fail (world, "an end does not end");
  for (uint64_t i = 0; i < 2000; i++)
    {
      uint64_t number = i < 100 ? i : sim_rng_below (&world->rng, i);

      sim_hostile_begin (hostile);
      switch (sim_rng_below (&world->rng, 3))
        {
        case 0:
          sim_hostile_end (hostile, 0, (uint8_t) sim_rng_below (&world->rng, 256), 0, 1);
          break;
        case 1:
          sqx_write_cancel (&hostile->writer, 0, number % 10, 10, false, 0);
          break;
        case 2:
          sqx_write_credit (&hostile->writer, sim_rng_scale (&world->rng, 0, SQX_VARINT_MAX),
                            sim_rng_scale (&world->rng, 0, SQX_VARINT_MAX));
          break;
        }
      sim_hostile_send (hostile);
      sim_hostile_wait (hostile, 100);
    }
  sim_hostile_expect_alive (hostile, "a stray end, cancel or credit");
  sim_hostile_begin (hostile);
  reply_to_nothing_sent (hostile);
  sim_hostile_wait (hostile, SIM_MS);
  if (hostile->victim->program.open > 0)
    sim_fail (world, "a stray reply opens something");
  leave (hostile);
}

/* R4 ------------------------------------------------------------------------------------ */

static void
start_many (sim_hostile *hostile,
            uint64_t     count,
            uint64_t     size)
{
  sim_habits *habits = &hostile->victim->program.habits;

  habits->burst = 100;
  habits->size_small = size;
  habits->interval = 10 * SIM_MS;
  hostile->victim->program.left = count;
  sim_program_start_soon (hostile->victim, 0);
}

/* Grants everything, says that it lives, and acknowledges nothing. */
static void
run_never_acks (sim_world *world)
{
  sim_hostile *hostile = begin (world);

  start_many (hostile, 5000, 1000);
  for (int second = 0; second < 300; second++)
    {
      sim_hostile_begin (hostile);
      sqx_write_ping (&hostile->writer);
      sim_hostile_send (hostile);
      sim_hostile_wait (hostile, SIM_SEC);
      sim_hostile_check_memory (hostile, "no acknowledgement");
    }
  /* The first window, two probes a time-out, and an acknowledgement a ping. */
  if (hostile->packets > 60 + 2 * 20 + 300)
    sim_fail (world, "%llu packets go to a peer that acknowledges nothing",
              (unsigned long long) hostile->packets);
  leave (hostile);
}

/* Acknowledges one packet in a thousand. */
static void
run_acks_few (sim_world *world)
{
  sim_hostile *hostile = begin (world);
  uint64_t acked = 0;

  start_many (hostile, 20000, 1000);
  for (int i = 0; i < 3000; i++)
    {
      sim_hostile_wait (hostile, 20 * SIM_MS);
      sim_hostile_begin (hostile);
      if (hostile->packets / 1000 > acked)
        {
          acked = hostile->packets / 1000;
          sim_hostile_ack (hostile, hostile->newest, hostile->newest);
        }
      sqx_write_ping (&hostile->writer);
      sim_hostile_send (hostile);
      sim_hostile_check_memory (hostile, "one acknowledgement in a thousand");
    }
  leave (hostile);
}

/* Grants as little as it may, and never more. */
static void
run_withheld (sim_world *world)
{
  sim_end *victim;
  sim_hostile *hostile = sim_hostile_new (world, &victim);

  hostile->hello.max_message_size = SQX_MESSAGE_MAX_MIN;
  hostile->hello.byte_credit = 2 * (SQX_MESSAGE_MAX_MIN + SQX_MESSAGE_OVERHEAD);
  hostile->hello.exchange_credit = 1;
  victim->config.queue_limit = 200000;
  sim_end_open (victim);
  sim_hostile_connect (hostile);
  hostile->acks_all = true;
  start_many (hostile, 100000, 300);
  for (int i = 0; i < 60; i++)
    {
      sim_hostile_wait (hostile, SIM_SEC);
      sim_hostile_begin (hostile);
      sqx_write_ping (&hostile->writer);
      sim_hostile_send (hostile);
      sim_hostile_check_memory (hostile, "withheld credit");
    }
  if (sqx_conn_queued_bytes (victim->conn) > 200000 || !victim->program.full)
    sim_fail (world, "the queue is not bounded: %llu bytes",
              (unsigned long long) sqx_conn_queued_bytes (victim->conn));
  if (hostile->messages > SQX_EARLY_EXCHANGES)
    sim_fail (world, "%llu messages begin where one was granted",
              (unsigned long long) hostile->messages);
  leave (hostile);
}

/* R5 ------------------------------------------------------------------------------------ */

/* A million of the same, while nothing that the victim sends is acknowledged. */
static void
run_flood (sim_world *world)
{
  sim_hostile *hostile = begin (world);
  sqx_statistics statistics;
  uint64_t settled = 0;
  uint64_t count = world->seed % 3 == 0 ? 1000000 : 100000;

  start_many (hostile, 1000, 1000);
  sim_hostile_wait (hostile, SIM_SEC);
  for (uint64_t i = 0; i < count; i++)
    {
      sim_hostile_begin (hostile);
      if (world->seed % 3 != 1)
        sqx_write_ping (&hostile->writer);
      else
        sim_hostile_message (hostile, 0, 0, 0, 0, 0, 0, zeros, 1);
      sim_hostile_send (hostile);
      /* The same datagram again and again. */
      if (world->seed % 3 == 2)
        for (; i < count && i % 10 != 9; i++)
          sim_hostile_send (hostile);
      if (i % 32 == 0 || i % 10 == 9)
        sim_hostile_wait (hostile, 50);
      if (settled == 0 && i >= count / 2)
        settled = hostile->victim->account.current;
    }
  sim_hostile_wait (hostile, SIM_MS);
  sim_hostile_check_memory (hostile, "a flood");
  if (hostile->victim->account.current > settled + 4096)
    sim_fail (world, "a flood leaves %llu bytes where %llu were",
              (unsigned long long) hostile->victim->account.current, (unsigned long long) settled);
  sqx_conn_statistics (hostile->victim->conn, &statistics);
  if (statistics.packets_sent > count * 3 / 4 + 1000)
    sim_fail (world, "%llu packets answer %llu", (unsigned long long) statistics.packets_sent,
              (unsigned long long) count);
  leave (hostile);
}

const sim_scenario sim_scenarios_attacks[] = {
  { "sparse", run_sparse, 8, 200, "R3: single bytes far from each other" },
  { "last-missing", run_last_missing, 8, 200, "R3: the last byte of everything is missing" },
  { "huge-claims", run_huge_claims, 20, 500, "R3: sizes are claimed, and nothing comes" },
  { "overlaps", run_overlaps, 50, 2000, "R3: pieces that contradict each other" },
  { "violations", run_violations, 240, 12000,
    "A1 D11: what no honest peer sends closes the session" },
  { "strays", run_strays, 20, 500, "D4 D11: ends, cancels and replies of nothing" },
  { "never-acks", run_never_acks, 8, 100, "R4: acknowledges nothing, and lives" },
  { "acks-few", run_acks_few, 6, 100, "R4: acknowledges one in a thousand" },
  { "withheld", run_withheld, 8, 100, "R4: grants nothing more" },
  { "flood", run_flood, 3, 30, "R5: a million pings, messages, duplicates" },
  { NULL, NULL, 0, 0, NULL },
};
