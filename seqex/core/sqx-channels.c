/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-channels.h"

#include <stdlib.h>

sqx_channel *
sqx_session_find_field (const sqx_session *session,
                        uint64_t           field)
{
  sqx_stream *stream;

  if ((field & 1) == 0)
    return sqx_session_find_channel (session, field / 2);
  stream = sqx_index_lookup (&session->streams.index, field / 2);
  return stream != NULL ? &stream->channel : NULL;
}

bool
sqx_session_is_past (const sqx_session *session,
                     uint64_t           field)
{
  return (field & 1) != 0 && sqx_streams_is_past (session, field / 2);
}

sqx_channel *
sqx_session_next_channel (const sqx_session *session,
                          uint64_t          *at)
{
  sqx_stream *stream;
  uint64_t id;

  while (*at < session->n_channels)
    if (session->channels[(*at)++] != NULL)
      return session->channels[*at - 1];
  id = *at > SQX_CHANNELS_MAX ? *at - SQX_CHANNELS_MAX : 0;
  stream = sqx_index_next (&session->streams.index, id, &id);
  *at = SQX_CHANNELS_MAX + id + 1;
  return stream != NULL ? &stream->channel : NULL;
}

sqx_channel *
sqx_session_channel (sqx_session *session,
                     uint32_t     id)
{
  assert (id < session->config->max_channels);
  if (id >= session->n_channels)
    {
      uint32_t count = SQX_MIN (SQX_MAX (id + 1, 2 * session->n_channels),
                                session->config->max_channels);
      sqx_channel **channels = realloc (session->channels, count * sizeof *channels);

      if (channels == NULL)
        return NULL;
      memset (channels + session->n_channels, 0,
              (count - session->n_channels) * sizeof *channels);
      session->channels = channels;
      session->n_channels = count;
    }
  if (session->channels[id] == NULL)
    session->channels[id] = sqx_channel_new (id);
  return session->channels[id];
}

sqx_channel *
sqx_session_queue_of (sqx_session *session,
                      sqx_channel *channel)
{
  /* Channel 0 exists from the first message on: see sqx_session_handle_frame(). */
  return channel->opened ? channel : session->channels[0];
}
