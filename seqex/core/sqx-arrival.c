/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of a peer's handshake: a connection, or a refusal. XX ends with CONFIRM. IK has no third
 * message, and its first could be a replay: it ends with the first DATA, which only the peer can
 * make.
 */
#include "sqx-admission.h"

#include <stdlib.h>

#include "sqx-conn-private.h"

/* Refusing --------------------------------------------------------------------------------- */

/* Makes the keys without taking them: the link will want them new. */
static bool
have_keys (sqx_endpoint  *endpoint,
           sqx_half_open *half_open)
{
  sqx_noise noise = half_open->handshake.noise;

  if (!half_open->has_keys)
    {
      half_open->has_keys = sqx_handshake_keys (&half_open->handshake, &half_open->keys);
      half_open->handshake.noise = noise;
      endpoint->counters.no_memory += !half_open->has_keys;
    }
  endpoint->config.crypto->wipe (&noise, sizeof noise);
  return half_open->has_keys;
}

/* Makes a DATA with CLOSE out of the handshake's packet. */
static bool
make_close (sqx_half_open      *half_open,
            const sqx_decision *decision)
{
  sqx_handshake *handshake = &half_open->handshake;
  sqx_data_header header = { .destination_id = handshake->peer_id };
  sqx_writer writer = { handshake->packet, 0, sizeof handshake->packet - SQX_TAG_SIZE };

  header.phase = sqx_keys_phase (&half_open->keys);
  if (!sqx_write_data (&writer, &header) ||
      !sqx_write_close (&writer, decision->code, decision->reason, strlen (decision->reason)) ||
      !sqx_keys_seal (&half_open->keys, 0, writer.data, SQX_DATA_HEADER,
                      writer.data + SQX_DATA_HEADER, writer.size - SQX_DATA_HEADER))
    return false;
  handshake->packet_size = writer.size + SQX_TAG_SIZE;
  return true;
}

/* The peer is linked by what it knows, so it is told by what a link would say; no connection is
 * made for that. Whoever goes on is told so again. */
static void
refuse (sqx_endpoint       *endpoint,
        sqx_half_open      *half_open,
        const sqx_decision *decision)
{
  if (!have_keys (endpoint, half_open) || !make_close (half_open, decision))
    {
      sqx_admission_drop (endpoint, half_open);
      return;
    }
  half_open->refused = true;
  sqx_half_opens_send (&endpoint->admission->half_opens, half_open);
}

/* Less and less often, so that two of a kind do not answer each other for long. */
static void
refuse_again (sqx_endpoint  *endpoint,
              sqx_half_open *half_open)
{
  unsigned count = ++half_open->asked;

  if (half_open->handshake.packet[0] != SQX_PACKET_ACCEPT && (count & (count - 1)) == 0)
    sqx_half_opens_send (&endpoint->admission->half_opens, half_open);
}

/* Finishing -------------------------------------------------------------------------------- */

/* What the peer was told of this side holds for @conn. */
static bool
same_terms (const sqx_conn  *conn,
            const sqx_hello *told)
{
  const sqx_config *config = &conn->config;

  return strcmp (config->application_id, told->application_id) == 0 &&
         config->max_message_size == told->max_message_size &&
         config->byte_window == told->byte_credit &&
         config->exchange_credit == told->exchange_credit &&
         config->max_channels == told->max_channels;
}

/* NULL: it gets a new one. */
static sqx_conn *
find_connection (const sqx_endpoint  *endpoint,
                 const sqx_half_open *half_open)
{
  const sqx_handshake *handshake = &half_open->handshake;
  sqx_conn *conn;

  if (!half_open->resumes)
    {
      conn = sqx_admission_find_dialling (endpoint, &half_open->from, handshake);
      return conn != NULL && same_terms (conn, &handshake->own) ? conn : NULL;
    }
  conn = sqx_admission_find_session (endpoint, handshake);
  if (conn != NULL && memcmp (conn->secure->session_id, handshake->own.session_id,
                              SQX_SESSION_ID_SIZE) == 0)
    return conn;
  return NULL;
}

/* The peer's handshake becomes the link of @conn, or of a new one. The peer is where INIT came
 * from: there it got the ACCEPT. Where its last packet came from may be anybody's invention. NULL:
 * no memory, and nothing changed; the peer will try again. */
static sqx_conn *
link_up (sqx_endpoint  *endpoint,
         uint64_t       now,
         sqx_half_open *half_open,
         sqx_conn      *conn,
         sqx_trust      trust)
{
  sqx_handshake *handshake = &half_open->handshake;
  sqx_route *route;

  if (conn != NULL && sqx_conn_join (conn, now, handshake, &half_open->from, trust) != SQX_OK)
    return NULL;
  if (conn == NULL)
    {
      conn = sqx_conn_new_accepted (endpoint, now, &endpoint->config.connection, handshake,
                                    &half_open->from, trust);
      if (conn == NULL)
        return NULL;
      conn->attachment.counted = true;
      endpoint->n_counted++;
    }
  route = &conn->attachment.link;
  sqx_endpoint_unroute (endpoint, route);
  sqx_endpoint_reroute (endpoint, &half_open->route, route, SQX_ROUTE_LINK, conn);
  for (unsigned i = 0; i < half_open->n_early; i++)
    sqx_conn_handle_data (conn, now, &half_open->from, half_open->early[i],
                          half_open->early_size[i]);
  sqx_conn_settle (conn, now);
  return conn;
}

/* Returns the connection; NULL: none came of it. In both cases @half_open may be gone. */
static sqx_conn *
finish (sqx_endpoint  *endpoint,
        uint64_t       now,
        sqx_half_open *half_open,
        bool           judged)
{
  const sqx_handshake *handshake = &half_open->handshake;
  sqx_conn *conn = find_connection (endpoint, half_open);
  sqx_decision decision = { .trust = half_open->trust };

  if (half_open->resumes && conn == NULL)
    {
      endpoint->counters.session_gone++;
      sqx_admission_drop (endpoint, half_open);
      return NULL;
    }
  /* What the program said when INIT came still holds; whether there is room may have changed. */
  if (!judged)
    sqx_admission_decide (endpoint, handshake, conn, &handshake->own, &decision);
  if (decision.code == 0 && conn == NULL &&
      (endpoint->n_counted >= endpoint->config.max_connections || !endpoint->config.accepts))
    sqx_admission_busy (&decision);
  if (decision.code != 0)
    {
      refuse (endpoint, half_open, &decision);
      return NULL;
    }

  conn = link_up (endpoint, now, half_open, conn, decision.trust);
  if (conn != NULL)
    sqx_admission_drop (endpoint, half_open);
  else
    endpoint->counters.no_memory++;
  return conn;
}

/* Arriving --------------------------------------------------------------------------------- */

void
sqx_arrival_handle_confirm (sqx_endpoint      *endpoint,
                            uint64_t           now,
                            const sqx_address *from,
                            sqx_half_open     *half_open,
                            const uint8_t     *data,
                            size_t             size)
{
  sqx_conn *conn;

  if (half_open->refused)
    {
      refuse_again (endpoint, half_open);
      return;
    }
  switch (sqx_handshake_handle_confirm (&half_open->handshake, data, size))
    {
    case SQX_HANDSHAKE_LEARNED:
    case SQX_HANDSHAKE_REPEAT: /* there was no memory */
      conn = finish (endpoint, now, half_open, false);
      if (conn != NULL)
        {
          sqx_path_received (&conn->secure->path, &conn->config, from, size, true);
          sqx_conn_settle (conn, now);
        }
      break;
    case SQX_HANDSHAKE_REFUSED:
      endpoint->counters.peer_refused++;
      sqx_admission_drop (endpoint, half_open);
      break;
    case SQX_HANDSHAKE_IGNORED:
    case SQX_HANDSHAKE_AGAIN:
    case SQX_HANDSHAKE_VERSION:
      endpoint->counters.handshake_failed++;
      break;
    }
}

/* Whether @data is of the peer. Works on a copy: the connection wants to open it by itself. */
static bool
is_authentic (sqx_endpoint  *endpoint,
              uint64_t       now,
              sqx_half_open *half_open,
              const uint8_t *data,
              size_t         size)
{
  sqx_keys_verdict verdict;
  sqx_data_header header;
  uint8_t *copy;

  if (!sqx_decode_data (data, size, &header) || !have_keys (endpoint, half_open))
    return false;
  copy = malloc (size);
  if (copy == NULL)
    {
      endpoint->counters.no_memory++;
      return false;
    }
  memcpy (copy, data, size);
  verdict = sqx_keys_open (&half_open->keys, now, 0, header.phase, header.number, copy,
                           SQX_DATA_HEADER, copy + SQX_DATA_HEADER,
                           size - SQX_DATA_HEADER - SQX_TAG_SIZE);
  free (copy);
  return verdict == SQX_KEYS_OK;
}

void
sqx_arrival_handle_data (sqx_endpoint      *endpoint,
                         uint64_t           now,
                         const sqx_address *from,
                         sqx_half_open     *half_open,
                         uint8_t           *data,
                         size_t             size)
{
  sqx_conn *conn;

  if (half_open->refused)
    refuse_again (endpoint, half_open);
  else if (!half_open->handshake.finished)
    {
      if (!sqx_address_equal (from, &half_open->from) ||
          !sqx_half_open_keep (half_open, data, size))
        endpoint->counters.early_data++;
    }
  else if (!is_authentic (endpoint, now, half_open, data, size))
    endpoint->counters.handshake_failed++;
  else
    {
      conn = finish (endpoint, now, half_open, true);
      if (conn != NULL)
        sqx_conn_handle_data (conn, now, from, data, size);
    }
}
