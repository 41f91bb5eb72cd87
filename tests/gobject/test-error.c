/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

#include "seqex-error-private.h"

static void
test_domain (void)
{
  g_autoptr (GError) error = g_error_new_literal (SEQEX_ERROR, SEQEX_ERROR_FAILED, "text");
  GEnumClass *codes = g_type_class_ref (SEQEX_TYPE_ERROR);

  g_assert_cmpstr (g_quark_to_string (SEQEX_ERROR), ==, "seqex-error-quark");
  g_assert_cmpint (error->code, ==, 0);
  g_assert_cmpint (codes->minimum, ==, SEQEX_ERROR_FAILED);
  g_assert_cmpint (codes->maximum, ==, SEQEX_ERROR_VERSION_MISMATCH);
  g_assert_cmpuint (codes->n_values, ==, 15);
  g_type_class_unref (codes);
}

static void
assert_like (const GError *error,
             GQuark        domain,
             int           code)
{
  g_assert_error (error, domain, code);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_cmpint (error->message[0], !=, '\0');
}

static void
test_results (void)
{
  const struct
  {
    sqx_result result;
    GQuark     domain;
    int        code;
    gboolean   failure; /* the connection's failure says more */
  } cases[] = {
    { SQX_ERR_NO_MEMORY, SEQEX_ERROR, SEQEX_ERROR_FAILED, FALSE },
    { SQX_ERR_INVALID, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, FALSE },
    { SQX_ERR_CLOSED, G_IO_ERROR, G_IO_ERROR_CLOSED, TRUE },
    { SQX_ERR_ALREADY_ANSWERED, SEQEX_ERROR, SEQEX_ERROR_ALREADY_ANSWERED, FALSE },
    { SQX_ERR_SESSION_LOST, SEQEX_ERROR, SEQEX_ERROR_SESSION_LOST, TRUE },
    { SQX_ERR_TIMED_OUT, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST, TRUE },
    { SQX_ERR_UNREACHABLE, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST, TRUE },
    { SQX_ERR_PROTOCOL, SEQEX_ERROR, SEQEX_ERROR_PROTOCOL_VIOLATION, TRUE },
    { SQX_ERR_APPLICATION_MISMATCH, SEQEX_ERROR, SEQEX_ERROR_APPLICATION_MISMATCH, TRUE },
    { SQX_ERR_PEER_CLOSED, G_IO_ERROR, G_IO_ERROR_CLOSED, TRUE },
  };
  g_autoptr (GError) failure = g_error_new_literal (SEQEX_ERROR, SEQEX_ERROR_PEER_REFUSED, "why");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = seqex_error_from_result (cases[i].result, NULL);
      g_autoptr (GError) better = seqex_error_from_result (cases[i].result, failure);

      assert_like (error, cases[i].domain, cases[i].code);
      if (cases[i].failure)
        assert_like (better, SEQEX_ERROR, SEQEX_ERROR_PEER_REFUSED);
      else
        assert_like (better, cases[i].domain, cases[i].code);
    }
}

static void
test_ends (void)
{
  const struct
  {
    GQuark domain;
    int    code;
  } cases[SQX_N_END_REASONS] = {
    [SQX_END_ENDED] = { SEQEX_ERROR, SEQEX_ERROR_NO_REPLY },
    [SQX_END_UNHANDLED] = { SEQEX_ERROR, SEQEX_ERROR_UNHANDLED },
    [SQX_END_FAILED] = { SEQEX_ERROR, SEQEX_ERROR_HANDLER_FAILED },
    [SQX_END_CANCELLED] = { SEQEX_ERROR, SEQEX_ERROR_CANCELLED_BY_PEER },
    [SQX_END_CLOSING] = { G_IO_ERROR, G_IO_ERROR_CLOSED },
  };

  for (guint i = 0; i < SQX_N_END_REASONS; i++)
    {
      g_autoptr (GError) error = seqex_error_from_end (i);

      assert_like (error, cases[i].domain, cases[i].code);
    }
  /* The public reasons are those of the wire. */
  g_assert_cmpint (SEQEX_END_REASON_ENDED, ==, SQX_END_ENDED);
  g_assert_cmpint (SEQEX_END_REASON_UNHANDLED, ==, SQX_END_UNHANDLED);
  g_assert_cmpint (SEQEX_END_REASON_FAILED, ==, SQX_END_FAILED);
  g_assert_cmpint (SEQEX_END_REASON_CANCELLED, ==, SQX_END_CANCELLED);
  g_assert_cmpint (SEQEX_END_REASON_CLOSING, ==, SQX_END_CLOSING);
}

static void
test_closed (void)
{
  const struct
  {
    sqx_result  error;
    guint64     code;
    gboolean    by_peer;
    const char *reason;
    GQuark      domain; /* 0 for an orderly close */
    int         expected;
    const char *text;   /* part of the message */
  } cases[] = {
    { SQX_OK, SQX_CLOSE_NO_ERROR, FALSE, "", 0, 0, NULL },
    { SQX_ERR_PEER_CLOSED, SQX_CLOSE_NO_ERROR, TRUE, "bye", 0, 0, NULL },
    { SQX_ERR_PEER_CLOSED, 64, TRUE, "full", SEQEX_ERROR, SEQEX_ERROR_PEER_REFUSED,
      "code 64: full" },
    { SQX_ERR_PEER_CLOSED, SQX_CLOSE_INTERNAL_ERROR, TRUE, "", SEQEX_ERROR,
      SEQEX_ERROR_PEER_REFUSED, "code 2" },
    { SQX_ERR_PROTOCOL, SQX_CLOSE_PROTOCOL_VIOLATION, FALSE, "frame", SEQEX_ERROR,
      SEQEX_ERROR_PROTOCOL_VIOLATION, "The peer broke the protocol: frame" },
    { SQX_ERR_PROTOCOL, SQX_CLOSE_PROTOCOL_VIOLATION, TRUE, "frame", SEQEX_ERROR,
      SEQEX_ERROR_PROTOCOL_VIOLATION, "this side broke the protocol: frame" },
    { SQX_ERR_APPLICATION_MISMATCH, SQX_CLOSE_APPLICATION_MISMATCH, TRUE, "a and b", SEQEX_ERROR,
      SEQEX_ERROR_APPLICATION_MISMATCH, "a and b" },
    { SQX_ERR_TIMED_OUT, 0, FALSE, "", SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST, "answer" },
    { SQX_ERR_UNREACHABLE, 0, FALSE, "", SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST, "address" },
    { SQX_ERR_PEER_CLOSED, 64, TRUE, "not \xff UTF-8", SEQEX_ERROR, SEQEX_ERROR_PEER_REFUSED,
      "UTF-8" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      sqx_event event = { .type = SQX_EVENT_CLOSED };
      g_autoptr (GError) error = NULL;

      event.error = cases[i].error;
      event.code = cases[i].code;
      event.by_peer = cases[i].by_peer;
      g_strlcpy (event.reason_text, cases[i].reason, sizeof event.reason_text);
      error = seqex_error_from_closed (&event, NULL);
      if (cases[i].domain == 0)
        {
          g_assert_no_error (error);
          continue;
        }
      assert_like (error, cases[i].domain, cases[i].expected);
      g_assert_nonnull (strstr (error->message, cases[i].text));
    }
}

static void
test_too_large (void)
{
  g_autoptr (GError) error = seqex_error_too_large (1048577, 1048576);

  assert_like (error, SEQEX_ERROR, SEQEX_ERROR_MESSAGE_TOO_LARGE);
  g_assert_nonnull (strstr (error->message, "1048577"));
  g_assert_nonnull (strstr (error->message, "1048576"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/error/domain", test_domain);
  g_test_add_func ("/seqex/error/results", test_results);
  g_test_add_func ("/seqex/error/ends", test_ends);
  g_test_add_func ("/seqex/error/closed", test_closed);
  g_test_add_func ("/seqex/error/too-large", test_too_large);

  return g_test_run ();
}
