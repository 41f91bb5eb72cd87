/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One connection among the incarnations of its peer: packets with source and destination epochs of
 * all kinds, with and without HELLO, and what the connection makes of each.
 */
#include "gen-vectors.h"

#include "sqx.h"
#include "vector-json.h"

#define EPOCH    0x0a000000u
#define N_PEERS  12
#define STEPS    200

typedef struct
{
  GRand    *rand;
  sqx_conn *conn;
  uint64_t  now;
  uint32_t  own;         /* as the connection's last packet said … */
  uint32_t  spare;       /* … and the last one with another source epoch */
  uint32_t  number;      /* of the peer's packets */
  uint32_t  last_number; /* of the connection's */
  gboolean  any_sent;
} Scene;

static void
random_cb (void    *user_data,
           uint8_t *bytes,
           size_t   size)
{
  Scene *scene = user_data;

  for (size_t i = 0; i < size; i++)
    bytes[i] = (uint8_t) g_rand_int (scene->rand);
}

static uint32_t
draw_epoch (Scene *scene)
{
  switch (g_rand_int_range (scene->rand, 0, 20))
    {
    case 0: return 0;
    case 1: return scene->own;
    case 2: return scene->spare;
    case 3: return EPOCH;
    /* Mostly one of a few neighbours, which go on slowly, so that each has its time. */
    default:
      return 0xb0000000u +
             (scene->number / 6 + (guint) g_rand_int_range (scene->rand, 0, 2)) % N_PEERS;
    }
}

static void
write_hello (Scene      *scene,
             sqx_writer *writer)
{
  uint8_t parameters[SQX_HELLO_MAX];
  sqx_hello hello = {
    .max_message_size = SQX_MESSAGE_MAX_MIN,
    .byte_credit = 2 * (SQX_MESSAGE_MAX_MIN + SQX_MESSAGE_OVERHEAD),
    .exchange_credit = 1,
    .max_channels = SQX_CHANNELS_MIN,
    .max_datagram_size = SQX_DATAGRAM_DEFAULT,
  };
  gsize size = sqx_hello_encode (&hello, parameters);

  /* Malformed now and then: a parameter that is missing. */
  if (g_rand_int_range (scene->rand, 0, 60) == 0)
    sqx_write_hello (writer, parameters + 6, size - 6);
  else
    sqx_write_hello (writer, parameters, size);
}

/* A packet of the peer. Its number is new to whatever link there is. */
static void
write_packet (Scene      *scene,
              sqx_writer *writer)
{
  sqx_plain_header header = {
    .source_epoch = draw_epoch (scene),
    .number = scene->number++,
  };
  sqx_message_header message = { .flags = SQX_WIRE_FINAL };
  sqx_range range = { scene->last_number, (uint64_t) scene->last_number + 1 };
  uint64_t written;

  switch (g_rand_int_range (scene->rand, 0, 8))
    {
    case 0: header.destination_epoch = draw_epoch (scene); break;
    case 1: case 2: header.destination_epoch = 0; break;
    case 3: header.destination_epoch = scene->spare; break;
    default: header.destination_epoch = scene->own; break;
    }
  sqx_write_plain (writer, &header);
  if (g_rand_int_range (scene->rand, 0, 4) > 0)
    write_hello (scene, writer);
  if (scene->any_sent && g_rand_int_range (scene->rand, 0, 6) == 0)
    sqx_write_ack (writer, &range, 1, 0);
  if (g_rand_int_range (scene->rand, 0, 6) == 0)
    sqx_write_message (writer, &message, NULL, &written);
  sqx_write_ping (writer);
}

static const char *
what_happened (const sqx_counters   *before,
               const sqx_counters   *after,
               const sqx_statistics *statistics,
               uint64_t              received)
{
  if (after->former_epoch > before->former_epoch)
    return "former";
  if (after->wrong_epoch > before->wrong_epoch)
    return "wrong";
  if (after->unknown_epoch > before->unknown_epoch)
    return "unknown";
  if (after->no_hello > before->no_hello)
    return "no hello";
  return statistics->packets_received > received ? "accepted" : "dropped";
}

static void
print_sent (Scene   *scene,
            GString *json)
{
  uint8_t data[SQX_DATAGRAM_DEFAULT];
  sqx_plain_header header;
  gsize size;

  g_string_append (json, ", \"sent\": [");
  while ((size = sqx_conn_poll_transmit (scene->conn, scene->now, data, sizeof data)) > 0)
    {
      json_hex (json, NULL, data, size);
      sqx_decode_plain (data, size, &header);
      if (header.source_epoch != scene->own)
        scene->spare = scene->own;
      scene->own = header.source_epoch;
      scene->last_number = header.number;
      scene->any_sent = TRUE;
    }
  g_string_append_c (json, ']');
}

static void
step (Scene *scene)
{
  uint8_t data[SQX_DATAGRAM_DEFAULT];
  sqx_writer writer = { data, 0, sizeof data };
  sqx_counters before = *sqx_conn_counters (scene->conn);
  sqx_statistics statistics;
  GString *json;
  sqx_event event;
  uint64_t received;

  sqx_conn_statistics (scene->conn, &statistics);
  received = statistics.packets_received;
  write_packet (scene, &writer);
  scene->now += (uint64_t) g_rand_int_range (scene->rand, 0, 80000);

  json = line_begin ("step");
  json_number (json, "time", scene->now);
  json_hex (json, "hex", data, writer.size);
  sqx_conn_handle_datagram (scene->conn, scene->now, data, writer.size);
  sqx_conn_statistics (scene->conn, &statistics);
  json_string (json, "verdict", what_happened (&before, sqx_conn_counters (scene->conn),
                                               &statistics, received));
  json_number (json, "incarnation", sqx_conn_incarnation (scene->conn));
  json_bool (json, "over", sqx_conn_state (scene->conn) >= SQX_STATE_CLOSING);
  sqx_conn_handle_timeout (scene->conn, scene->now);
  print_sent (scene, json);
  line_end (json);
  while (sqx_conn_poll_event (scene->conn, &event))
    ;
}

void
generate_epochs (guint64 seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed ((guint32) seed);
  Scene scene = { .rand = rand, .now = 1000000, .own = EPOCH, .number = 100 };
  sqx_config config;
  GString *json;

  sqx_config_init (&config);
  config.epoch = EPOCH;
  config.random = random_cb;
  config.user_data = &scene;
  config.idle_timeout = SQX_TIME_NEVER;
  config.accepts_messages = FALSE;
  scene.conn = sqx_conn_new (&config, scene.now);

  json = line_begin ("start");
  /* Half of them call first: packets with destination 0 are on their way then. */
  if (g_rand_boolean (rand))
    sqx_conn_send (scene.conn, scene.now, 0,
                   &(sqx_payload) { .data = (const uint8_t *) "?", .size = 1 }, 0, NULL, NULL);
  json_number (json, "epoch", EPOCH);
  print_sent (&scene, json);
  line_end (json);
  for (guint i = 0; i < STEPS && sqx_conn_state (scene.conn) < SQX_STATE_CLOSING; i++)
    step (&scene);
  sqx_conn_free (scene.conn);
}
