/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is allocated in the steady state grows with messages, not with packets.
 */
#include "endpoints.h"

#include "fail-alloc.h"

#define MS     SQX_MILLISECOND
#define SIZE   65536u
#define DEPTH  8u
#define ROUNDS 40u

typedef struct
{
  guint   datagram;
  gsize   size;
  guint64 packets; /* an exchange takes at least so many … */
  gdouble most;    /* … and at most so many allocations, of both ends */
} Case;

static const Case cases[] = {
  { 1200, SIZE, 100, 3 },
  { 8952, SIZE, 10, 3 },
  { SQX_DATAGRAM_MAX, SIZE, 2, 3 },
  { 1200, 64, 0, 2.2 },
};

static Site *
make_site (World *world,
           guint  host,
           guint  datagram)
{
  Site *site = site_new (world, host);
  sqx_endpoint_config config;

  site_config_secure (site, &config);
  config.connection.max_datagram_size = datagram;
  site_open (site, &config);
  return site;
}

static void
exchange (World *world,
          Talk  *talk,
          gsize  size)
{
  guint expected = talk->replies + DEPTH;

  for (guint i = 0; i < DEPTH; i++)
    g_assert_cmpint (talk_send (talk, size), ==, SQX_OK);
  for (guint i = 0; i < 1000 && talk->replies < expected; i++)
    world_run (world, 5 * MS);
  g_assert_cmpuint (talk->replies, ==, expected);
}

static void
test_case (gconstpointer data)
{
  const Case *what = data;
  World *world = world_new ();
  Site *a = make_site (world, 1, what->datagram), *b = make_site (world, 2, what->datagram);
  Talk *talk = site_connect (a, b, NULL);
  guint64 packets;
  gulong allocated;

  /* Until all is as large as it gets. */
  for (guint i = 0; i < ROUNDS; i++)
    exchange (world, talk, what->size);
  packets = a->sent + b->sent;
  allocated = alloc_count;
  for (guint i = 0; i < ROUNDS; i++)
    exchange (world, talk, what->size);
  packets = a->sent + b->sent - packets;
  allocated = alloc_count - allocated;
  g_test_message ("figure: %.2f allocations and %.1f packets an exchange",
                  (gdouble) allocated / (ROUNDS * DEPTH), (gdouble) packets / (ROUNDS * DEPTH));
  g_assert_cmpuint (packets, >=, what->packets * ROUNDS * DEPTH);
  g_assert_cmpfloat ((gdouble) allocated, <=, what->most * ROUNDS * DEPTH);
  /* Every payload is one, so that counting works. */
  g_assert_cmpuint (allocated, >=, 2 * ROUNDS * DEPTH);
  world_free (world);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree gchar *path = g_strdup_printf ("/seqex/allocations/%u-in-%u",
                                                (guint) cases[i].size, cases[i].datagram);

      g_test_add_data_func (path, &cases[i], test_case);
    }
  return g_test_run ();
}
