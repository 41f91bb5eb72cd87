/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

static void
test_reply (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) reply = NULL;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  reply = util_send_with_reply (pair.a, "ping", &error);
  g_assert_no_error (error);
  util_assert_text (reply, "ping");
  g_clear_object (&reply);
  util_pair_free (&pair);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/connection/reply", test_reply);

  return g_test_run ();
}
