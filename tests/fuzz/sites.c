/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sites.h"

#include "fail-alloc.h"

const uint8_t world_psk[32] = "a secret that the sites share";

void
world_fail_allocations (unsigned until,
                        unsigned fail)
{
  fail_after = until;
  fail_count = fail;
}

/* Sites -------------------------------------------------------------------------------- */

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

/* The core gives its user data, the world; whose key it is tells the site. */
static sqx_trust
judge (void         *user_data,
       sqx_conn     *conn,
       const uint8_t key[32])
{
  world *w = user_data;

  (void) conn;
  for (unsigned i = 0; i < SITES; i++)
    if (memcmp (site_key (&w->sites[i]), key, SQX_KEY_SIZE) == 0)
      return w->sites[1 - i].trust;
  return w->sites[0].trust;
}

sqx_address
world_place (unsigned host,
             unsigned port)
{
  sqx_address address = { .host = { 10, 0, 0, (uint8_t) host }, .host_size = 4,
                          .port = (uint16_t) port };

  return address;
}

void
site_start (world *w,
            site  *s)
{
  unsigned index = (unsigned) (s - w->sites);
  uint8_t choice = input_byte (&w->input);
  sqx_endpoint_config *config = &s->config;

  sqx_endpoint_config_init (config);
  config->connection.random = world_random;
  config->connection.user_data = w;
  config->connection.payload_ref = payload_ref;
  config->connection.payload_unref = payload_unref;
  config->connection.max_message_size = SQX_MESSAGE_MAX_MIN + 16000;
  config->connection.byte_window = 2 * (config->connection.max_message_size + SQX_MESSAGE_OVERHEAD);
  config->connection.exchange_credit = 1 + (choice & 15);
  config->connection.max_channels = SQX_CHANNELS_MIN + 4;
  config->connection.application_id = choice == 255 ? "another" : NULL;
  config->crypto = &toy_crypto;
  memset (config->secret_key, 17 + (int) index, sizeof config->secret_key);
  config->accepts = true;
  config->cipher = choice >> 4 & 3 ? 0 : 1 + (choice >> 6 & 1);
  config->max_half_open = 4;
  config->max_half_open_per_host = 3;
  config->retry_threshold = (choice & 192) == 192 ? 0 : 2;
  config->max_connections = TALKS - 1;
  config->judge = judge;
  s->world = w;
  s->address = world_place (index, 4000);
  s->trust = SQX_TRUST_ACCEPT;
  world_fail_allocations (0, 0);
  s->endpoint = sqx_endpoint_new (config, w->now);
  REQUIRE (s->endpoint != NULL);
}

const uint8_t *
site_key (const site *s)
{
  return sqx_endpoint_public_key (s->endpoint);
}

static talk *
new_talk (site     *s,
          sqx_conn *conn)
{
  for (unsigned i = 0; i < TALKS; i++)
    if (s->talks[i].conn == NULL)
      {
        memset (&s->talks[i], 0, sizeof s->talks[i]);
        s->talks[i].site = s;
        s->talks[i].conn = conn;
        return &s->talks[i];
      }
  return NULL;
}

talk *
site_connect (site              *s,
              const sqx_address *to,
              const uint8_t     *key)
{
  talk *t = NULL;
  sqx_conn *conn = sqx_endpoint_connect (s->endpoint, s->world->now, &s->config.connection, to, key,
                                         s);

  if (conn != NULL)
    {
      t = new_talk (s, conn);
      if (t == NULL)
        sqx_conn_free (conn);
      else
        sqx_conn_set_user_data (conn, t);
    }
  return t;
}

talk *
site_pick (site *s)
{
  unsigned first = input_byte (&s->world->input) % TALKS;

  for (unsigned i = 0; i < TALKS; i++)
    if (s->talks[(first + i) % TALKS].conn != NULL)
      return &s->talks[(first + i) % TALKS];
  return NULL;
}

void
talk_free (talk *t)
{
  sqx_conn_free (t->conn);
  t->conn = NULL;
}

void
site_stop (site *s)
{
  for (unsigned i = 0; i < TALKS; i++)
    if (s->talks[i].conn != NULL)
      talk_free (&s->talks[i]);
  REQUIRE (sqx_endpoint_n_connections (s->endpoint) == 0);
  sqx_endpoint_free (s->endpoint);
  s->endpoint = NULL;
}

/* The network -------------------------------------------------------------------------- */

site *
world_site (world             *w,
            const sqx_address *address)
{
  for (unsigned i = 0; i < SITES; i++)
    if (sqx_address_equal (&w->sites[i].address, address))
      return &w->sites[i];
  return NULL;
}

/* From an exact block, so that a read past its end is seen. */
void
world_give (world             *w,
            const sqx_address *from,
            const sqx_address *to,
            const uint8_t     *data,
            size_t             size)
{
  site *s = world_site (w, to);
  uint8_t *copy;

  if (s == NULL)
    return;
  w->bytes_from[from->host[3] % HOSTS] += size;
  copy = __real_malloc (size > 0 ? size : 1);
  memcpy (copy, data, size);
  sqx_endpoint_handle_datagram (s->endpoint, w->now, from, copy, size);
  free (copy);
}

void
world_drop (world   *w,
            unsigned i)
{
  w->n_flights--;
  memmove (&w->flights[i], &w->flights[i + 1], (w->n_flights - i) * sizeof w->flights[i]);
}

void
world_deliver (world   *w,
               unsigned i)
{
  flight f = w->flights[i];

  world_drop (w, i);
  world_give (w, &f.from, &f.to, f.data, f.size);
}

static void
transmit (world *w,
          site  *s)
{
  flight f = { .from = s->address };

  for (unsigned i = 0; i < 2 * FLIGHTS; i++)
    {
      f.size = sqx_endpoint_poll_transmit (s->endpoint, w->now, &f.to, f.data, sizeof f.data);
      if (f.size == 0)
        return;
      REQUIRE (f.size <= SQX_DATAGRAM_DEFAULT);
      f.seal = toy_last;
      s->sent++;
      w->bytes_to[f.to.host[3] % HOSTS] += f.size;
      w->history[w->n_history++ % HISTORY] = f;
      if (w->n_flights < FLIGHTS)
        w->flights[w->n_flights++] = f;
    }
}

void
world_expire (world *w,
              site  *s)
{
  uint64_t at = sqx_endpoint_next_timeout (s->endpoint);
  unsigned before = s->sent;

  if (at == SQX_TIME_NEVER)
    return;
  w->now = SQX_MAX (w->now, at);
  sqx_endpoint_handle_timeout (s->endpoint, w->now);
  transmit (w, s);
  REQUIRE (s->sent > before || sqx_endpoint_next_timeout (s->endpoint) > w->now);
}

/* Programs ----------------------------------------------------------------------------- */

static void
told (sqx_outgoing **handle)
{
  REQUIRE (handle != NULL && *handle != NULL);
  *handle = NULL;
}

/* Every message is delivered once, and what arrives is what was sent. */
static void
take (talk        *t,
      sqx_message *message)
{
  world *w = t->site->world;

  REQUIRE ((message->data == NULL) == (message->size == 0));
  REQUIRE (message->size <= t->site->config.connection.max_message_size);
  if (message->size > 0 && !w->forged)
    REQUIRE (memcmp (message->data, forge_pattern + message->data[0], message->size) == 0);
  free (message->data);
  for (unsigned i = 0; i < t->n_seen; i++)
    REQUIRE (memcmp (&t->seen[i], &message->id, sizeof message->id) != 0);
  if (t->n_seen < SEEN)
    t->seen[t->n_seen++] = message->id;

  if (message->flags & SQX_MESSAGE_FINAL)
    return;
  if (t->n_taken < TAKEN)
    t->taken[t->n_taken++] = message->id;
  else
    sqx_conn_end (t->conn, w->now, &message->id, SQX_END_UNHANDLED);
}

static void
handle_event (talk      *t,
              sqx_event *event)
{
  REQUIRE (!t->closed);
  switch (event->type)
    {
    case SQX_EVENT_REPLY:
      told (event->tag);
      take (t, &event->message);
      break;
    case SQX_EVENT_END:
    case SQX_EVENT_FAILED:
      told (event->tag);
      break;
    case SQX_EVENT_DATAGRAM:
      free (event->message.data);
      break;
    case SQX_EVENT_STREAM:
      if (event->opened)
        sqx_stream_release (t->conn, t->site->world->now, event->stream);
      break;
    case SQX_EVENT_AUTHORIZE:
      t->asked = true;
      break;
    case SQX_EVENT_CLOSED:
      t->closed = true;
      break;
    case SQX_EVENT_CONNECTED:
    case SQX_EVENT_MESSAGE:
    case SQX_EVENT_CANCELLED:
    case SQX_EVENT_WRITABLE:
    case SQX_EVENT_RESTARTED:
    case SQX_EVENT_RECONNECTING:
    case SQX_EVENT_MOVED:
      break;
    }
}

static void
fetch (site *s)
{
  sqx_conn *conn;
  sqx_event event;

  while ((conn = sqx_endpoint_poll_conn (s->endpoint)) != NULL)
    {
      talk *t = sqx_conn_user_data (conn);

      if (t == NULL)
        {
          t = new_talk (s, conn);
          if (t == NULL)
            {
              sqx_conn_free (conn);
              continue;
            }
          sqx_conn_set_user_data (conn, t);
        }
      while (sqx_conn_poll_event (conn, &event))
        handle_event (t, &event);
    }
}

static void
check (site *s)
{
  world *w = s->world;

  REQUIRE (sqx_endpoint_n_half_open (s->endpoint) <= s->config.max_half_open);
  for (unsigned i = 0; i < TALKS; i++)
    {
      const sqx_conn *conn = s->talks[i].conn;
      sqx_statistics statistics;

      if (conn == NULL)
        continue;
      REQUIRE (s->talks[i].closed == (sqx_conn_state (conn) >= SQX_STATE_CLOSING));
      sqx_conn_statistics (conn, &statistics);
      REQUIRE (sqx_conn_received_bytes_held (conn) <= statistics.byte_window);
      /* Who has no keys cannot make a peer look as if it broke the rules. */
      REQUIRE (w->forged || sqx_conn_counters (conn)->violation == 0);
    }
  /* Nobody calls this place, and nobody there ever showed that he gets packets. */
  REQUIRE (w->bytes_to[HOSTS - 1] <= 3 * w->bytes_from[HOSTS - 1]);
}

void
world_settle (world *w)
{
  for (unsigned i = 0; i < SITES; i++)
    {
      /* Twice: what the program learned may make something due, and the other way round. */
      for (unsigned again = 0; again < 2; again++)
        {
          transmit (w, &w->sites[i]);
          fetch (&w->sites[i]);
        }
      check (&w->sites[i]);
    }
}

/* Steps -------------------------------------------------------------------------------- */

void
world_network_step (world *w)
{
  uint8_t what = input_byte (&w->input);
  unsigned i = w->n_flights > 0 ? (what >> 3) % w->n_flights : 0;
  flight f;

  if (w->n_flights == 0 && (what & 7) != 6)
    return;
  switch (what & 7)
    {
    case 0: case 1: case 2:
      for (unsigned left = w->n_flights; left > 0; left--)
        world_deliver (w, 0);
      break;
    case 3:
      world_deliver (w, i);
      break;
    case 4:
      world_drop (w, i);
      break;
    case 5:
      f = w->flights[i];
      world_give (w, &f.from, &f.to, f.data, f.size);
      break;
    case 6:
      if (w->n_history > 0)
        {
          f = w->history[(what >> 3) % SQX_MIN (w->n_history, HISTORY)];
          world_give (w, &f.from, &f.to, f.data, f.size);
        }
      break;
    default: /* from another port, or another host */
      f = w->flights[i];
      world_drop (w, i);
      f.from.port += 1;
      f.from.host[3] = (what & 64) ? HOSTS - 2 : f.from.host[3];
      world_give (w, &f.from, &f.to, f.data, f.size);
      break;
    }
}

static bool
submit (talk                 *t,
        const sqx_message_id *id)
{
  static const size_t sizes[] = { 0, 1, 64, 900, 1150, 1300, 5000, 32384 };
  world *w = t->site->world;
  uint8_t choice = input_byte (&w->input);
  sqx_payload payload = { forge_pattern + choice % 251, sizes[choice & 7], &w->refs };
  uint32_t flags = (choice & 8 ? SQX_MESSAGE_ORDERED : 0) | (choice & 16 ? SQX_MESSAGE_FINAL : 0);

  for (unsigned i = 0; i < SENDS; i++)
    if (t->sends[i] == NULL)
      {
        sqx_outgoing **handle = &t->sends[i];
        sqx_result result = id != NULL
          ? sqx_conn_reply (t->conn, w->now, id, &payload, flags, handle, handle)
          : sqx_conn_send (t->conn, w->now, choice >> 6, &payload, flags, handle, handle);

        REQUIRE ((result == SQX_OK) == (*handle != NULL));
        return result == SQX_OK;
      }
  return false;
}

static void
receive_all (talk *t)
{
  sqx_message message;

  for (uint32_t channel = 0; channel < FORGE_CHANNELS; channel++)
    while (sqx_conn_receive (t->conn, t->site->world->now, channel, &message))
      take (t, &message);
}

void
world_program_step (world *w,
                    talk  *t)
{
  uint8_t what = input_byte (&w->input);

  switch (what & 15)
    {
    case 0: case 1: case 2: case 3:
      submit (t, NULL);
      break;
    case 4: case 5:
      receive_all (t);
      break;
    case 6: case 7:
      if (t->n_taken > 0 && submit (t, &t->taken[t->n_taken - 1]))
        t->n_taken--;
      break;
    case 8:
      if (t->n_taken > 0)
        sqx_conn_end (t->conn, w->now, &t->taken[--t->n_taken], (what >> 4) % SQX_N_END_REASONS);
      break;
    case 9:
      if (t->sends[what >> 4] != NULL)
        {
          sqx_conn_cancel (t->conn, w->now, t->sends[what >> 4]);
          t->sends[what >> 4] = NULL;
        }
      break;
    case 10: case 11:
      sqx_conn_update_keys (t->conn, w->now);
      break;
    case 12:
      sqx_conn_set_persistent (t->conn, w->now, (what & 16) ? SQX_TIME_NEVER : 60 * SQX_SECOND);
      break;
    case 13:
      sqx_conn_authorize (t->conn, w->now, what < 208);
      t->asked = false;
      break;
    case 14:
      if (what & 128)
        sqx_conn_close (t->conn, w->now, what >> 4, "closed by the input");
      else if (what & 64)
        sqx_conn_abort (t->conn, w->now, what >> 4, NULL);
      else
        sqx_conn_set_keepalive (t->conn, w->now, SQX_SECOND, (what & 16) != 0);
      break;
    default:
      if ((what & 240) == 240)
        talk_free (t);
      else
        sqx_conn_set_idle_timeout (t->conn, w->now, (1 + (what >> 4)) * SQX_SECOND);
      break;
    }
}

void
world_rare_step (world *w,
                 site  *s)
{
  uint8_t what = input_byte (&w->input);

  switch (what & 7)
    {
    case 0:
      sqx_endpoint_set_psk (s->endpoint, (what & 8) ? world_psk : NULL);
      break;
    case 1:
      sqx_endpoint_set_accepts (s->endpoint, (what & 8) != 0);
      break;
    case 2:
      sqx_endpoint_handle_network_changed (s->endpoint, w->now);
      break;
    case 3:
      sqx_endpoint_handle_unreachable (s->endpoint, w->now, &w->sites[what >> 3 & 1].address);
      break;
    case 4: /* the program ends, and another one begins with the same key */
      if (what >= 128)
        {
          site_stop (s);
          site_start (w, s);
        }
      else
        s->trust = (what >> 3) % 3;
      break;
    case 5:
      w->now += input_number (&w->input) % (40 * SQX_SECOND);
      break;
    default:
      world_fail_allocations (what >> 3, what >= 0xf0 ? 100 : 1 + (what & 1) * 3);
      break;
    }
}

/* The beginning and the end ------------------------------------------------------------ */

void
world_start (world         *w,
             const uint8_t *data,
             size_t         size)
{
  memset (w, 0, sizeof *w);
  if (forge_pattern[1] == 0)
    forge_init ();
  w->input = (fuzz_input) { data, size };
  w->now = SQX_SECOND;
  w->random = (uint32_t) size;
  for (unsigned i = 0; i < SITES; i++)
    site_start (w, &w->sites[i]);
}

static bool
waits (const talk *t)
{
  for (unsigned i = 0; i < SENDS; i++)
    if (t->conn != NULL && t->sends[i] != NULL)
      return true;
  return false;
}

/* The program does what it can so that everything ends. @all: also the connections. Returns whether
 * something is left. */
static bool
wind_up (world *w,
         bool   all)
{
  bool left = false;

  for (unsigned i = 0; i < SITES * TALKS; i++)
    {
      talk *t = &w->sites[i / TALKS].talks[i % TALKS];

      if (t->conn == NULL)
        continue;
      if (t->asked)
        sqx_conn_authorize (t->conn, w->now, true);
      t->asked = false;
      receive_all (t);
      while (t->n_taken > 0)
        sqx_conn_end (t->conn, w->now, &t->taken[--t->n_taken], SQX_END_ENDED);
      left |= waits (t);
      if (all && !t->closed)
        sqx_conn_abort (t->conn, w->now, SQX_CLOSE_FIRST_APPLICATION, "over");
      left |= all && sqx_conn_state (t->conn) != SQX_STATE_CLOSED;
    }
  return left;
}

/* The network works, and time passes, until everything that is waited for came. */
static void
run (world *w,
     bool   all)
{
  for (unsigned rounds = 0; wind_up (w, all); rounds++)
    {
      site *a = &w->sites[0], *b = &w->sites[1];

      REQUIRE (rounds < 6000);
      world_settle (w);
      if (w->n_flights > 0)
        for (unsigned left = w->n_flights; left > 0; left--)
          world_deliver (w, 0);
      else if (sqx_endpoint_next_timeout (a->endpoint) < sqx_endpoint_next_timeout (b->endpoint))
        world_expire (w, a);
      else
        world_expire (w, b);
      world_settle (w);
    }
}

void
world_finish (world *w)
{
  world_fail_allocations (0, 0);
  for (unsigned i = 0; i < SITES; i++)
    sqx_endpoint_set_accepts (w->sites[i].endpoint, true);
  for (unsigned i = 0; i < SITES * TALKS; i++)
    {
      sqx_conn *conn = w->sites[i / TALKS].talks[i % TALKS].conn;

      if (conn == NULL)
        continue;
      sqx_conn_set_keepalive (conn, w->now, SQX_KEEPALIVE_DEFAULT, false);
      /* Nobody looks for ever for a peer that has gone. */
      if (conn->secure->persist > 0)
        sqx_conn_set_persistent (conn, w->now, 60 * SQX_SECOND);
    }
  if (!w->forged)
    run (w, false);
  run (w, true);
  for (unsigned i = 0; i < SITES; i++)
    {
      /* What was half-open goes by itself. */
      for (unsigned rounds = 0; sqx_endpoint_next_timeout (w->sites[i].endpoint) != SQX_TIME_NEVER;
           rounds++)
        {
          REQUIRE (rounds < 100);
          world_expire (w, &w->sites[i]);
        }
      REQUIRE (sqx_endpoint_n_half_open (w->sites[i].endpoint) == 0);
      site_stop (&w->sites[i]);
    }
  REQUIRE (w->refs == 0);
}
