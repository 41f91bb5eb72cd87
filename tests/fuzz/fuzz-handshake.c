/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two endpoints that call each other and somebody who calls them, is called by them, has a key of
 * his own and says in authentic messages what he likes: parameters, refusals, rubbish, sessions of
 * before, frames. Packets of everybody are changed on their way, field by field.
 *
 * Nothing crashes or leaks, what is half-open is bounded and goes by itself, a place that never
 * showed that it gets packets gets at most three times what came from there, a timeout leads to a
 * packet or to a later deadline, and every wait ends.
 */
#include "sites.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define STEPS 512
#define TRIES 3
#define STRANGER_HOST 2u             /* the sites call it, so that bytes are not counted there */
#define SILENT_HOST (HOSTS - 1)      /* nobody does, and nothing is read there */

/* One handshake of the stranger's, and the link that comes of it. */
typedef struct
{
  bool        used, initiator;
  sqx_noise   noise;
  sqx_keys    keys;
  bool        has_keys;
  sqx_address from;      /* his place */
  site       *peer;
  uint32_t    id, peer_id;
  uint64_t    next_number;
} attempt;

static const uint8_t secret_key[32] = { 99, 1, 2, 3 };

typedef struct
{
  world    w;
  attempt  tries[TRIES];
  unsigned next;
} stage;

/* What the stranger says --------------------------------------------------------------- */

static void
choose_hello (stage     *s,
              sqx_hello *hello,
              uint8_t    choice)
{
  fuzz_input *input = &s->w.input;
  uint64_t *fields[8] = { &hello->max_message_size, &hello->byte_credit, &hello->exchange_credit,
                          &hello->max_channels, &hello->max_streams, &hello->idle_timeout,
                          &hello->ack_delay, &hello->max_datagram_size };

  *hello = (sqx_hello) {
    .max_message_size = SQX_MESSAGE_MAX_MIN,
    .byte_credit = 2 * (SQX_MESSAGE_MAX_MIN + SQX_MESSAGE_OVERHEAD),
    .exchange_credit = 4,
    .max_channels = SQX_CHANNELS_MIN,
    .stream_window = SQX_STREAM_WINDOW_MIN,
    .idle_timeout = 20 * SQX_SECOND,
    .max_datagram_size = SQX_DATAGRAM_DEFAULT,
    .ciphers = { 1, 2 },
    .n_ciphers = 2,
    .has_session = true,
    .has_link_id = true,
  };
  memset (hello->session_id, choice & 1, SQX_SESSION_ID_SIZE);
  hello->generation = choice >> 1 & 7;
  hello->ready = (choice & 16) != 0;
  if ((choice & 0xe0) == 0x20)
    *fields[choice & 7] = input_near (input, *fields[choice & 7]);
  if ((choice & 0xe0) == 0x40)
    hello->n_ciphers = 1;
  if ((choice & 0xe0) == 0x60)
    hello->generation = input_near (input, (uint64_t) 1 << 32);
  if (choice == 0x80)
    hello->has_session = false;
  if (choice == 0x81)
    hello->application_id[0] = 'x';
}

/* A payload of a Noise message. */
static size_t
make_payload (stage    *s,
              uint32_t  link_id,
              uint8_t   payload[SQX_NOISE_PAYLOAD_MAX])
{
  fuzz_input *input = &s->w.input;
  uint8_t choice = input_byte (input), parameters[SQX_HELLO_MAX];
  sqx_writer writer = { payload, 0, SQX_NOISE_PAYLOAD_MAX };
  sqx_hello hello;

  choose_hello (s, &hello, input_byte (input));
  hello.link_id = link_id + (choice == 200);
  sqx_write_hello (&writer, parameters, sqx_hello_encode (&hello, parameters));
  switch (choice & 31)
    {
    case 0:
      writer.size = 0;
      sqx_write_close (&writer, input_number (input) >> 8, "no", 2);
      break;
    case 1:
      payload[input_byte (input) % writer.size] ^= input_byte (input);
      break;
    case 2:
      writer.size = input_byte (input) % writer.size;
      break;
    case 3:
      for (writer.size = 0; writer.size < (choice & 224u); writer.size++)
        payload[writer.size] = input_byte (input);
      break;
    case 4:
      sqx_write_ping (&writer);
      break;
    default:
      break;
    }
  return writer.size;
}

static void
end_try (attempt *a)
{
  sqx_noise_clear (&a->noise);
  if (a->has_keys)
    sqx_keys_clear (&a->keys);
  memset (a, 0, sizeof *a);
}

static void
take_keys (stage   *s,
           attempt *a)
{
  uint8_t send[32], receive[32];
  uint8_t choice = input_byte (&s->w.input);

  if (!sqx_noise_finished (&a->noise) || a->has_keys)
    return;
  sqx_noise_split (&a->noise, send, receive);
  a->has_keys = sqx_keys_init (&a->keys, &toy_crypto, choice == 255 ? 2 : 1, send, receive);
  a->next_number = choice >= 250 ? UINT32_MAX - 1 : 0;
}

static void
give (stage         *s,
      attempt       *a,
      const uint8_t *data,
      size_t         size)
{
  world_give (&s->w, &a->from, &a->peer->address, data, size);
}

/* Begins a handshake with @peer, in a free place or in that of an old one. */
static attempt *
new_try (stage             *s,
         site              *peer,
         bool               initiator,
         uint32_t           prologue_id,
         uint8_t            pattern)
{
  attempt *a = &s->tries[s->next++ % TRIES];
  uint8_t prologue[11] = "Seqex\1", ephemeral[32];
  sqx_noise_config config = {
    .pattern = pattern, .initiator = initiator, .prologue = { prologue, sizeof prologue },
    .static_key = secret_key, .ephemeral = ephemeral,
  };

  end_try (a);
  prologue[6] = pattern;
  sqx_put_be32 (prologue + 7, prologue_id);
  world_random (&s->w, ephemeral, sizeof ephemeral);
  if (pattern >= SQX_NOISE_XXPSK3)
    config.psk = world_psk;
  if (initiator && (pattern & 1) == 0)
    config.remote_static = site_key (peer);
  sqx_noise_init (&a->noise, &toy_crypto, &config);
  a->used = true;
  a->initiator = initiator;
  a->peer = peer;
  world_random (&s->w, (uint8_t *) &a->id, sizeof a->id);
  return a;
}

static void
call (stage *s)
{
  uint8_t choice = input_byte (&s->w.input), packet[2048], payload[SQX_NOISE_PAYLOAD_MAX];
  uint8_t pattern = 1 + (choice & 3), message[SQX_HANDSHAKE_PACKET_MAX];
  site *peer = &s->w.sites[choice >> 2 & 1];
  uint32_t id = 0x10000000u + s->next;
  attempt *a = new_try (s, peer, true, (choice & 0xf0) == 0xf0 ? id + 1 : id, pattern);
  sqx_writer writer = { packet, 0, sizeof packet };
  size_t size = 0;

  a->id = id;
  a->from = world_place ((choice & 8) ? SILENT_HOST : STRANGER_HOST, 5000 + (choice >> 4 & 3));
  if ((pattern & 1) == 0 || (choice & 0xc0) == 0x40)
    size = make_payload (s, 0, payload);
  if (!sqx_noise_write (&a->noise, payload, size, message, sizeof message, &size))
    return;
  sqx_write_init (&writer, id, pattern, NULL, size);
  memcpy (packet + writer.size, message, size);
  memset (packet + writer.size + size, 0, sizeof packet - writer.size - size);
  give (s, a, packet, SQX_MAX (SQX_INIT_MIN, writer.size + size));
}

/* ACCEPT or RETRY to an INIT of the stranger's came. */
static void
go_on (stage   *s,
       attempt *a,
       flight  *f)
{
  uint8_t payload[SQX_NOISE_PAYLOAD_MAX], packet[DATAGRAM_MAX];
  sqx_writer writer = { packet, 0, sizeof packet };
  sqx_accept accept;
  size_t size;

  if (!sqx_accept_decode (&accept, f->data, f->size) ||
      !sqx_noise_read (&a->noise, accept.message, accept.message_size, payload, &size))
    return;
  a->peer_id = accept.source_id;
  if (sqx_noise_writes (&a->noise))
    {
      uint8_t again = input_byte (&s->w.input);

      size = make_payload (s, 0, payload);
      sqx_write_confirm (&writer, a->peer_id);
      if (!sqx_noise_write (&a->noise, payload, size, packet + writer.size,
                            sizeof packet - writer.size, &size))
        return;
      give (s, a, packet, writer.size + size);
      if (again >= 200)
        give (s, a, packet, writer.size + size);
    }
  take_keys (s, a);
}

/* An INIT of a site to the stranger came. */
static void
answer (stage  *s,
        flight *f)
{
  uint8_t choice = input_byte (&s->w.input), payload[SQX_NOISE_PAYLOAD_MAX], packet[DATAGRAM_MAX];
  uint8_t message[SQX_HANDSHAKE_PACKET_MAX];
  sqx_writer writer = { packet, 0, sizeof packet };
  site *peer = world_site (&s->w, &f->from);
  sqx_init init;
  attempt *a;
  size_t size;

  if (peer == NULL || !sqx_init_decode (&init, f->data, f->size))
    return;
  if (choice >= 240)
    {
      size = choice & 1 ? sqx_write_version (packet, sizeof packet, init.source_id)
                        : sqx_write_retry (packet, sizeof packet, init.source_id, forge_pattern);
      if ((choice & 3) == 3)
        packet[size - 1] = 2;
      world_give (&s->w, &f->to, &f->from, packet, size);
      return;
    }
  a = new_try (s, peer, false, init.source_id, init.pattern);
  a->from = f->to;
  a->peer_id = init.source_id;
  if (!sqx_noise_read (&a->noise, init.message, init.message_size, payload, &size))
    return;
  size = make_payload (s, a->id, payload);
  if (!sqx_noise_write (&a->noise, payload, size, message, sizeof message, &size))
    return;
  sqx_write_accept (&writer, init.source_id, a->id, size);
  memcpy (packet + writer.size, message, size);
  give (s, a, packet, writer.size + size);
  take_keys (s, a);
}

/* A CONFIRM of a site came. */
static void
finish (stage   *s,
        attempt *a,
        flight  *f)
{
  uint8_t payload[SQX_NOISE_PAYLOAD_MAX];
  sqx_confirm confirm;
  size_t size;

  if (sqx_confirm_decode (&confirm, f->data, f->size) && !a->initiator &&
      sqx_noise_read (&a->noise, confirm.message, confirm.message_size, payload, &size))
    take_keys (s, a);
}

/* Reads what came for the stranger. */
static void
read_all (stage *s)
{
  world *w = &s->w;

  for (unsigned i = 0; i < w->n_flights; )
    {
      flight f = w->flights[i];
      uint32_t id;

      if (f.to.host[3] < STRANGER_HOST)
        {
          i++;
          continue;
        }
      world_drop (w, i);
      /* Whoever is at the silent place never sees an answer. */
      if (f.to.host[3] == SILENT_HOST)
        continue;
      if (f.data[0] == SQX_PACKET_INIT)
        answer (s, &f);
      else if (sqx_peek_destination (f.data, f.size, &id))
        for (unsigned j = 0; j < TRIES; j++)
          if (s->tries[j].used && s->tries[j].id == id)
            {
              if (f.data[0] == SQX_PACKET_ACCEPT && s->tries[j].initiator)
                go_on (s, &s->tries[j], &f);
              else if (f.data[0] == SQX_PACKET_CONFIRM)
                finish (s, &s->tries[j], &f);
            }
    }
}

/* A DATA of the stranger. */
static void
say (stage *s)
{
  uint8_t choice = input_byte (&s->w.input), packet[DATAGRAM_MAX], forged[DATAGRAM_MAX];
  attempt *a = &s->tries[choice % TRIES];
  sqx_plain_header plain = { 0 };
  sqx_writer writer = { packet, 0, sizeof packet };
  sqx_data_header header = { .destination_id = a->peer_id };
  talk *target;
  size_t size = 1;

  if (!a->used || !a->has_keys || a->peer->endpoint == NULL)
    return;
  if ((choice & 0xc0) == 0xc0)
    sqx_keys_update (&a->keys);
  header.phase = sqx_keys_phase (&a->keys);
  header.number = (uint32_t) a->next_number;
  sqx_write_data (&writer, &header);
  packet[writer.size] = (choice & 4) ? 1 : 5; /* PING or READY */
  target = site_pick (a->peer);
  if (target != NULL && (choice & 0x30) != 0)
    {
      size = forge_packet (&s->w.input, target->conn, &plain, false, NULL, 0, forged,
                           sizeof forged - 300) - SQX_PLAIN_HEADER;
      memcpy (packet + writer.size, forged + SQX_PLAIN_HEADER, size);
    }
  if (sqx_keys_seal (&a->keys, a->next_number, packet, writer.size, packet + writer.size, size))
    give (s, a, packet, writer.size + size + SQX_TAG_SIZE);
  a->next_number += 1 + (choice == 255);
}

/* Changed on the way ------------------------------------------------------------------- */

static void
change_field (stage  *s,
              flight *f)
{
  static const uint8_t offsets[] = { 0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 42, 43, 75, 91, 92 };
  fuzz_input *input = &s->w.input;
  uint8_t choice = input_byte (input), value = input_byte (input);
  size_t at = offsets[choice % sizeof offsets];

  if ((choice & 0xf0) == 0xf0)
    f->size = SQX_MIN (1 + input_number (input) % DATAGRAM_MAX, sizeof f->data);
  else if ((choice & 0xf0) == 0xe0)
    f->data[f->size - 1 - value % f->size] ^= 1;
  else if (at < f->size)
    f->data[at] = (choice & 64) ? value : (uint8_t) (f->data[at] + (choice & 32 ? 1 : -1));
}

static void
tamper (stage *s)
{
  world *w = &s->w;
  uint8_t choice = input_byte (&w->input);
  flight f;

  if (w->n_flights > 0 && (choice & 1))
    f = w->flights[(choice >> 1) % w->n_flights];
  else if (w->n_history > 0)
    f = w->history[(choice >> 1) % SQX_MIN (w->n_history, HISTORY)];
  else
    return;
  change_field (s, &f);
  if (choice & 128)
    change_field (s, &f);
  if ((choice & 0x60) == 0x60)
    f.from = world_place (SILENT_HOST, 5000);
  world_give (w, &f.from, (choice & 0x10) ? &f.from : &f.to, f.data, f.size);
}

static void
rubbish (stage *s)
{
  uint8_t packet[64], choice = input_byte (&s->w.input);
  sqx_address from = world_place (STRANGER_HOST, 5000);

  for (unsigned i = 0; i < (choice & 63u); i++)
    packet[i] = input_byte (&s->w.input);
  world_give (&s->w, &from, &s->w.sites[choice >> 7].address, packet, choice & 63u);
}

/* Steps -------------------------------------------------------------------------------- */

static void
connect_step (stage *s)
{
  uint8_t choice = input_byte (&s->w.input), key[32];
  site *from = &s->w.sites[choice & 1], *other = &s->w.sites[1 - (choice & 1)];
  sqx_address to = (choice & 2) ? other->address : world_place (STRANGER_HOST, 5000);

  toy_crypto.x25519_base (key, secret_key);
  if (choice & 2)
    memcpy (key, site_key (other), sizeof key);
  if ((choice & 0xf0) == 0xf0)
    key[0] ^= 1;
  site_connect (from, &to, (choice & 4) ? key : NULL);
}

static void
step (stage *s)
{
  world *w = &s->w;
  uint8_t op = input_byte (&w->input);
  talk *t;

  switch (op & 31)
    {
    case 0 ... 3:
      connect_step (s);
      break;
    case 4 ... 8:
      call (s);
      break;
    case 9 ... 12:
      say (s);
      break;
    case 13 ... 16:
      world_network_step (w);
      break;
    case 17 ... 20:
      tamper (s);
      break;
    case 21: case 22:
      rubbish (s);
      break;
    case 23 ... 25:
      world_expire (w, &w->sites[op >> 7]);
      break;
    case 26: case 27: case 28:
      t = site_pick (&w->sites[op >> 7]);
      if (t != NULL)
        world_program_step (w, t);
      break;
    case 29:
      w->now += input_number (&w->input) % SQX_SECOND;
      break;
    default:
      world_rare_step (w, &w->sites[op >> 7]);
      break;
    }
  world_settle (w);
  read_all (s);
  world_settle (w);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  static stage s;

  memset (&s, 0, sizeof s);
  world_start (&s.w, data, size);
  s.w.forged = true;
  for (unsigned i = 0; i < STEPS && s.w.input.size > 0; i++)
    step (&s);
  world_fail_allocations (0, 0);
  for (unsigned i = 0; i < TRIES; i++)
    end_try (&s.tries[i]);
  world_finish (&s.w);
  return 0;
}
