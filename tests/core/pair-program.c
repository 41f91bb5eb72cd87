/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The programs on both sides of a pair: what they send, take and answer, and what a test expects
 * of them.
 */
#include <stdlib.h>
#include <string.h>

#include "pair.h"

/* Sending ----------------------------------------------------------------------------- */

static PairWait *
wait_new (PairSide *side, GBytes *payload)
{
  PairWait *wait = g_new0 (PairWait, 1);

  wait->payload = payload;
  g_ptr_array_add (side->waits, wait);
  return wait;
}

/* Takes the wait back if the core refused the message. */
static sqx_result
wait_finish (PairSide *side, PairWait *wait, sqx_result result, guint *tag)
{
  if (result == SQX_OK)
    {
      g_assert_nonnull (wait->handle);
      *tag = side->waits->len;
      return result;
    }
  g_assert_cmpint (wait->refs, ==, 0);
  *tag = 0;
  g_ptr_array_set_size (side->waits, (gint) side->waits->len - 1);
  return result;
}

static sqx_payload
wait_payload (PairWait *wait)
{
  gsize size;
  const uint8_t *data = g_bytes_get_data (wait->payload, &size);
  sqx_payload payload = { data, size, wait };

  return payload;
}

sqx_result
pair_try_send (Pair *pair, guint side, uint32_t channel, GBytes *payload, uint32_t flags,
               guint *tag)
{
  PairSide *self = &pair->side[side];
  PairWait *wait = wait_new (self, payload);
  sqx_payload bytes = wait_payload (wait);
  sqx_result result;

  result = sqx_conn_send (self->conn, pair->now, channel, &bytes, flags,
                          GUINT_TO_POINTER (self->waits->len), &wait->handle);
  return wait_finish (self, wait, result, tag);
}

sqx_result
pair_try_reply (Pair *pair, guint side, const sqx_message_id *to, GBytes *payload,
                uint32_t flags, guint *tag)
{
  PairSide *self = &pair->side[side];
  PairWait *wait = wait_new (self, payload);
  sqx_payload bytes = wait_payload (wait);
  sqx_result result;

  result = sqx_conn_reply (self->conn, pair->now, to, &bytes, flags,
                           GUINT_TO_POINTER (self->waits->len), &wait->handle);
  return wait_finish (self, wait, result, tag);
}

static GBytes *
pattern (guint tag, size_t size)
{
  uint8_t *data = g_malloc (size + 1);

  for (size_t i = 0; i < size; i++)
    data[i] = (uint8_t) (i * 31 + i / 251 + tag);
  return g_bytes_new_take (data, size);
}

guint
pair_send_on (Pair *pair, guint side, uint32_t channel, const char *text, uint32_t flags)
{
  guint tag;

  g_assert_cmpint (pair_try_send (pair, side, channel, g_bytes_new (text, strlen (text)), flags,
                                  &tag), ==, SQX_OK);
  return tag;
}

guint
pair_send (Pair *pair, guint side, const char *text, uint32_t flags)
{
  return pair_send_on (pair, side, 0, text, flags);
}

guint
pair_send_size (Pair *pair, guint side, uint32_t channel, size_t size, uint32_t flags)
{
  guint tag;

  g_assert_cmpint (pair_try_send (pair, side, channel,
                                  pattern (pair->side[side].waits->len + 1, size), flags, &tag),
                   ==, SQX_OK);
  return tag;
}

guint
pair_reply (Pair *pair, guint side, const PairMessage *to, const char *text, uint32_t flags)
{
  guint tag;

  g_assert_cmpint (pair_try_reply (pair, side, &to->id, g_bytes_new (text, strlen (text)), flags,
                                   &tag), ==, SQX_OK);
  return tag;
}

guint
pair_reply_size (Pair *pair, guint side, const PairMessage *to, size_t size, uint32_t flags)
{
  guint tag;

  g_assert_cmpint (pair_try_reply (pair, side, &to->id,
                                   pattern (pair->side[side].waits->len + 1, size), flags, &tag),
                   ==, SQX_OK);
  return tag;
}

void
pair_end (Pair *pair, guint side, const PairMessage *message, sqx_end_reason reason)
{
  g_assert_cmpint (sqx_conn_end (pair->side[side].conn, pair->now, &message->id, reason), ==,
                   SQX_OK);
}

void
pair_cancel (Pair *pair, guint side, guint tag)
{
  PairWait *wait = g_ptr_array_index (pair->side[side].waits, tag - 1);

  g_assert_nonnull (wait->handle);
  sqx_conn_cancel (pair->side[side].conn, pair->now, wait->handle);
  wait->handle = NULL;
  wait->state = PAIR_CANCELLED;
}

/* Taking ------------------------------------------------------------------------------ */

const PairMessage *
pair_take (Pair *pair, guint side, uint32_t channel)
{
  PairSide *self = &pair->side[side];
  sqx_message message;
  PairMessage *copy;

  if (!sqx_conn_receive (self->conn, pair->now, channel, &message))
    return NULL;
  g_assert_false (message.flags & SQX_MESSAGE_REPLY);
  g_assert_true ((message.size == 0) == (message.data == NULL));
  copy = g_new0 (PairMessage, 1);
  copy->time = pair->now;
  copy->id = message.id;
  copy->flags = message.flags;
  copy->payload = g_bytes_new (message.data, message.size);
  free (message.data);
  g_ptr_array_add (self->taken, copy);
  return copy;
}

guint
pair_take_all (Pair *pair, guint side, uint32_t channel)
{
  PairSide *self = &pair->side[side];
  const PairMessage *message;
  guint n = 0;

  while ((message = pair_take (pair, side, channel)))
    {
      n++;
      if (self->handler)
        self->handler (pair, side, message);
    }
  g_assert_false (sqx_conn_has_message (self->conn, channel));
  return n;
}

void
pair_echo (Pair *pair, guint side, const PairMessage *message)
{
  guint tag;

  if (!(message->flags & SQX_MESSAGE_FINAL))
    g_assert_cmpint (pair_try_reply (pair, side, &message->id, g_bytes_ref (message->payload),
                                     SQX_MESSAGE_FINAL | (message->flags & SQX_MESSAGE_ORDERED),
                                     &tag), ==, SQX_OK);
}

void
pair_echo_on (Pair *pair, guint side, const PairMessage *message)
{
  guint tag;

  if (!(message->flags & SQX_MESSAGE_FINAL))
    g_assert_cmpint (pair_try_reply (pair, side, &message->id, g_bytes_ref (message->payload),
                                     message->flags & SQX_MESSAGE_ORDERED, &tag), ==, SQX_OK);
}

void
pair_end_it (Pair *pair, guint side, const PairMessage *message)
{
  if (!(message->flags & SQX_MESSAGE_FINAL))
    pair_end (pair, side, message, SQX_END_ENDED);
}

/* What happened ----------------------------------------------------------------------- */

const PairWait *
pair_wait (Pair *pair, guint side, guint tag)
{
  g_assert_cmpuint (tag, >=, 1);
  g_assert_cmpuint (tag, <=, pair->side[side].waits->len);
  return g_ptr_array_index (pair->side[side].waits, tag - 1);
}

gboolean
pair_is_done (Pair *pair, guint side, guint tag)
{
  return pair_wait (pair, side, tag)->state != PAIR_PENDING;
}

gboolean
pair_all_done (Pair *pair, guint side)
{
  for (guint tag = pair->side[side].waits->len; tag > 0; tag--)
    if (!pair_is_done (pair, side, tag))
      return FALSE;
  return TRUE;
}

guint
pair_n_taken (Pair *pair, guint side)
{
  return pair->side[side].taken->len;
}

const PairMessage *
pair_taken (Pair *pair, guint side, guint nth)
{
  g_assert_cmpuint (nth, <, pair_n_taken (pair, side));
  return g_ptr_array_index (pair->side[side].taken, nth);
}

guint
pair_n_events (Pair *pair, guint side, sqx_event_type type)
{
  GArray *events = pair->side[side].events;
  guint n = 0;

  for (guint i = 0; i < events->len; i++)
    n += g_array_index (events, PairEvent, i).event.type == type;
  return n;
}

const PairEvent *
pair_event (Pair *pair, guint side, sqx_event_type type, guint nth)
{
  GArray *events = pair->side[side].events;

  for (guint i = 0; i < events->len; i++)
    if (g_array_index (events, PairEvent, i).event.type == type && nth-- == 0)
      return &g_array_index (events, PairEvent, i);
  g_assert_not_reached ();
}

/* Valid until the pair is asked again a few times: for comparisons and messages. */
const char *
pair_text (const PairMessage *message)
{
  gsize size;
  const char *data = g_bytes_get_data (message->payload, &size);
  g_autofree char *text = g_strndup (data ? data : "", size);

  return g_intern_string (text);
}

const sqx_counters *
pair_counters (Pair *pair, guint side)
{
  return sqx_conn_counters (pair->side[side].conn);
}

sqx_statistics
pair_statistics (Pair *pair, guint side)
{
  sqx_statistics statistics;

  sqx_conn_statistics (pair->side[side].conn, &statistics);
  return statistics;
}

/* Expecting --------------------------------------------------------------------------- */

void
pair_assert_pending (Pair *pair, guint side, guint tag)
{
  g_assert_cmpint (pair_wait (pair, side, tag)->state, ==, PAIR_PENDING);
}

void
pair_assert_replied (Pair *pair, guint side, guint tag, const char *text)
{
  const PairWait *wait = pair_wait (pair, side, tag);

  g_assert_cmpint (wait->state, ==, PAIR_REPLIED);
  if (text)
    g_assert_cmpstr (pair_text (wait->reply), ==, text);
}

void
pair_assert_ended (Pair *pair, guint side, guint tag, sqx_end_reason reason)
{
  const PairWait *wait = pair_wait (pair, side, tag);

  g_assert_cmpint (wait->state, ==, PAIR_ENDED);
  g_assert_cmpstr (sqx_end_reason_string (wait->reason), ==, sqx_end_reason_string (reason));
}

void
pair_assert_failed (Pair *pair, guint side, guint tag, sqx_result error)
{
  const PairWait *wait = pair_wait (pair, side, tag);

  g_assert_cmpint (wait->state, ==, PAIR_FAILED);
  g_assert_cmpstr (sqx_result_string (wait->error), ==, sqx_result_string (error));
}

void
pair_assert_all_failed (Pair *pair, guint side, sqx_result error)
{
  for (guint tag = 1; tag <= pair->side[side].waits->len; tag++)
    {
      const PairWait *wait = pair_wait (pair, side, tag);

      g_assert_cmpint (wait->state, !=, PAIR_PENDING);
      if (wait->state == PAIR_FAILED)
        g_assert_cmpint (wait->error, ==, error);
    }
}

void
pair_assert_taken (Pair *pair, guint side, const char *texts)
{
  g_autoptr (GString) all = g_string_new (NULL);

  for (guint i = 0; i < pair_n_taken (pair, side); i++)
    g_string_append_printf (all, "%s%s", i ? " " : "", pair_text (pair_taken (pair, side, i)));
  g_assert_cmpstr (all->str, ==, texts);
}

void
pair_assert_quiet (Pair *pair)
{
  for (guint i = 0; i < 2; i++)
    {
      PairSide *side = &pair->side[i];

      if (!side->conn)
        continue;
      for (guint tag = 1; tag <= side->waits->len; tag++)
        {
          const PairWait *wait = pair_wait (pair, i, tag);

          g_assert_cmpint (wait->state, !=, PAIR_PENDING);
          g_assert_cmpint (wait->refs, ==, 0);
        }
      g_assert_false (sqx_conn_is_busy (side->conn));
      g_assert_cmpuint (sqx_conn_queued_bytes (side->conn), ==, 0);
      g_assert_cmpuint (sqx_conn_received_bytes_held (side->conn), ==, 0);
      g_assert_cmpuint (pair_statistics (pair, i).bytes_in_flight, ==, 0);
      g_assert_cmpuint (pair_counters (pair, i)->violation, ==, 0);
    }
}

void
pair_assert_closed (Pair *pair, guint side, sqx_result error)
{
  PairSide *self = &pair->side[side];

  g_assert_true (self->closed);
  g_assert_cmpstr (sqx_result_string (self->closing.event.error), ==, sqx_result_string (error));
  g_assert_true (pair_all_done (pair, side));
}
