/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "seqex-address-private.h"

#include <arpa/inet.h>

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
      g_autofree char *back_text = NULL;
      char mapped_text[INET6_ADDRSTRLEN];
      struct sockaddr_in6 mapped;
      sqx_address address, native;

      g_assert_true (seqex_address_from_gio (&address, gio));
      g_assert_cmpuint (address.host_size, ==, cases[i].host_size);
      g_assert_cmpuint (address.port, ==, 4711);
      for (guint j = address.host_size; j < sizeof address.host; j++)
        g_assert_cmpuint (address.host[j], ==, 0);

      back = seqex_address_to_gio (&address);
      back_text = g_inet_address_to_string (
        g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (back)));
      g_assert_cmpstr (back_text, ==, cases[i].back);
      g_assert_cmpuint (g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (back)), ==, 4711);

      g_assert_cmpuint (seqex_address_to_native (&address, TRUE, &mapped), ==, sizeof mapped);
      g_assert_cmpint (mapped.sin6_family, ==, AF_INET6);
      g_assert_cmpuint (GUINT16_FROM_BE (mapped.sin6_port), ==, 4711);
      inet_ntop (AF_INET6, &mapped.sin6_addr, mapped_text, sizeof mapped_text);
      g_assert_cmpstr (mapped_text, ==, cases[i].mapped);
      g_assert_true (seqex_address_from_native (&native, (const struct sockaddr *) &mapped,
                                                sizeof mapped));
      g_assert_true (sqx_address_equal (&native, &address));
      g_assert_cmpuint (seqex_address_to_native (&address, FALSE, &mapped), ==,
                        address.host_size == 4 ? sizeof (struct sockaddr_in) : sizeof mapped);
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
      back = seqex_address_to_gio (&addresses[i]);
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

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/address/forms", test_forms);
  g_test_add_func ("/seqex/address/scope", test_scope);
  g_test_add_func ("/seqex/address/others", test_others);

  return g_test_run ();
}
