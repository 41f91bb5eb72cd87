/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The keys of a link: two ends against a model of them, and what is left in memory.
 */
#define _GNU_SOURCE /* memmem() */
#include "keys-fixture.h"
#include "sqx-hkdf.h"

#include "../sanitized.h"

#define MAX_PHASES 40000

/* The keys as the protocol defines them, made in another way. ------------------------- */

typedef struct
{
  guint8 chain[32];
  guint8 data[32];
} Phase;

static void
oracle_expand (guint8       *out,
               const guint8 *key,
               const char   *label)
{
  g_autofree char *info = g_strconcat (label, "\001", NULL);
  GHmac *hmac = g_hmac_new (G_CHECKSUM_SHA256, key, 32);
  gsize size = 32;

  g_hmac_update (hmac, (const guchar *) info, (gssize) strlen (info));
  g_hmac_get_digest (hmac, out, &size);
  g_hmac_unref (hmac);
}

/* Phase @n of the direction that began with the chain of phase 0 in @phases. */
static const Phase *
oracle_phase (GArray     *phases,
              sqx_cipher  cipher,
              guint64     n)
{
  g_assert_cmpuint (n, <, MAX_PHASES);
  while (phases->len <= n)
    {
      Phase next;

      oracle_expand (next.chain, g_array_index (phases, Phase, phases->len - 1).chain,
                     "seqex 1 update");
      oracle_expand (next.data, next.chain, cipher == SQX_CIPHER_AES256GCM
                                              ? "seqex 1 data aes256gcm"
                                              : "seqex 1 data chacha20poly1305");
      g_array_append_val (phases, next);
    }
  return &g_array_index (phases, Phase, n);
}

static GArray *
oracle_new (sqx_cipher cipher,
            guint8     fill)
{
  GArray *phases = g_array_new (FALSE, FALSE, sizeof (Phase));
  Phase first;

  memset (first.chain, fill, 32);
  oracle_expand (first.data, first.chain, cipher == SQX_CIPHER_AES256GCM
                                            ? "seqex 1 data aes256gcm"
                                            : "seqex 1 data chacha20poly1305");
  g_array_append_val (phases, first);
  return phases;
}
static gboolean
in_use (const guint8 *key)
{
  for (guint i = 0; i < contexts->len; i++)
    if (memcmp (g_array_index (contexts, Context *, i)->key, key, 32) == 0)
      return TRUE;
  return FALSE;
}
/* Erasure ----------------------------------------------------------------------------- */

#if !SANITIZED
/* Whether the 32 bytes are anywhere in memory that can be written, but for the stack. They are
 * given inverted, so that the search does not find its own. */
static gboolean
in_memory (const guint8 inverted[32])
{
  g_autofree char *maps = NULL;
  g_auto (GStrv) lines = NULL;
  guint8 needle[32];
  gboolean found = FALSE;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  lines = g_strsplit (maps, "\n", -1);
  for (gsize i = 0; i < 32; i++)
    needle[i] = (guint8) ~inverted[i];
  for (guint i = 0; lines[i] != NULL && !found; i++)
    {
      char *at = NULL;
      gsize start = (gsize) g_ascii_strtoull (lines[i], &at, 16), end;

      if (start == 0)
        continue;
      end = (gsize) g_ascii_strtoull (at + 1, &at, 16);
      if (g_str_has_prefix (at, " rw") && strstr (at, "[v") == NULL &&
          !((gsize) needle >= start && (gsize) needle < end))
        found = memmem ((const void *) start, end - start, needle, 32) != NULL;
    }
  memset (needle, 0, 32);
  return found;
}

/* Chains and keys of the direction from a to b, inverted: see in_memory(). GHmac would leave them
 * in memory that it frees. */
static void
inverted_oracle (sqx_cipher  cipher,
                 Phase      *phases,
                 guint       n)
{
  const sqx_crypto *crypto = seqex_crypto_table ();

  memset (phases[0].chain, 0xab, 32);
  for (guint i = 0; i < n; i++)
    {
      if (i > 0)
        sqx_hkdf_expand_label (crypto, phases[i].chain, phases[i - 1].chain, "seqex 1 update");
      sqx_hkdf_expand_label (crypto, phases[i].data, phases[i].chain,
                             cipher == SQX_CIPHER_AES256GCM ? "seqex 1 data aes256gcm"
                                                            : "seqex 1 data chacha20poly1305");
    }
  for (gsize i = 0; i < n * sizeof *phases; i++)
    ((guint8 *) phases)[i] ^= 0xff;
}

#endif

/* With the library's own contexts: no key of a phase that is over is anywhere in memory. */
static void
test_erasure (void)
{
#if SANITIZED
  g_test_skip ("memory is not what it seems");
#else
  for (gsize c = 0; c < G_N_ELEMENTS (ciphers); c++)
    {
      sqx_keys *a = g_new0 (sqx_keys, 1), *b = g_new0 (sqx_keys, 1);
      Phase phases[3];

      inverted_oracle (ciphers[c], phases, 3);
      {
        guint8 ab[32], ba[32];

        memset (ab, 0xab, 32);
        memset (ba, 0xba, 32);
        g_assert_true (sqx_keys_init (a, seqex_crypto_table (), ciphers[c], ab, ba));
        g_assert_true (sqx_keys_init (b, seqex_crypto_table (), ciphers[c], ba, ab));
      }
      pass (b, a, 0);
      pass (a, b, 0);
      g_assert_true (in_memory (phases[1].chain));
      g_assert_true (in_memory (phases[1].data));
      g_assert_false (in_memory (phases[0].chain));
      sqx_keys_acked (a, 0);
      g_assert_true (sqx_keys_update (a));
      pass (a, b, 1);
      sqx_keys_expire (b, RETAIN);
      g_assert_true (in_memory (phases[2].chain));
      g_assert_false (in_memory (phases[0].data));
      g_assert_false (in_memory (phases[1].chain));
      sqx_keys_clear (a);
      sqx_keys_clear (b);
      for (guint i = 0; i < 3; i++)
        {
          g_assert_false (in_memory (phases[i].chain));
          g_assert_false (in_memory (phases[i].data));
        }
      g_free (a);
      g_free (b);
    }
#endif
}
/* The model --------------------------------------------------------------------------- */

typedef struct
{
  guint64 phase;   /* of the sender, the whole number */
  guint64 acks;    /* the highest number that the sender had received, plus one */
  Packet  packet;
} Flight;

typedef struct
{
  sqx_keys keys;
  GArray  *oracle;      /* of Phase: what this end seals with */
  GArray  *flights;     /* of Flight: on the way to the other end */
  guint64  next;        /* packet number */
  guint64  send, receive;
  guint64  send_first;  /* number of the first packet in the send phase; G_MAXUINT64: none */
  gboolean acked;
  guint64  highest;     /* received, plus one */
  guint64  first;       /* lowest number received in the receive phase; G_MAXUINT64: none */
  guint64  old_until;   /* 0: no old key */
} End;

typedef struct
{
  GRand     *rand;
  sqx_cipher cipher;
  End        ends[2];
  guint64    now;
  guint64    opened[3]; /* of the current, the next and the old phase */
  guint64    both;      /* updates from both sides at once */
} World;

/* No key or chain of a phase that is over is left, and exactly the keys of today are in use. */
static void
check_erasure (World *world,
               guint  which)
{
  End *end = &world->ends[which], *peer = &world->ends[!which];
  const guint8 *bytes = (const guint8 *) &end->keys;
  guint contexts_wanted = 2 + (end->old_until != 0);

  g_assert_cmpuint ((end->keys.send.aead != NULL) + (end->keys.receive.aead != NULL) +
                    (end->keys.old != NULL), ==, contexts_wanted);
  for (guint direction = 0; direction < 2; direction++)
    {
      GArray *oracle = direction == 0 ? end->oracle : peer->oracle;
      guint64 current = direction == 0 ? end->send : end->receive;
      const sqx_keys_direction *kept = direction == 0 ? &end->keys.send : &end->keys.receive;
      const Phase *next = oracle_phase (oracle, world->cipher, current + 1);

      g_assert_cmpmem (((Context *) kept->aead)->key, 32,
                       oracle_phase (oracle, world->cipher, current)->data, 32);
      g_assert_cmpmem (kept->key, 32, next->data, 32);
      g_assert_cmpmem (kept->chain, 32, next->chain, 32);
      for (guint64 phase = current > 3 ? current - 3 : 0; phase <= current; phase++)
        {
          const Phase *over = oracle_phase (oracle, world->cipher, phase);

          g_assert_null (memmem (bytes, sizeof end->keys, over->chain, 32));
          g_assert_null (memmem (bytes, sizeof end->keys, over->data, 32));
        }
    }
  if (end->keys.old != NULL)
    g_assert_cmpmem (((Context *) end->keys.old)->key, 32,
                     oracle_phase (peer->oracle, world->cipher, end->receive - 1)->data, 32);

  g_assert_true (end->send == peer->receive || end->send == peer->receive + 1);
  if (end->send >= 2 && peer->receive == end->send && peer->old_until == 0)
    g_assert_false (in_use (oracle_phase (end->oracle, world->cipher, end->send - 1)->data));
}

static void
model_send (World *world,
            guint  which)
{
  End *end = &world->ends[which];
  Flight flight = { .phase = end->send, .acks = end->highest };
  guint8 nonce[12] = { 0 }, expected[8 + 16] = "payload";
  guint64 big;
  void *aead;

  end->next += (guint64) g_rand_int_range (world->rand, 0, 3); /* numbers may be skipped */
  g_assert_true (seal (&end->keys, end->next, &flight.packet));
  g_assert_cmpuint (flight.packet.phase, ==, end->send & 1);

  aead = seqex_crypto_table ()->aead_new (
    world->cipher, oracle_phase (end->oracle, world->cipher, end->send)->data);
  big = GUINT64_TO_BE (end->next);
  memcpy (nonce + 4, &big, 8);
  seqex_crypto_table ()->aead_seal (aead, nonce, (const guint8 *) HEADER, 6, expected, 8);
  seqex_crypto_table ()->aead_free (aead);
  g_assert_cmpmem (flight.packet.data, 8 + 16, expected, 8 + 16);

  end->send_first = MIN (end->send_first, end->next);
  end->next++;
  g_array_append_val (end->flights, flight);
}

static void
model_expire (World *world,
              End   *end)
{
  if (end->old_until != 0 && world->now >= end->old_until)
    end->old_until = 0;
}

/* A forgery on the way from @from to the other end. */
static void
model_forge (World *world,
             guint  from)
{
  End *to = &world->ends[!from];
  GArray *flights = world->ends[from].flights;
  Packet packet;
  sqx_keys before;
  guint i, bit;

  if (flights->len == 0)
    return;
  i = (guint) g_rand_int_range (world->rand, 0, (gint) flights->len);
  packet = g_array_index (flights, Flight, i).packet;
  bit = (guint) g_rand_int_range (world->rand, 0, 8 * sizeof packet.data + 65);
  if (bit < 8 * sizeof packet.data)
    packet.data[bit / 8] ^= (guint8) (1 << bit % 8);
  else if (bit < 8 * sizeof packet.data + 64)
    packet.number ^= G_GUINT64_CONSTANT (1) << (bit - 8 * sizeof packet.data);
  else
    packet.phase ^= 1;
  sqx_keys_expire (&to->keys, world->now);
  model_expire (world, to);
  before = to->keys;
  g_assert_cmpint (open_at (&to->keys, world->now, &packet), ==, SQX_KEYS_FORGED);
  before.forged = to->keys.forged;
  g_assert_cmpmem (&to->keys, sizeof before, &before, sizeof before);
}

static void
model_deliver (World *world,
               guint  from)
{
  End *sender = &world->ends[from], *to = &world->ends[!from];
  guint i;
  Flight flight;
  sqx_keys_verdict expected = SQX_KEYS_FORGED;

  if (sender->flights->len == 0)
    return;
  i = (guint) g_rand_int_range (world->rand, 0, (gint) sender->flights->len);
  flight = g_array_index (sender->flights, Flight, i);
  if (g_rand_int_range (world->rand, 0, 8) != 0) /* else it comes once more */
    g_array_remove_index_fast (sender->flights, i);
  if (g_rand_int_range (world->rand, 0, 8) == 0)
    return;

  model_expire (world, to);
  if (flight.phase == to->receive)
    expected = SQX_KEYS_OK;
  else if (flight.phase == to->receive + 1)
    expected = SQX_KEYS_OK;
  else if (flight.phase + 1 == to->receive && to->old_until != 0)
    expected = SQX_KEYS_OK;
  g_assert_cmpint (open_at (&to->keys, world->now, &flight.packet), ==, expected);
  g_assert_cmpint (to->keys.old != NULL, ==, to->old_until != 0 || flight.phase > to->receive);
  if (expected != SQX_KEYS_OK)
    return;

  world->opened[flight.phase == to->receive ? 0 : flight.phase > to->receive ? 1 : 2]++;
  if (flight.phase > to->receive)
    {
      to->receive++;
      to->old_until = world->now + RETAIN;
      to->first = flight.packet.number;
      if (to->send < to->receive)
        {
          to->send++;
          to->send_first = G_MAXUINT64;
          to->acked = FALSE;
        }
      else
        world->both += sender->send == to->send && sender->receive < sender->send;
    }
  else if (flight.phase == to->receive)
    to->first = MIN (to->first, flight.packet.number);
  g_assert_true (!to->keys.received || to->keys.receive_first == to->first);
  to->highest = MAX (to->highest, flight.packet.number + 1);
  if (flight.acks > 0)
    {
      sqx_keys_acked (&to->keys, flight.acks - 1);
      if (flight.acks - 1 >= to->send_first)
        to->acked = TRUE;
    }
}

static void
model_update (World *world,
              guint  which)
{
  End *end = &world->ends[which];
  gboolean expected = end->acked && end->send == end->receive;

  g_assert_cmpint (sqx_keys_update (&end->keys), ==, expected);
  if (!expected)
    return;
  end->send++;
  end->send_first = G_MAXUINT64;
  end->acked = FALSE;
}

static void
model_step (World *world)
{
  guint which = (guint) g_rand_int_range (world->rand, 0, 2);

  switch (g_rand_int_range (world->rand, 0, 12))
    {
    case 0: case 1: case 2: case 3:
      model_send (world, which);
      break;
    case 4: case 5: case 6: case 7:
      model_deliver (world, which);
      break;
    case 8:
      model_forge (world, which);
      break;
    case 9:
      model_update (world, which);
      break;
    case 10:
      model_update (world, which);
      model_update (world, !which);
      break;
    default:
      world->now += (guint64) g_rand_int_range (world->rand, 0, RETAIN / 4);
      sqx_keys_expire (&world->ends[which].keys, world->now);
      model_expire (world, &world->ends[which]);
      g_assert_cmpuint (sqx_keys_deadline (&world->ends[which].keys), ==,
                        world->ends[which].old_until != 0 ? world->ends[which].old_until
                                                          : SQX_TIME_NEVER);
      break;
    }
  for (guint i = 0; i < 2; i++)
    {
      /* What never arrived must not pile up. */
      if (world->ends[i].flights->len > 40)
        g_array_remove_range (world->ends[i].flights, 0, 20);
      check_erasure (world, i);
    }
}

static void
run_model (guint32    seed,
           sqx_cipher cipher,
           guint      steps,
           guint64    opened[4])
{
  World world = { .rand = g_rand_new_with_seed (seed), .cipher = cipher };

  init_pair (&world.ends[0].keys, &world.ends[1].keys, cipher);
  for (guint i = 0; i < 2; i++)
    {
      world.ends[i].oracle = oracle_new (cipher, i == 0 ? 0xab : 0xba);
      world.ends[i].flights = g_array_new (FALSE, FALSE, sizeof (Flight));
      world.ends[i].send_first = G_MAXUINT64;
      world.ends[i].first = G_MAXUINT64;
    }
  for (guint step = 0; step < steps; step++)
    model_step (&world);

  for (guint i = 0; i < 3; i++)
    opened[i] += world.opened[i];
  opened[3] += world.both;
  for (guint i = 0; i < 2; i++)
    {
      g_array_unref (world.ends[i].oracle);
      g_array_unref (world.ends[i].flights);
    }
  clear_pair (&world.ends[0].keys, &world.ends[1].keys);
  g_rand_free (world.rand);
}

static void
test_model (void)
{
  guint64 opened[4] = { 0 };

  for (guint i = 0; i < 20; i++)
    {
      guint32 seed = (guint32) g_test_rand_int ();

      g_test_message ("seed %u", seed);
      run_model (seed, ciphers[i % 2], 5000, opened);
    }
  g_test_message ("opened %" G_GUINT64_FORMAT " of the phase in use, %" G_GUINT64_FORMAT
                  " of the next, %" G_GUINT64_FORMAT " of the one before; %" G_GUINT64_FORMAT
                  " updates met", opened[0], opened[1], opened[2], opened[3]);
  for (guint i = 0; i < 4; i++)
    g_assert_cmpuint (opened[i], >, 50);
}
int
main (int   argc,
      char *argv[])
{
  int status;

  g_test_init (&argc, &argv, NULL);
  contexts = g_array_new (FALSE, FALSE, sizeof (Context *));
  g_test_add_func ("/seqex/keys/erasure", test_erasure);
  g_test_add_func ("/seqex/keys/model", test_model);
  status = g_test_run ();
  g_array_unref (contexts);
  return status;
}
