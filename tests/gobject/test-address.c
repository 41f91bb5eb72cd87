/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "seqex-address-private.h"

static GSocketAddress *
parse (const char *host,
       guint       port)
{
  return g_inet_socket_address_new_from_string (host, port);
}

/* There and back, and the same address always in the same form. */
static void
test_forms (void)
{
  const struct
  {
    const char *host;
    guint       host_size;
    const char *back;
    const char *mapped;
  } cases[] = {
    { "192.0.2.1", 4, "192.0.2.1", "::ffff:192.0.2.1" },
    { "::ffff:192.0.2.1", 4, "192.0.2.1", "::ffff:192.0.2.1" },
    { "0.0.0.0", 4, "0.0.0.0", "::ffff:0.0.0.0" },
    { "2001:db8::1", 16, "2001:db8::1", "2001:db8::1" },
    { "::1", 16, "::1", "::1" },
    { "::", 16, "::", "::" },
    /* Not mapped: only ::ffff:0:0/96 is. */
    { "::fffe:192.0.2.1", 16, "::fffe:c000:201", "::fffe:c000:201" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GSocketAddress) gio = parse (cases[i].host, 4711);
      g_autoptr (GSocketAddress) back = NULL;
      g_autoptr (GSocketAddress) mapped = NULL;
      g_autofree char *back_text = NULL;
      g_autofree char *mapped_text = NULL;
      sqx_address address;

      g_assert_true (seqex_address_from_gio (&address, gio));
      g_assert_cmpuint (address.host_size, ==, cases[i].host_size);
      g_assert_cmpuint (address.port, ==, 4711);
      for (guint j = address.host_size; j < sizeof address.host; j++)
        g_assert_cmpuint (address.host[j], ==, 0);

      back = seqex_address_to_gio (&address, FALSE);
      mapped = seqex_address_to_gio (&address, TRUE);
      back_text = g_inet_address_to_string (
        g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (back)));
      mapped_text = g_inet_address_to_string (
        g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (mapped)));
      g_assert_cmpstr (back_text, ==, cases[i].back);
      g_assert_cmpstr (mapped_text, ==, cases[i].mapped);
      g_assert_cmpuint (g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (mapped)), ==, 4711);
    }
}

/* The same host on two links is two hosts. */
static void
test_scope (void)
{
  g_autoptr (GInetAddress) host = g_inet_address_new_from_string ("fe80::1");
  sqx_address addresses[2];

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GSocketAddress) gio = g_object_new (G_TYPE_INET_SOCKET_ADDRESS, "address", host,
                                                     "port", 1, "scope-id", 0x01020304 + i, NULL);
      g_autoptr (GSocketAddress) back = NULL;

      g_assert_true (seqex_address_from_gio (&addresses[i], gio));
      g_assert_cmpuint (addresses[i].host_size, ==, 20);
      back = seqex_address_to_gio (&addresses[i], TRUE);
      g_assert_cmpuint (g_inet_socket_address_get_scope_id (G_INET_SOCKET_ADDRESS (back)), ==,
                        0x01020304 + i);
    }
  g_assert_false (sqx_address_equal (&addresses[0], &addresses[1]));
}

static void
test_others (void)
{
  g_autoptr (GSocketAddress) path = g_unix_socket_address_new ("/nowhere");
  const struct sockaddr_storage cut = { .ss_family = AF_INET6 };
  sqx_address address;

  memset (&address, 1, sizeof address);
  g_assert_false (seqex_address_from_gio (&address, path));
  g_assert_cmpuint (address.host_size, ==, 0);
  g_assert_false (seqex_address_from_gio (&address, NULL));
  for (gsize size = 0; size < 28; size++)
    g_assert_false (seqex_address_from_native (&address, (const struct sockaddr *) &cut, size));
  g_assert_true (seqex_address_from_native (&address, (const struct sockaddr *) &cut, 28));
}

/* Many peers: what comes out is right whatever shares a place. */
static void
test_cache (void)
{
  SeqexAddressCache cache = { .mapped = TRUE };
  g_autoptr (GSocketAddress) kept = NULL;

  for (guint i = 0; i < 5000; i++)
    {
      sqx_address address = { .host = { 10, i >> 8 & 0xff, i & 0xff, 1 }, .host_size = 4,
                              .port = 1 + i % 7 };
      g_autoptr (GSocketAddress) first = seqex_address_cache_get (&cache, &address, i / 10);
      g_autoptr (GSocketAddress) second = seqex_address_cache_get (&cache, &address, i / 10);
      sqx_address back;

      g_assert_true (first == second);
      g_assert_true (seqex_address_from_gio (&back, first));
      g_assert_true (sqx_address_equal (&back, &address));
      if (i == 0)
        kept = g_object_ref (first);
    }
  g_assert_cmpuint (cache.size, <=, 8192);
  seqex_address_cache_clear (&cache);
  /* What was given away stays. */
  g_assert_cmpuint (G_OBJECT (kept)->ref_count, ==, 1);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/address/forms", test_forms);
  g_test_add_func ("/seqex/address/scope", test_scope);
  g_test_add_func ("/seqex/address/others", test_others);
  g_test_add_func ("/seqex/address/cache", test_cache);

  return g_test_run ();
}
