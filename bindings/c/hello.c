/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hello world: five messages, each the reply to the one before, the last answered by an end.
 *
 *     hello --serve     in one terminal
 *     hello --ask --peer-key FINGERPRINT       in another, or the same program in another language
 */
#include "example.h"

/* Checks that a message is the one that comes at this place of the chain. Takes the message and
 * the error; returns the message, or NULL when the program has failed. */
static SeqexMessage *
got (Example *example, int number, SeqexMessage *message, GError *error)
{
  g_autoptr (GError) owned_error = error;
  g_autoptr (SeqexMessage) owned_message = message;
  g_autofree char *text = message != NULL ? seqex_message_dup_text (message) : NULL;
  g_autofree char *start = g_strdup_printf ("%d ", number);

  if (text == NULL)
    {
      example_fail (example, "message %d: %s", number,
                    owned_error != NULL ? owned_error->message : "no text");
      return NULL;
    }
  example_say ("got  %s", text);
  if (!g_str_has_prefix (text, start))
    {
      example_fail (example, "message %d was to come", number);
      return NULL;
    }
  return g_steal_pointer (&owned_message);
}

static GBytes *
sent (int number, const char *text)
{
  example_say ("sent %d %s", number, text);
  return example_text ("%d %s", number, text);
}

/* The side that asks ------------------------------------------------------------------ */

static void
fifth_sent_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Example *example = user_data;
  g_autoptr (GError) error = NULL;

  if (!seqex_message_reply_finish (SEQEX_MESSAGE (source), result, &error))
    {
      example_fail (example, "message 5: %s", error->message);
      return;
    }
  example_say ("message 5 was answered by an end");
  example_done (example);
}

static void
fourth_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Example *example = user_data;
  GError *error = NULL;
  SeqexMessage *reply = seqex_message_reply_with_reply_finish (SEQEX_MESSAGE (source), result,
                                                               &error);
  g_autoptr (SeqexMessage) fourth = got (example, 4, reply, error);
  g_autoptr (GBytes) fifth = NULL;

  if (fourth == NULL)
    return;
  /* A message that awaits no reply is ended as soon as the other program has it. */
  fifth = sent (5, "Then goodbye.");
  seqex_message_reply_async (fourth, fifth, SEQEX_SEND_FLAGS_NONE, NULL, fifth_sent_cb, example);
}

static void
second_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Example *example = user_data;
  GError *error = NULL;
  SeqexMessage *reply = seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (source), result,
                                                                 &error);
  g_autoptr (SeqexMessage) second = got (example, 2, reply, error);
  g_autoptr (GBytes) third = NULL;

  if (second == NULL)
    return;
  third = sent (3, "Every word, and each once. And you?");
  seqex_message_reply_with_reply_async (second, third, SEQEX_SEND_FLAGS_NONE, NULL, fourth_cb,
                                        example);
}

static void
ask (Example *example)
{
  g_autoptr (GBytes) first = sent (1, "Hello, this is C.");

  seqex_connection_send_with_reply_async (example->connection, first, SEQEX_SEND_FLAGS_NONE, NULL,
                                          second_cb, example);
}

/* The side that serves ---------------------------------------------------------------- */

static void
fifth_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Example *example = user_data;
  GError *error = NULL;
  SeqexMessage *reply = seqex_message_reply_with_reply_finish (SEQEX_MESSAGE (source), result,
                                                               &error);
  g_autoptr (SeqexMessage) fifth = got (example, 5, reply, error);

  if (fifth == NULL)
    return;
  if (seqex_message_get_expects_reply (fifth))
    example_fail (example, "message 5 was to be the last");
  else
    example_done (example);
}

static void
third_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Example *example = user_data;
  GError *error = NULL;
  SeqexMessage *reply = seqex_message_reply_with_reply_finish (SEQEX_MESSAGE (source), result,
                                                               &error);
  g_autoptr (SeqexMessage) third = got (example, 3, reply, error);
  g_autoptr (GBytes) fourth = NULL;

  if (third == NULL)
    return;
  fourth = sent (4, "The same here. Nothing lost, nothing twice.");
  seqex_message_reply_with_reply_async (third, fourth, SEQEX_SEND_FLAGS_NONE, NULL, fifth_cb,
                                        example);
}

static void
first_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Example *example = user_data;
  GError *error = NULL;
  SeqexMessage *received = seqex_connection_receive_finish (SEQEX_CONNECTION (source), result,
                                                            &error);
  g_autoptr (SeqexMessage) first = got (example, 1, received, error);
  g_autoptr (GBytes) second = NULL;

  if (first == NULL)
    return;
  second = sent (2, "Hello, this is C. Do you hear me well?");
  seqex_message_reply_with_reply_async (first, second, SEQEX_SEND_FLAGS_NONE, NULL, third_cb,
                                        example);
}

static void
serve (Example *example)
{
  seqex_connection_receive_async (example->connection, NULL, first_cb, example);
}

int
main (int argc, char **argv)
{
  return example_main (argc, argv, "- hello world over Seqex", NULL, "seqex-hello", serve, ask,
                       NULL);
}
