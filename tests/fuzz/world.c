/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world.h"

#include "fail-alloc.h"

void
world_fail_allocations (unsigned until,
                        unsigned fail)
{
  fail_after = until;
  fail_count = fail;
}

/* Setting up --------------------------------------------------------------------------- */

void
world_random (void    *user_data,
              uint8_t *bytes,
              size_t   size)
{
  world *w = user_data;

  for (size_t i = 0; i < size; i++)
    {
      w->random = w->random * 1664525u + 1013904223u;
      bytes[i] = (uint8_t) (w->random >> 24);
    }
}

static void
payload_ref (void *owner)
{
  (*(unsigned *) owner)++;
}

static void
payload_unref (void *owner)
{
  REQUIRE (*(unsigned *) owner > 0);
  (*(unsigned *) owner)--;
}

void
side_start (world *w,
            side  *s)
{
  static const uint32_t datagrams[] = {
    SQX_DATAGRAM_DEFAULT, SQX_DATAGRAM_MIN, DATAGRAM_MAX, 1201,
  };
  uint8_t choice = input_byte (&w->input);
  sqx_config config;

  sqx_config_init (&config);
  config.random = world_random;
  config.user_data = w;
  config.payload_ref = payload_ref;
  config.payload_unref = payload_unref;
  config.max_message_size = (choice & 128) ? MESSAGE_HUGE : MESSAGE_MAX;
  config.byte_window = 2 * (config.max_message_size + SQX_MESSAGE_OVERHEAD);
  config.byte_window_max = (choice & 1) ? 2 * config.byte_window : config.byte_window;
  config.max_datagram_size = datagrams[choice >> 1 & 3];
  config.first_packet_number = (choice & 8) ? UINT32_MAX - 10 : 0;
  config.ack_delay = (choice & 16) ? 0 : SQX_ACK_DELAY_DEFAULT;
  config.accepts_messages = (choice & 96) != 96;
  config.application_id = choice >= 248 ? "another" : NULL;
  config.exchange_credit = 1 + input_byte (&w->input) % 40;
  config.max_channels = SQX_CHANNELS_MIN + 4;
  config.queue_limit = 200000;
  world_fail_allocations (0, 0);
  s->max_datagram_size = config.max_datagram_size;
  s->state = SQX_STATE_CONNECTING;
  s->conn = sqx_conn_new (&config, w->now);
  REQUIRE (s->conn != NULL);
}

/* The network -------------------------------------------------------------------------- */

static void
keep_packet (packet        *p,
             const uint8_t *data,
             size_t         size)
{
  memcpy (p->data, data, size);
  p->size = size;
}

void
side_transmit (world *w,
               side  *s)
{
  uint8_t buffer[DATAGRAM_MAX];
  sqx_plain_header header;
  size_t size;

  for (unsigned i = 0; i < PACKETS; i++)
    {
      size = sqx_conn_poll_transmit (s->conn, w->now, buffer, sizeof buffer);
      if (size == 0)
        return;
      REQUIRE (size <= SQX_MAX (s->max_datagram_size, SQX_DATAGRAM_DEFAULT));
      REQUIRE (sqx_decode_plain (buffer, size, &header));
      keep_packet (&s->history[s->n_history++ % HISTORY], buffer, size);
      if (s->n_packets < PACKETS)
        keep_packet (&s->packets[s->n_packets++], buffer, size);
    }
}

/* From an exact block, so that a read past its end is seen. */
void
side_give (world         *w,
           side          *to,
           const uint8_t *data,
           size_t         size)
{
  uint8_t *copy = __real_malloc (size > 0 ? size : 1);

  memcpy (copy, data, size);
  sqx_conn_handle_datagram (to->conn, w->now, copy, size);
  free (copy);
}

void
side_deliver (world   *w,
              side    *from,
              side    *to,
              unsigned i)
{
  packet p = from->packets[i];

  from->n_packets--;
  memmove (&from->packets[i], &from->packets[i + 1], (from->n_packets - i) * sizeof p);
  side_give (w, to, p.data, p.size);
}

/* The program -------------------------------------------------------------------------- */

static void
told (void *tag)
{
  sent *message = tag;

  REQUIRE (message->used && message->handle != NULL);
  message->handle = NULL;
}

/* Every message is delivered once, and what arrives is what was sent. */
static void
check_delivered (world             *w,
                 side              *s,
                 const sqx_message *message)
{
  REQUIRE ((message->data == NULL) == (message->size == 0));
  REQUIRE (message->size <= s->conn->config.max_message_size);
  if (message->size > 0 && !w->forged)
    REQUIRE (memcmp (message->data, forge_pattern + message->data[0], message->size) == 0);

  for (unsigned i = 0; i < s->n_seen; i++)
    REQUIRE (memcmp (&s->seen[i], &message->id, sizeof message->id) != 0);
  if (s->n_seen < SEEN)
    s->seen[s->n_seen++] = message->id;
}

static void
keep_taken (world             *w,
            side              *s,
            const sqx_message *message)
{
  check_delivered (w, s, message);
  free (message->data);
  if (message->flags & SQX_MESSAGE_FINAL)
    return;
  if (s->n_taken < TAKEN)
    s->taken[s->n_taken++] = message->id;
  else
    sqx_conn_end (s->conn, w->now, &message->id, SQX_END_UNHANDLED);
}

/* Streams carry the pattern. */
static void
keep_stream (side       *s,
             sqx_stream *stream)
{
  s->stream = stream;
  s->stream_written = s->stream_read = 0;
}

static void
read_stream (world   *w,
             side    *s,
             unsigned most)
{
  sqx_message message;

  while (most-- > 0 && sqx_conn_stream_read (s->conn, w->now, s->stream, &message))
    {
      REQUIRE (message.size <= SQX_CHUNK_MAX);
      for (size_t i = 0; i < message.size && !w->forged; i++)
        REQUIRE (message.data[i] == (s->stream_read + i) % 251);
      s->stream_read += message.size;
      free (message.data);
    }
}

static void
write_stream (world *w,
              side  *s)
{
  sqx_payload payload = { forge_pattern + s->stream_written % 251,
                          1 + input_number (&w->input) % 39000, NULL };
  sqx_stream_status status;
  sqx_result result;

  sqx_conn_stream_status (s->conn, s->stream, &status);
  REQUIRE (status.room <= SQX_CHUNK_MAX);
  result = sqx_conn_stream_write (s->conn, w->now, s->stream, &payload);
  REQUIRE (result != SQX_OK || payload.size <= status.room);
  if (result == SQX_OK)
    s->stream_written += payload.size;
}

void
side_drop_stream (world *w,
                  side  *s)
{
  if (s->stream != NULL)
    sqx_stream_release (s->conn, w->now, s->stream);
  s->stream = NULL;
}

void
side_use_stream (world *w,
                 side  *s)
{
  sqx_stream *stream;
  uint8_t what = input_byte (&w->input);

  if (s->stream == NULL)
    {
      if (sqx_conn_open_stream (s->conn, w->now, &stream) == SQX_OK)
        keep_stream (s, stream);
      return;
    }
  switch (what & 7)
    {
    case 0: case 1: case 2:
      write_stream (w, s);
      break;
    case 3: case 4:
      read_stream (w, s, 1 + (what >> 3));
      break;
    case 5:
      sqx_conn_stream_close_write (s->conn, w->now, s->stream);
      break;
    case 6:
      if ((what & 24) == 0)
        sqx_conn_stream_abort (s->conn, w->now, s->stream);
      else if ((what & 24) == 8)
        sqx_conn_stream_close_read (s->conn, w->now, s->stream);
      else
        sqx_conn_stream_set_priority (s->conn, s->stream, what >> 5);
      break;
    default:
      side_drop_stream (w, s);
      break;
    }
}

/* Writes a little, reads what is there, and closes in one way or the other. */
static void
read_and_drop (world      *w,
               side       *s,
               sqx_stream *stream)
{
  sqx_payload payload = { forge_pattern, 100, NULL };
  sqx_stream_status status;
  sqx_message message;

  sqx_conn_stream_status (s->conn, stream, &status);
  REQUIRE (status.room <= SQX_CHUNK_MAX);
  sqx_conn_stream_write (s->conn, w->now, stream, &payload);
  while (sqx_conn_stream_read (s->conn, w->now, stream, &message))
    {
      REQUIRE ((message.data == NULL) == (message.size == 0));
      free (message.data);
    }
  if ((sqx_stream_id (stream) & 2) != 0)
    sqx_conn_stream_close_write (s->conn, w->now, stream);
  sqx_stream_release (s->conn, w->now, stream);
}

static void
fetch_events (world *w,
              side  *s)
{
  sqx_event event;

  while (!s->deaf && sqx_conn_poll_event (s->conn, &event))
    {
      REQUIRE (!s->closed);
      switch (event.type)
        {
        case SQX_EVENT_REPLY:
          told (event.tag);
          keep_taken (w, s, &event.message);
          break;
        case SQX_EVENT_END:
        case SQX_EVENT_FAILED:
          told (event.tag);
          break;
        case SQX_EVENT_DATAGRAM:
          REQUIRE ((event.message.data == NULL) == (event.message.size == 0));
          free (event.message.data);
          break;
        case SQX_EVENT_STREAM:
          if (event.opened && s->stream == NULL && (sqx_stream_id (event.stream) & 4) == 0)
            keep_stream (s, event.stream);
          else if (event.opened)
            read_and_drop (w, s, event.stream);
          break;
        case SQX_EVENT_CLOSED:
          s->closed = true;
          break;
        case SQX_EVENT_MESSAGE:
          s->announced[event.channel] = true;
          break;
        case SQX_EVENT_WRITABLE:
          s->full = false;
          break;
        case SQX_EVENT_CONNECTED:
        case SQX_EVENT_CANCELLED:
        case SQX_EVENT_RESTARTED:
        case SQX_EVENT_AUTHORIZE:
        case SQX_EVENT_RECONNECTING:
        case SQX_EVENT_MOVED:
          break;
        }
    }
}

static sent *
new_send (side *s)
{
  for (unsigned i = 0; i < SENDS; i++)
    if (s->sends[i].handle == NULL)
      {
        s->sends[i].used = true;
        return &s->sends[i];
      }
  return NULL;
}

static bool
submit (world                *w,
        side                 *s,
        const sqx_message_id *id)
{
  static const size_t sizes[] = { 0, 1, 64, 900, 1150, 1300, 5000, 32384 };
  uint8_t choice = input_byte (&w->input);
  sqx_payload payload = { forge_pattern + choice % 251, sizes[choice & 7], &w->refs };
  uint32_t flags = (choice & 8 ? SQX_MESSAGE_ORDERED : 0) | (choice & 16 ? SQX_MESSAGE_FINAL : 0);
  uint32_t channel = choice >> 5 == 7 ? input_byte (&w->input) % FORGE_CHANNELS : choice >> 5 & 3;
  sent *message = new_send (s);
  sqx_outgoing *handle = NULL;
  sqx_result result;

  if (message == NULL)
    return false;
  result = id ? sqx_conn_reply (s->conn, w->now, id, &payload, flags, message, &handle)
              : sqx_conn_send (s->conn, w->now, channel, &payload, flags, message, &handle);
  REQUIRE ((result == SQX_OK) == (handle != NULL));
  message->handle = handle;
  s->full |= result == SQX_ERR_QUEUE_FULL;
  return result == SQX_OK;
}

void
side_submit (world *w,
             side  *s)
{
  submit (w, s, NULL);
}

void
side_answer (world *w,
             side  *s,
             bool   reply)
{
  unsigned i;
  sqx_message_id id;

  if (s->n_taken == 0)
    return;
  i = input_byte (&w->input) % s->n_taken;
  id = s->taken[i];
  s->taken[i] = s->taken[--s->n_taken];
  if (reply && !submit (w, s, &id))
    s->taken[s->n_taken++] = id;
  else if (!reply)
    sqx_conn_end (s->conn, w->now, &id,
                  (sqx_end_reason) (input_byte (&w->input) % SQX_N_END_REASONS));
}

bool
side_receive (world   *w,
              side    *s,
              uint32_t channel)
{
  bool waits = sqx_conn_has_message (s->conn, channel);
  sqx_message message;

  REQUIRE (sqx_conn_receive (s->conn, w->now, channel, &message) == waits);
  if (waits)
    keep_taken (w, s, &message);
  else
    s->announced[channel] = false;
  return waits;
}

void
side_cancel (world *w,
             side  *s)
{
  sent *message = &s->sends[input_byte (&w->input) % 32];

  if (message->handle != NULL)
    {
      sqx_conn_cancel (s->conn, w->now, message->handle);
      message->handle = NULL;
    }
}

void
side_set (world *w,
          side  *s)
{
  uint8_t what = input_byte (&w->input), channel = input_byte (&w->input) % FORGE_CHANNELS;

  switch (what & 7)
    {
    case 0:
      sqx_conn_set_accepts_messages (s->conn, w->now, (what & 8) != 0);
      break;
    case 1:
      sqx_conn_set_serialized (s->conn, channel, (what & 8) != 0);
      break;
    case 2:
      sqx_conn_set_priority (s->conn, channel, what >> 4);
      break;
    case 3:
      sqx_conn_open_channel (s->conn, channel);
      break;
    case 4:
      sqx_conn_set_keepalive (s->conn, w->now, SQX_SECOND, (what & 8) != 0);
      break;
    case 5:
      if (s->n_taken > 0)
        sqx_conn_release (s->conn, &s->taken[what % s->n_taken]);
      break;
    case 6:
      s->deaf = (what & 8) != 0;
      break;
    default:
      if (what & 8)
        sqx_conn_set_idle_timeout (s->conn, w->now, channel * SQX_SECOND);
      else
        sqx_conn_handle_unreachable (s->conn, w->now);
      break;
    }
}

void
side_send_datagram (world *w,
                    side  *s)
{
  sqx_payload payload = { forge_pattern, input_byte (&w->input) * 5u, &w->refs };
  bool fits = payload.size <= sqx_conn_max_datagram_payload (s->conn);
  sqx_result result = sqx_conn_send_datagram (s->conn, w->now, &payload);

  REQUIRE (fits ? result != SQX_ERR_TOO_LARGE : result != SQX_OK);
}

void
side_restart (world *w,
              side  *s)
{
  if (s->restarts == RESTARTS)
    return;
  side_drop_stream (w, s);
  sqx_conn_free (s->conn);
  memset (s->sends, 0, sizeof s->sends);
  memset (s->announced, 0, sizeof s->announced);
  s->n_taken = s->n_seen = 0;
  s->full = s->closed = s->deaf = false;
  s->restarts++;
  side_start (w, s);
}

/* Time --------------------------------------------------------------------------------- */

void
side_expire (world *w,
             side  *s)
{
  uint64_t at = sqx_conn_next_timeout (s->conn);
  unsigned before = s->n_history;

  if (at == SQX_TIME_NEVER)
    return;
  if (at > w->now)
    w->now = at;
  sqx_conn_handle_timeout (s->conn, w->now);
  side_transmit (w, s);
  REQUIRE (s->n_history > before || sqx_conn_next_timeout (s->conn) > w->now);
}

/* Checks ------------------------------------------------------------------------------- */

static void
check (side *s)
{
  const sqx_conn *conn = s->conn;
  sqx_state state = sqx_conn_state (conn);
  sqx_statistics statistics;

  REQUIRE (state >= s->state);
  s->state = state;
  if (state < SQX_STATE_CLOSING)
    REQUIRE (session_check (&conn->session) == NULL);
  if (s->deaf)
    return;

  REQUIRE (s->closed == (state >= SQX_STATE_CLOSING));
  sqx_conn_statistics (conn, &statistics);
  REQUIRE (sqx_conn_received_bytes_held (conn) <= statistics.byte_window);
  /* A program that waits for these would wait for ever. */
  REQUIRE (!s->full || !sqx_conn_is_writable (conn));
  for (uint32_t channel = 0; channel < FORGE_CHANNELS && !s->closed; channel++)
    REQUIRE (s->announced[channel] || !sqx_conn_has_message (conn, channel));
}

void
world_settle (world *w)
{
  for (unsigned i = 0; i < 2; i++)
    {
      /* Twice: what the program learned may make something due, and the other way round. */
      for (unsigned again = 0; again < 2; again++)
        {
          side_transmit (w, &w->sides[i]);
          fetch_events (w, &w->sides[i]);
        }
      check (&w->sides[i]);
    }
}

bool
side_all_told (const side *s)
{
  for (unsigned i = 0; i < SENDS; i++)
    if (s->sends[i].handle != NULL)
      return false;
  return true;
}

void
side_end_everything (world *w,
                     side  *s)
{
  side_drop_stream (w, s);
  while (s->n_taken > 0)
    sqx_conn_end (s->conn, w->now, &s->taken[--s->n_taken], SQX_END_ENDED);
  for (uint32_t channel = 0; channel < FORGE_CHANNELS; channel++)
    while (side_receive (w, s, channel))
      while (s->n_taken > 0)
        sqx_conn_end (s->conn, w->now, &s->taken[--s->n_taken], SQX_END_ENDED);
}

