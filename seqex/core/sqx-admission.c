/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-admission.h"

#include <stdlib.h>

#include "sqx-conn-private.h"

/* Life --------------------------------------------------------------------------------- */

bool
sqx_admission_init (sqx_endpoint *endpoint,
                    uint64_t      secret)
{
  const sqx_config *config = &endpoint->config.connection;
  sqx_admission *admission = calloc (1, sizeof *admission);

  if (admission == NULL)
    return false;
  if (!sqx_half_opens_init (&admission->half_opens, secret))
    {
      free (admission);
      return false;
    }
  sqx_cookies_init (&admission->cookies, endpoint->config.crypto, config->random,
                    config->user_data);
  endpoint->admission = admission;
  return true;
}

void
sqx_admission_clear (sqx_endpoint *endpoint)
{
  sqx_admission *admission = endpoint->admission;
  sqx_half_open *half_open;

  if (admission == NULL)
    return;
  while ((half_open = sqx_half_opens_oldest (&admission->half_opens)) != NULL)
    sqx_admission_drop (endpoint, half_open);
  sqx_half_opens_clear (&admission->half_opens);
  sqx_cookies_clear (&admission->cookies);
  free (admission);
  endpoint->admission = NULL;
}

void
sqx_admission_drop (sqx_endpoint  *endpoint,
                    sqx_half_open *half_open)
{
  sqx_half_opens_remove (&endpoint->admission->half_opens, half_open);
  sqx_endpoint_unroute (endpoint, &half_open->route);
  sqx_half_open_free (half_open);
}

uint64_t
sqx_admission_deadline (const sqx_endpoint *endpoint)
{
  const sqx_half_open *oldest = NULL;

  if (endpoint->admission != NULL)
    oldest = sqx_half_opens_oldest (&endpoint->admission->half_opens);
  return oldest != NULL ? oldest->until : SQX_TIME_NEVER;
}

void
sqx_admission_timeout (sqx_endpoint *endpoint,
                       uint64_t      now)
{
  while (sqx_admission_deadline (endpoint) <= now)
    sqx_admission_drop (endpoint, sqx_half_opens_oldest (&endpoint->admission->half_opens));
}

size_t
sqx_admission_transmit (sqx_endpoint *endpoint,
                        sqx_address  *to,
                        uint8_t      *buffer,
                        size_t        capacity)
{
  sqx_admission *admission = endpoint->admission;
  const sqx_answer *answer;
  sqx_half_open *half_open;

  if (admission == NULL)
    return 0;
  answer = sqx_answers_take (&admission->answers);
  if (answer != NULL)
    {
      *to = answer->to;
      memcpy (buffer, answer->data, answer->size);
      return answer->size;
    }
  while ((half_open = sqx_half_opens_next (&admission->half_opens)) != NULL)
    {
      const sqx_handshake *handshake = &half_open->handshake;

      /* What the transport cannot carry is lost, like everything that a network does not carry. */
      if (handshake->packet_size > capacity)
        continue;
      *to = half_open->from;
      memcpy (buffer, handshake->packet, handshake->packet_size);
      return handshake->packet_size;
    }
  return 0;
}

/* Answers for which nothing is kept ------------------------------------------------------ */

static uint64_t
hash_of_host (const sqx_endpoint *endpoint,
              const sqx_address  *address,
              uint32_t            what)
{
  sqx_address host = *address;

  host.port = 0;
  return sqx_endpoint_hash (endpoint, &host, &what, 1);
}

/* NULL: not now. */
static sqx_answer *
begin_answer (sqx_endpoint      *endpoint,
              uint64_t           now,
              const sqx_address *to,
              uint8_t            type)
{
  sqx_answer *answer = sqx_answers_add (&endpoint->admission->answers, now, to,
                                        hash_of_host (endpoint, to, type));

  endpoint->counters.answer_limited += answer == NULL;
  return answer;
}

static void
answer_version (sqx_endpoint      *endpoint,
                uint64_t           now,
                const sqx_address *from,
                const sqx_init    *init)
{
  sqx_answer *answer = begin_answer (endpoint, now, from, SQX_PACKET_VERSION);

  if (answer != NULL)
    answer->size = (uint8_t) sqx_write_version (answer->data, sizeof answer->data, init->source_id);
}

static void
answer_retry (sqx_endpoint      *endpoint,
              uint64_t           now,
              const sqx_address *from,
              const sqx_init    *init)
{
  sqx_answer *answer = begin_answer (endpoint, now, from, SQX_PACKET_RETRY);
  uint8_t cookie[SQX_COOKIE_SIZE];

  endpoint->counters.handshake_retried++;
  if (answer == NULL)
    return;
  sqx_cookies_make (&endpoint->admission->cookies, now, from, init, cookie);
  answer->size = (uint8_t) sqx_write_retry (answer->data, sizeof answer->data, init->source_id,
                                            cookie);
}

void
sqx_admission_answer_reset (sqx_endpoint      *endpoint,
                            uint64_t           now,
                            const sqx_address *from,
                            const uint8_t     *data,
                            size_t             size)
{
  uint8_t reset[sizeof ((sqx_answer *) NULL)->data];
  size_t reset_size = sqx_write_reset (reset, sizeof reset, data, size);
  sqx_answer *answer;

  if (reset_size == 0)
    return;
  /* A peer there may still use a link that this side has given up for another one. That decides by
   * itself; RESET could end what is to be resumed. */
  if (sqx_endpoint_find_unsettled (endpoint, from, NULL) != NULL)
    return;
  answer = begin_answer (endpoint, now, from, SQX_PACKET_RESET);
  if (answer == NULL)
    return;
  memcpy (answer->data, reset, reset_size);
  answer->size = (uint8_t) reset_size;
}

/* INIT ----------------------------------------------------------------------------------- */

static const uint8_t *
ephemeral_of (const sqx_conn *conn)
{
  return conn->secure->dial.handshake->ephemeral;
}

static bool
is_ik (const sqx_init *init)
{
  return init->pattern == SQX_NOISE_IK || init->pattern == SQX_NOISE_IKPSK2;
}

/* An INIT of this side that comes back. */
static bool
is_own (const sqx_endpoint *endpoint,
        const sqx_init     *init)
{
  sqx_table_node *node = sqx_table_find (&endpoint->routes, init->source_id, NULL);
  const sqx_route *route;

  if (node == NULL)
    return false;
  route = SQX_CONTAINER (node, sqx_route, node);
  return route->kind == SQX_ROUTE_HANDSHAKE &&
         memcmp (ephemeral_of (route->owner), init->message, SQX_KEY_SIZE) == 0;
}

static uint64_t
hash_of_init (const sqx_endpoint *endpoint,
              const sqx_address  *from,
              const sqx_init     *init)
{
  uint32_t words[1 + SQX_KEY_SIZE / 4] = { init->source_id };

  for (size_t i = 0; i < SQX_KEY_SIZE / 4; i++)
    words[1 + i] = sqx_get_be32 (init->message + 4 * i);
  return sqx_endpoint_hash (endpoint, from, words, sizeof words / sizeof *words);
}

/* A token bucket told by one number (GCRA): reading INIT is expensive, whatever is in it. */
static bool
allow_unproven (sqx_admission *admission,
                uint64_t       now)
{
  const uint64_t interval = SQX_SECOND / SQX_UNPROVEN_RATE;

  if (admission->next_unproven > sqx_time_add (now, (SQX_UNPROVEN_BURST - 1) * interval))
    return false;
  admission->next_unproven = sqx_time_add (SQX_MAX (admission->next_unproven, now), interval);
  return true;
}

/* Many who come from one host at once would push each other out, and none would finish. So what is
 * young is spared; INIT comes again. */
static bool
has_turn (sqx_endpoint      *endpoint,
          uint64_t           now,
          const sqx_address *from)
{
  sqx_half_open *oldest;
  uint32_t count = sqx_half_opens_of_host (&endpoint->admission->half_opens,
                                           hash_of_host (endpoint, from, 0), from, &oldest);

  if (count < endpoint->config.max_half_open_per_host ||
      oldest->until - SQX_HALF_OPEN_LIFE + SQX_HALF_OPEN_SPARED <= now)
    return true;
  endpoint->counters.host_full++;
  return false;
}

/* Whether INIT is read at all. If it is not, who sent it may have to prove where it is. Who did not
 * must not push anybody out. */
static bool
may_read (sqx_endpoint      *endpoint,
          uint64_t           now,
          const sqx_address *from,
          const sqx_init    *init)
{
  const sqx_endpoint_config *config = &endpoint->config;
  sqx_admission *admission = endpoint->admission;
  const sqx_half_opens *half_opens = &admission->half_opens;
  sqx_half_open *oldest;

  if (init->cookie_size > 0)
    {
      if (sqx_cookies_check (&admission->cookies, now, from, init))
        return has_turn (endpoint, now, from);
      endpoint->counters.bad_cookie++;
    }
  if (half_opens->count < SQX_MIN (config->retry_threshold, config->max_half_open) &&
      sqx_half_opens_of_host (half_opens, hash_of_host (endpoint, from, 0), from, &oldest) <
        config->max_half_open_per_host &&
      allow_unproven (admission, now))
    return true;
  answer_retry (endpoint, now, from, init);
  return false;
}

static void
make_room (sqx_endpoint      *endpoint,
           const sqx_address *from)
{
  sqx_half_opens *half_opens = &endpoint->admission->half_opens;
  uint64_t hash = hash_of_host (endpoint, from, 0);
  sqx_half_open *oldest;

  while (sqx_half_opens_of_host (half_opens, hash, from, &oldest) >=
         endpoint->config.max_half_open_per_host)
    {
      endpoint->counters.half_open_full++;
      sqx_admission_drop (endpoint, oldest);
    }
  while (half_opens->count >= endpoint->config.max_half_open)
    {
      endpoint->counters.half_open_full++;
      sqx_admission_drop (endpoint, sqx_half_opens_oldest (half_opens));
    }
}

/* What this side tells of itself, and of @conn if there is one to join. */
static void
make_hello (sqx_endpoint  *endpoint,
            sqx_conn      *conn,
            sqx_half_open *half_open,
            sqx_hello     *hello)
{
  const sqx_endpoint_config *config = &endpoint->config;
  const sqx_config *terms = conn != NULL ? &conn->config : &config->connection;
  uint8_t session_id[SQX_SESSION_ID_SIZE];

  if (half_open->resumes)
    memcpy (session_id, conn->secure->session_id, sizeof session_id);
  else
    terms->random (terms->user_data, session_id, sizeof session_id);
  sqx_hello_of_config (hello, terms);
  sqx_hello_add_secure (hello, config->crypto, config->cipher, session_id,
                        half_open->handshake.has_peer_key ? half_open->handshake.hello.generation
                                                          : 0);
}

/* Makes ACCEPT. Of IK the peer is known already, of XX it is only told that there is room.
 * @dialling: what this side dials there. false: no memory, or nothing is to be said. */
static bool
answer_init (sqx_endpoint  *endpoint,
             sqx_half_open *half_open,
             sqx_conn      *dialling)
{
  sqx_handshake *handshake = &half_open->handshake;
  sqx_decision decision = { .code = 0 };
  sqx_conn *conn = dialling;
  sqx_hello own;

  if (handshake->has_peer_key)
    {
      sqx_conn *session = sqx_admission_find_session (endpoint, handshake);

      if (session == NULL && sqx_admission_is_past (endpoint, handshake))
        {
          endpoint->counters.session_past++;
          return false;
        }
      half_open->resumes = session != NULL;
      if (session != NULL)
        conn = session;
      else if (dialling != NULL)
        conn = sqx_admission_find_dialling (endpoint, &half_open->from, handshake);
    }
  if (conn == NULL && !endpoint->config.accepts)
    {
      endpoint->counters.not_accepting++;
      return false;
    }
  make_hello (endpoint, conn, half_open, &own);
  if (handshake->has_peer_key)
    {
      sqx_admission_decide (endpoint, handshake, conn, &own, &decision);
      half_open->trust = decision.trust;
      /* The program may still think about a session that was begun on another link. */
      own.ready = decision.trust == SQX_TRUST_ACCEPT &&
                  !(half_open->resumes && conn->secure->asking);
    }
  else if (conn == NULL && endpoint->n_counted >= endpoint->config.max_connections)
    sqx_admission_busy (&decision);

  half_open->refused = decision.code != 0;
  return half_open->refused ? sqx_handshake_refuse (handshake, decision.code, decision.reason)
                            : sqx_handshake_accept (handshake, &own);
}

static void
read_init (sqx_endpoint      *endpoint,
           uint64_t           now,
           const sqx_address *from,
           const sqx_init    *init,
           uint64_t           hash,
           sqx_conn          *dialling)
{
  const sqx_endpoint_config *config = &endpoint->config;
  sqx_half_opens *half_opens = &endpoint->admission->half_opens;
  sqx_handshake_params params = {
    .crypto = config->crypto,
    .secret_key = config->secret_key,
    .public_key = endpoint->public_key,
    .psk = sqx_endpoint_psk (endpoint),
    .random = config->connection.random,
    .user_data = config->connection.user_data,
  };
  sqx_half_open *half_open = sqx_half_open_new ();

  if (half_open == NULL)
    {
      endpoint->counters.no_memory++;
      return;
    }
  half_open->from = *from;
  sqx_endpoint_route (endpoint, &half_open->route, SQX_ROUTE_HALF_OPEN, half_open);
  if (!sqx_handshake_respond (&half_open->handshake, &params, sqx_route_id (&half_open->route),
                              init))
    {
      endpoint->counters.handshake_failed++;
      sqx_endpoint_unroute (endpoint, &half_open->route);
      sqx_half_open_free (half_open);
      return;
    }
  make_room (endpoint, from);
  sqx_half_opens_add (half_opens, now, half_open, hash, hash_of_host (endpoint, from, 0));
  if (!answer_init (endpoint, half_open, dialling))
    {
      sqx_admission_drop (endpoint, half_open);
      return;
    }
  sqx_half_opens_send (half_opens, half_open);
  if (dialling != NULL && !half_open->refused)
    sqx_dial_pause (dialling, now);
}

void
sqx_admission_handle_init (sqx_endpoint      *endpoint,
                           uint64_t           now,
                           const sqx_address *from,
                           const uint8_t     *data,
                           size_t             size)
{
  sqx_endpoint_counters *counters = &endpoint->counters;
  sqx_half_opens *half_opens = &endpoint->admission->half_opens;
  sqx_half_open *half_open;
  sqx_conn *dialling;
  sqx_init init;
  uint64_t hash;

  if (!sqx_init_decode (&init, data, size))
    {
      counters->malformed++;
      return;
    }
  if (init.version != SQX_VERSION)
    {
      counters->unknown_version++;
      answer_version (endpoint, now, from, &init);
      return;
    }
  if (is_own (endpoint, &init))
    {
      counters->reflected++;
      return;
    }
  hash = hash_of_init (endpoint, from, &init);
  half_open = sqx_half_opens_find (half_opens, hash, from, init.source_id, init.message);
  if (half_open != NULL)
    {
      counters->handshake_repeated++;
      if (half_open->handshake.packet[0] == SQX_PACKET_ACCEPT)
        sqx_half_opens_send (half_opens, half_open);
      return;
    }

  dialling = sqx_admission_find_dialling (endpoint, from, NULL);
  if ((dialling != NULL && memcmp (init.message, ephemeral_of (dialling), SQX_KEY_SIZE) > 0) ||
      sqx_admission_was_answered (endpoint, now, from))
    {
      counters->simultaneous++;
      return;
    }
  /* Who has a session comes back by IK, and finds its connection only when that was read. */
  if (!endpoint->config.accepts && dialling == NULL &&
      (!is_ik (&init) || endpoint->n_connections == 0))
    {
      counters->not_accepting++;
      return;
    }
  if (may_read (endpoint, now, from, &init))
    read_init (endpoint, now, from, &init, hash, dialling);
}
