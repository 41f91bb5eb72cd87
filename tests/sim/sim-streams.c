/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs that use streams beside their messages, and what must hold of those: every byte comes
 * once and in order, the end comes once and after all bytes, nobody waits for ever, and what is not
 * read is bounded.
 */

#include "sim-host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Long, and of no length that others have. */
#define PATTERN_PERIOD UINT64_C (65521)

/* One end of a stream. */
struct sim_stream
{
  sim_end    *end;
  sim_stream *peer;        /* NULL: the other side has not heard of it */
  sqx_stream *core;        /* NULL: released */
  uint32_t    life, incarnation; /* of the end */
  uint64_t    id;
  bool        opener;
  uint64_t    key;         /* what it writes is the pattern from there on */
  uint64_t    size, written, read;
  uint64_t    grain;       /* largest write */
  uint64_t    burst;       /* writes at once … */
  uint64_t    pause;       /* … and how long it waits then, at most */
  uint64_t    reads_most;  /* then it closes reading */
  uint64_t    read_interval; /* slow reader; 0: reads at once */
  bool        aborts;      /* instead of closing */
  bool        hasty;       /* forgets the stream before the peer has read everything */
  bool        write_due, read_due; /* a chore is scheduled */
  bool        closed_out, aborted_out, refused;
  bool        closed_in, ended_in, failed_in;
  bool        lost;        /* its connection or its session ended under it */
};

static const uint8_t *
pattern (uint64_t at)
{
  static uint8_t bytes[PATTERN_PERIOD + SQX_CHUNK_MAX];

  if (bytes[0] == 0)
    for (size_t i = 0; i < sizeof bytes; i++)
      bytes[i] = (uint8_t) (1 + sim_mix (i % PATTERN_PERIOD) % 255);
  return bytes + at % PATTERN_PERIOD;
}

static bool
is_open (const sim_end *end)
{
  return end->conn != NULL && !end->closed && !end->program.close_called;
}

/* Whether its connection cannot be used any more, or has begun anew. */
static bool
is_gone (const sim_stream *stream)
{
  const sim_end *end = stream->end;

  return sqx_conn_state (end->conn) > SQX_STATE_RECONNECTING
         || sqx_conn_incarnation (end->conn) != stream->incarnation;
}

static int
name_of (const sim_stream *stream)
{
  return (int) ('A' + stream->end->index);
}

static sim_stream *
add (sim_end    *end,
     sqx_stream *core)
{
  sim_world *world = end->world;
  sim_rng *rng = &end->program.rng;
  sim_stream *stream = calloc (1, sizeof *stream);

  sim_push (&world->streams, &world->stream_count, &world->stream_capacity, stream);
  stream->end = end;
  stream->core = core;
  stream->life = end->life;
  stream->incarnation = sqx_conn_incarnation (end->conn);
  stream->id = sqx_stream_id (core);
  stream->key = sim_mix (world->stream_count) % PATTERN_PERIOD;
  stream->grain = sim_rng_scale (rng, 1, SQX_CHUNK_MAX);
  stream->size = sim_rng_chance (rng, 1000) ? 0 : sim_rng_scale (rng, 1, 600000);
  if (stream->size > 300 * stream->grain)
    stream->size = 300 * stream->grain;
  stream->burst = sim_rng_scale (rng, 1, 64);
  stream->pause = sim_rng_chance (rng, 5000) ? 0 : sim_rng_scale (rng, 1, 100 * SIM_MS);
  stream->reads_most = UINT64_MAX;
  if (sim_rng_chance (rng, 1500))
    stream->reads_most = sim_rng_below (rng, 300000);
  if (sim_rng_chance (rng, 4000))
    stream->read_interval = sim_rng_scale (rng, 1, 300 * SIM_MS);
  stream->aborts = sim_rng_chance (rng, 1000);
  stream->hasty = sim_rng_chance (rng, 3000);
  sqx_stream_set_user_data (core, stream);
  end->program.streams_open++;
  sim_world_note (world, 20, stream->id);
  if (sim_rng_chance (rng, 3000)
      && sqx_conn_stream_set_priority (end->conn, core,
                                       (uint32_t) sim_rng_below (rng, SQX_PRIORITIES)) != SQX_OK)
    sim_fail (world, "a stream refuses its priority");
  SIM_TRACE (world, end, "has stream %llu: writes %llu bytes by %llu%s, reads %s%s",
             (unsigned long long) stream->id, (unsigned long long) stream->size,
             (unsigned long long) stream->grain, stream->aborts ? " and aborts" : "",
             stream->read_interval > 0 ? "slowly" : "at once",
             stream->reads_most != UINT64_MAX ? ", not all" : "");
  return stream;
}

static void
release (sim_stream *stream)
{
  sim_end *end = stream->end;

  sim_end_enter (end);
  sqx_stream_release (end->conn, end->world->now, stream->core);
  sim_end_leave ();
  stream->core = NULL;
  end->program.streams_open--;
  sim_world_progress (end->world);
}

/* Writing ------------------------------------------------------------------------------- */

static void go_on_writing (sim_world *world, void *data, uint64_t argument);

/* What the peer's program has not read fits into its window. */
static void
check_window (const sim_stream *stream)
{
  uint64_t read = stream->peer != NULL ? stream->peer->read : 0;

  if (stream->written - read > stream->end->peer->config.stream_window)
    sim_fail (stream->end->world, "%c wrote %llu bytes of stream %llu, of which %llu were read",
              name_of (stream), (unsigned long long) stream->written,
              (unsigned long long) stream->id, (unsigned long long) read);
}

/* FALSE: not now, or never more. */
static bool
write_some (sim_stream *stream)
{
  sim_end *end = stream->end;
  sim_world *world = end->world;
  uint64_t size = 1 + sim_rng_below (&end->program.rng, stream->grain);
  sqx_stream_status status;
  sqx_payload payload;
  sqx_result result;

  sqx_conn_stream_status (end->conn, stream->core, &status);
  if (size > stream->size - stream->written)
    size = stream->size - stream->written;
  if (size > status.room && status.room > 0)
    size = status.room;
  payload = (sqx_payload) { pattern (stream->key + stream->written), (size_t) size, NULL };
  sim_end_enter (end);
  result = sqx_conn_stream_write (end->conn, world->now, stream->core, &payload);
  sim_end_leave ();
  if (size <= status.room ? result == SQX_ERR_QUEUE_FULL : result == SQX_OK)
    sim_fail (world, "stream %llu has room for %llu bytes, and takes %llu: %s",
              (unsigned long long) stream->id, (unsigned long long) status.room,
              (unsigned long long) size, sqx_result_string (result));
  if (result == SQX_OK)
    {
      stream->written += size;
      check_window (stream);
      return true;
    }
  if (result != SQX_ERR_QUEUE_FULL && result != SQX_ERR_REFUSED && !is_gone (stream))
    sim_fail (world, "writing to stream %llu fails for no reason: %s",
              (unsigned long long) stream->id, sqx_result_string (result));
  return false;
}

static void
end_writing (sim_stream *stream)
{
  sim_end *end = stream->end;

  SIM_TRACE (end->world, end, "%s stream %llu after %llu bytes",
             stream->aborts ? "aborts" : "closes", (unsigned long long) stream->id,
             (unsigned long long) stream->written);
  sim_end_enter (end);
  if (stream->aborts)
    sqx_conn_stream_abort (end->conn, end->world->now, stream->core);
  else
    sqx_conn_stream_close_write (end->conn, end->world->now, stream->core);
  sim_end_leave ();
  stream->closed_out = true;
  stream->aborted_out = stream->aborts;
}

static void
go_on (sim_stream *stream)
{
  sim_end *end = stream->end;
  sim_world *world = end->world;
  uint64_t n = 0;

  if (stream->closed_out || stream->refused || stream->write_due)
    return;
  while (stream->written < stream->size)
    {
      if (!world->healed && n++ == stream->burst)
        {
          stream->write_due = true;
          sim_world_chore (world,
                           world->now + sim_rng_below (&end->program.rng, stream->pause + 1),
                           go_on_writing, stream, 0);
          return;
        }
      if (!write_some (stream))
        return;
    }
  if (!is_gone (stream))
    end_writing (stream);
}

/* Reading ------------------------------------------------------------------------------- */

static void go_on_reading (sim_world *world, void *data, uint64_t argument);

static void
check_chunk (const sim_stream  *stream,
             const sqx_message *chunk)
{
  sim_world *world = stream->end->world;
  const sim_stream *peer = stream->peer;

  if (stream->ended_in)
    sim_fail (world, "stream %llu goes on after its end", (unsigned long long) stream->id);
  if (chunk->size == 0)
    {
      if (!peer->closed_out || peer->aborted_out || stream->read != peer->written)
        sim_fail (world, "stream %llu ends after %llu bytes of %llu, %s",
                  (unsigned long long) stream->id, (unsigned long long) stream->read,
                  (unsigned long long) peer->written,
                  peer->aborted_out ? "aborted" : peer->closed_out ? "closed" : "open");
      return;
    }
  if (chunk->size > SQX_CHUNK_MAX || stream->read + chunk->size > peer->written
      || memcmp (chunk->data, pattern (peer->key + stream->read), chunk->size) != 0)
    sim_fail (world, "stream %llu: %zu wrong bytes after %llu of %llu",
              (unsigned long long) stream->id, chunk->size, (unsigned long long) stream->read,
              (unsigned long long) peer->written);
}

/* FALSE: there is nothing. */
static bool
read_chunk (sim_stream *stream)
{
  sim_end *end = stream->end;
  sqx_stream_status status;
  sqx_message chunk;
  bool any;

  sqx_conn_stream_status (end->conn, stream->core, &status);
  sim_end_enter (end);
  any = sqx_conn_stream_read (end->conn, end->world->now, stream->core, &chunk);
  sim_end_leave ();
  if (any != status.readable)
    sim_fail (end->world, "the status of stream %llu and reading disagree",
              (unsigned long long) stream->id);
  if (!any)
    return false;
  check_chunk (stream, &chunk);
  stream->read += chunk.size;
  stream->ended_in = chunk.size == 0;
  free (chunk.data);
  end->world->stream_bytes += chunk.size;
  sim_world_note (end->world, 21, stream->read);
  sim_world_progress (end->world);
  return true;
}

static void
stop_reading (sim_stream *stream)
{
  sim_end *end = stream->end;

  SIM_TRACE (end->world, end, "reads no more of stream %llu", (unsigned long long) stream->id);
  sim_end_enter (end);
  sqx_conn_stream_close_read (end->conn, end->world->now, stream->core);
  sim_end_leave ();
  stream->closed_in = true;
}

/* A chunk at a time if it is slow, else all. */
static void
read_now (sim_stream *stream,
          bool        slowly)
{
  while (!stream->closed_in && !stream->ended_in)
    {
      if (stream->read >= stream->reads_most && !is_gone (stream))
        stop_reading (stream);
      else if (!read_chunk (stream) || slowly)
        break;
    }
}

static void
look_for_more (sim_stream *stream)
{
  sim_world *world = stream->end->world;
  sqx_stream_status status;

  if (stream->read_interval == 0 || world->healed)
    {
      read_now (stream, false);
      return;
    }
  sqx_conn_stream_status (stream->end->conn, stream->core, &status);
  if (stream->read_due || !status.readable)
    return;
  stream->read_due = true;
  sim_world_chore (world, world->now + stream->read_interval, go_on_reading, stream, 0);
}

/* The end ------------------------------------------------------------------------------- */

static void
check_status (sim_stream              *stream,
              const sqx_stream_status *status)
{
  const sim_stream *peer = stream->peer;
  sim_world *world = stream->end->world;
  bool peer_closes = stream->end->peer->program.close_called || stream->end->peer->closed;

  /* The end itself may be left unread. */
  if (status->drained && (peer == NULL || peer->read != stream->written
                          || (!peer->ended_in && !peer->closed_in)))
    sim_fail (world, "%c: stream %llu is drained, and the peer has not read all of it",
              name_of (stream), (unsigned long long) stream->id);
  stream->lost |= is_gone (stream);
  if (status->write_error == SQX_ERR_REFUSED)
    {
      stream->lost |= peer_closes;
      stream->refused = true;
      if (!peer_closes && (peer == NULL || !peer->closed_in))
        sim_fail (world, "%c: the peer is said to read no more of stream %llu", name_of (stream),
                  (unsigned long long) stream->id);
    }
  if (status->readable || stream->ended_in || stream->closed_in || status->read_error == SQX_OK)
    return;
  stream->failed_in = true;
  stream->lost |= peer_closes;
  if (!is_gone (stream) && (status->read_error != SQX_ERR_PEER_CLOSED
                            || (!peer_closes && (peer == NULL || !peer->aborted_out))))
    sim_fail (world, "%c: reading stream %llu fails for no reason: %s", name_of (stream),
              (unsigned long long) stream->id, sqx_result_string (status->read_error));
}

static void
finish (sim_stream *stream)
{
  sqx_stream_status status;

  sqx_conn_stream_status (stream->end->conn, stream->core, &status);
  check_status (stream, &status);
  if (!stream->ended_in && !stream->closed_in && !stream->failed_in)
    return;
  if (stream->refused || stream->aborted_out || status.drained
      || (stream->closed_out && stream->hasty))
    release (stream);
}

static void
work (sim_stream *stream)
{
  if (stream->core == NULL)
    return;
  go_on (stream);
  look_for_more (stream);
  finish (stream);
  sim_end_ready (stream->end);
}

static void
go_on_writing (sim_world *world,
               void      *data,
               uint64_t   argument)
{
  sim_stream *stream = data;

  stream->write_due = false;
  work (stream);
}

static void
go_on_reading (sim_world *world,
               void      *data,
               uint64_t   argument)
{
  sim_stream *stream = data;

  stream->read_due = false;
  if (stream->core != NULL)
    read_now (stream, !world->healed);
  work (stream);
}

/* The connection is over, or began anew: both ways say so, after what can be read still. */
static void
lose (sim_stream *stream)
{
  sqx_stream_status status;

  read_now (stream, false);
  sqx_conn_stream_status (stream->end->conn, stream->core, &status);
  if (status.readable || status.write_error == SQX_OK || status.room != 0
      || (!stream->ended_in && status.read_error == SQX_OK))
    sim_fail (stream->end->world, "%c: stream %llu outlives its connection", name_of (stream),
              (unsigned long long) stream->id);
  stream->lost = true;
  release (stream);
}

void
sim_streams_lost (sim_end *end)
{
  const sim_world *world = end->world;

  for (size_t i = 0; i < world->stream_count; i++)
    {
      sim_stream *stream = world->streams[i];

      if (stream->end == end && stream->core != NULL && (end->closed || is_gone (stream)))
        lose (stream);
    }
}

void
sim_streams_stop (sim_end *end)
{
  const sim_world *world = end->world;

  for (size_t i = 0; i < world->stream_count; i++)
    {
      sim_stream *stream = world->streams[i];

      if (stream->end != end || stream->core == NULL)
        continue;
      stream->lost = true;
      release (stream);
    }
  end->program.streams_left = 0;
}

/* Opening ------------------------------------------------------------------------------- */

static void
open_some (sim_world *world,
           void      *data,
           uint64_t   life)
{
  sim_end *end = data;
  sim_program *program = &end->program;
  sqx_stream *core = NULL;
  sim_stream *stream;
  sqx_result result;

  if (end->life != life || program->streams_left == 0)
    return;
  if (!is_open (end))
    {
      program->streams_left = 0;
      return;
    }
  sim_end_enter (end);
  result = sqx_conn_open_stream (end->conn, world->now, &core);
  sim_end_leave ();
  sim_end_ready (end);
  /* An event tells when. */
  if (result == SQX_ERR_QUEUE_FULL)
    return;
  if (result != SQX_OK && sqx_conn_state (end->conn) <= SQX_STATE_RECONNECTING)
    sim_fail (world, "%c cannot open a stream: %s", (int) ('A' + end->index),
              sqx_result_string (result));
  if (result != SQX_OK)
    {
      program->streams_left = 0;
      return;
    }
  program->streams_left--;
  stream = add (end, core);
  stream->opener = true;
  work (stream);
  sim_world_chore (world, world->now + sim_rng_below (&program->rng, SIM_SEC), open_some, end,
                   life);
}

/* The record of whoever opened what @end got. */
static sim_stream *
find_opener (const sim_end *end,
             uint64_t       id)
{
  const sim_world *world = end->world;

  for (size_t i = 0; i < world->stream_count; i++)
    {
      sim_stream *stream = world->streams[i];

      if (stream->opener && stream->end == end->peer && stream->id == id
          && stream->life == end->peer_life && stream->incarnation == end->peer_incarnation)
        return stream;
    }
  return NULL;
}

void
sim_streams_event (sim_end         *end,
                   const sqx_event *event)
{
  sim_world *world = end->world;
  sim_stream *stream, *peer;

  if (event->stream == NULL)
    {
      open_some (world, end, end->life);
      return;
    }
  stream = sqx_stream_user_data (event->stream);
  if (event->opened != (stream == NULL) || (stream != NULL && stream->core != event->stream))
    sim_fail (world, "an event for a stream that the program does not have");
  if (stream == NULL)
    {
      peer = find_opener (end, sqx_stream_id (event->stream));
      if (peer == NULL || peer->peer != NULL)
        sim_fail (world, "stream %llu comes, which nobody opened",
                  (unsigned long long) sqx_stream_id (event->stream));
      stream = add (end, event->stream);
      stream->peer = peer;
      peer->peer = stream;
    }
  work (stream);
}

void
sim_streams_start (sim_end *end)
{
  sim_program *program = &end->program;

  program->streams_left = program->habits.streams;
  if (program->streams_left > 0)
    sim_world_chore (end->world, end->world->now + sim_rng_below (&program->rng, SIM_SEC),
                     open_some, end, end->life);
}

/* Judgement ----------------------------------------------------------------------------- */

/* What @end may hold of streams, and both may remember of them. */
uint64_t
sim_streams_bound (const sim_end *end)
{
  uint64_t records = 2 * (uint64_t) (end->config.max_streams + end->peer->config.max_streams);

  return SQX_STREAM_SHARES * end->config.stream_window
         + records * (SQX_CHUNK_MAX + 2 * SQX_CHUNK_OVERHEAD);
}

static void
check_direction (const sim_stream *writer,
                 const sim_stream *reader)
{
  if (!writer->closed_out || writer->aborted_out || reader->closed_in)
    return;
  if (!reader->ended_in || reader->read != writer->written)
    sim_fail (writer->end->world, "%c wrote %llu bytes to stream %llu, and its peer read %llu%s",
              name_of (writer), (unsigned long long) writer->written,
              (unsigned long long) writer->id, (unsigned long long) reader->read,
              reader->ended_in ? "" : ", without the end");
}

void
sim_streams_agreed (sim_world *world)
{
  for (size_t i = 0; i < world->stream_count; i++)
    {
      const sim_stream *stream = world->streams[i];

      if (stream->core != NULL)
        sim_fail (world, "%c: stream %llu never ends", name_of (stream),
                  (unsigned long long) stream->id);
      if (stream->lost)
        continue;
      if (stream->peer == NULL && !stream->end->peer->closed && stream->end->peer->conn != NULL)
        sim_fail (world, "%c opened stream %llu, and its peer never heard of it",
                  name_of (stream), (unsigned long long) stream->id);
      if (stream->peer != NULL && !stream->peer->lost)
        check_direction (stream, stream->peer);
    }
}

void
sim_streams_describe (const sim_end *end)
{
  const sim_world *world = end->world;

  for (size_t i = 0; i < world->stream_count; i++)
    {
      const sim_stream *stream = world->streams[i];
      sqx_stream_status status;

      if (stream->end != end || stream->core == NULL)
        continue;
      sqx_conn_stream_status (end->conn, stream->core, &status);
      printf ("#    stream %llu: %llu of %llu written%s%s, %llu read%s%s; room for %llu,%s%s%s "
              "reading \"%s\", writing \"%s\"\n", (unsigned long long) stream->id,
              (unsigned long long) stream->written, (unsigned long long) stream->size,
              stream->closed_out ? ", closed" : "", stream->refused ? ", refused" : "",
              (unsigned long long) stream->read, stream->ended_in ? ", ended" : "",
              stream->closed_in ? ", closed" : "", (unsigned long long) status.room,
              status.readable ? " readable," : "", status.drained ? " drained," : "",
              status.over ? " over," : "", sqx_result_string (status.read_error),
              sqx_result_string (status.write_error));
    }
}

void
sim_streams_free (sim_world *world)
{
  for (size_t i = 0; i < world->stream_count; i++)
    free (world->streams[i]);
  free (world->streams);
}

/* Worlds -------------------------------------------------------------------------------- */

/* The network goes dark in the middle, the link dies, and both sides wait for another one. */
static void
cut_link (sim_world *world,
          sim_end   *end)
{
  uint64_t from = world->start + sim_rng_between (&world->rng, 300 * SIM_MS, 5 * SIM_SEC);

  sim_random_black_out (end, from, from + sim_rng_between (&world->rng, 4 * SIM_SEC, 20 * SIM_SEC));
  if (world->heal_at < from + 20 * SIM_SEC)
    world->heal_at = from + 20 * SIM_SEC;
  end->config.idle_timeout = 3 * SIM_SEC;
  end->config.keepalive_interval = SIM_SEC;
  end->persist = SQX_TIME_NEVER;
}

static void
run_streams (sim_world *world)
{
  sim_rng *rng = &world->rng;
  bool closes = sim_rng_chance (rng, 1000);
  bool dark = !closes && sim_rng_chance (rng, 4000);
  sim_end *ends[2];

  world->eventful = world->streaming = true;
  sim_random_channels (world);
  world->patient = !closes && !dark && sim_rng_chance (rng, 6000);
  world->heal_at = world->start + sim_rng_scale (rng, SIM_MS, 40 * SIM_SEC);
  sim_world_add_pair (world, &ends[0], &ends[1]);
  for (int i = 0; i < 2; i++)
    {
      sim_habits *habits = &ends[i]->program.habits;
      sqx_config *config = &ends[i]->config;

      sim_random_config (world, ends[i]);
      config->stream_window = sim_rng_scale (rng, SQX_STREAM_WINDOW_MIN, 4 * SQX_STREAM_WINDOW_MIN);
      config->max_streams = (uint32_t) sim_rng_between (rng, 1, 6);
      config->controller = world->seed % 2 == 0 ? &sqx_bbr : &sqx_cubic;
      sim_random_path (world, &ends[i]->out.path);
      sim_random_driver (world, ends[i]);
      sim_random_habits (world, ends[i], 60);
      sim_random_blackouts (world, ends[i]);
      if (dark && world->secure)
        cut_link (world, ends[i]);
      habits->streams = sim_rng_below (rng, 6) + (i == 0);
      if (closes)
        {
          config->idle_timeout = 30 * SIM_SEC;
          config->keepalive_interval = 5 * SIM_SEC;
        }
      if (closes && i == 0)
        {
          habits->close_at = sim_rng_scale (rng, SIM_MS, 20 * SIM_SEC);
          habits->abort = sim_rng_chance (rng, 3000);
        }
    }
  sim_end_open (ends[0]);
  sim_end_open (ends[1]);
  world->close_after = sim_rng_chance (rng, 6000);
  sim_world_run (world);
}

const sim_scenario sim_scenarios_streams[] = {
  { "streams", run_streams, 300, 20000,
    "E1 E2 L1 of streams: every byte once and in order, over BBR and CUBIC", false },
  { NULL, NULL, 0, 0, NULL, false },
};
