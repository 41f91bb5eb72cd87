/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calculator: ordered operations, sent all at once; both ends compute and compare.
 *
 *     calculator --serve     in one terminal
 *     calculator --ask --peer-key FINGERPRINT   in another, or the same in another language
 *
 * An operation that is lost, done twice or out of turn leads to another value: adding and
 * multiplying cannot be exchanged.
 */
#include "example.h"

#define MODULUS G_GINT64_CONSTANT (1000003)

static const char *const words[] = { "add", "subtract", "multiply" };

static int opt_count = 40;
static int opt_seed = 1;

static const GOptionEntry entries[] = {
  { "count", 0, 0, G_OPTION_ARG_INT, &opt_count, "Operations to ask for (40)", "NUMBER" },
  { "seed", 0, 0, G_OPTION_ARG_INT, &opt_seed, "Of the random operations (1)", "NUMBER" },
  G_OPTION_ENTRY_NULL
};

/* FALSE if @word is no operation. */
static gboolean
compute (gint64 *value, const char *word, gint64 operand)
{
  gint64 result;

  operand %= MODULUS;
  if (g_str_equal (word, "add"))
    result = *value + operand;
  else if (g_str_equal (word, "subtract"))
    result = *value - operand;
  else if (g_str_equal (word, "multiply"))
    result = *value * operand;
  else
    return FALSE;
  *value = ((result % MODULUS) + MODULUS) % MODULUS;
  return TRUE;
}

/* The side that asks ------------------------------------------------------------------ */

/* One operation under way, or the question for the total. */
typedef struct
{
  Example *example;
  char    *operation;
  gint64   mine; /* the value after it */
} Step;

/* Steps that wait for their answer; replies that are not ordered come in any order. */
static int steps_open;

static void
step_free (Step *step)
{
  g_free (step->operation);
  g_free (step);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Step, step_free)

static Step *
step_new (Example *example, gint64 mine, char *operation)
{
  Step *step = g_new0 (Step, 1);

  step->example = example;
  step->mine = mine;
  step->operation = operation;
  steps_open++;
  return step;
}

/* The text of the answer to a step, or NULL when the program has failed. */
static char *
finish_step (Step *step, GObject *source, GAsyncResult *result)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) answer = NULL;
  char *text;

  answer = seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (source), result, &error);
  text = answer != NULL ? seqex_message_dup_text (answer) : NULL;
  if (text == NULL)
    example_fail (step->example, "%s: %s", step->operation,
                  error != NULL ? error->message : "no text");
  return text;
}

static void
finished_step (Step *step)
{
  if (--steps_open == 0)
    example_done (step->example);
}

static void
value_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Step) step = user_data;
  g_autofree char *text = finish_step (step, source, result);

  if (text == NULL)
    return;
  example_say ("%s = %s", step->operation, text);
  if (g_ascii_strtoll (text, NULL, 10) != step->mine)
    example_fail (step->example, "%s: the other side has %s, this one %" G_GINT64_FORMAT,
                  step->operation, text, step->mine);
  finished_step (step);
}

static void
total_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Step) step = user_data;
  g_autofree char *text = finish_step (step, source, result);

  if (text == NULL)
    return;
  if (!g_str_equal (text, step->operation))
    {
      example_fail (step->example, "the other side has %s, this one %s", text, step->operation);
      return;
    }
  example_say ("both sides have %s", text);
  finished_step (step);
}

static void
send_step (Step *step, GAsyncReadyCallback callback)
{
  g_autoptr (GBytes) payload = example_text ("%s", step->operation);

  seqex_connection_send_with_reply_async (step->example->connection, payload,
                                          SEQEX_SEND_FLAGS_ORDERED, NULL, callback, step);
}

static void
ask (Example *example)
{
  g_autoptr (GRand) dice = g_rand_new_with_seed ((guint32) opt_seed);
  gint64 value = 0;

  example_say ("%d operations, seed %d", opt_count, opt_seed);
  for (int i = 0; i < opt_count; i++)
    {
      const char *word = words[g_rand_int_range (dice, 0, G_N_ELEMENTS (words))];
      int operand = g_rand_int_range (dice, 1, 1000);

      compute (&value, word, operand);
      send_step (step_new (example, value, g_strdup_printf ("%s %d", word, operand)), value_cb);
    }
  send_step (step_new (example, value, g_strdup_printf ("total %" G_GINT64_FORMAT, value)),
             total_cb);
}

/* The side that serves ---------------------------------------------------------------- */

typedef struct
{
  Example *example;
  gint64   value;
  int      count;
} Server;

static void operation_cb (GObject      *source,
                          GAsyncResult *result,
                          gpointer      user_data);

static void
answer_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Server *server = user_data;
  g_autoptr (GError) error = NULL;

  if (!seqex_message_reply_finish (SEQEX_MESSAGE (source), result, &error))
    example_fail (server->example, "an answer: %s", error->message);
}

static void
total_answer_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Server *server = user_data;
  g_autoptr (GError) error = NULL;

  if (seqex_message_reply_finish (SEQEX_MESSAGE (source), result, &error))
    example_done (server->example);
  else
    example_fail (server->example, "the total: %s", error->message);
}

static void
answer_total (Server *server, SeqexMessage *question, gint64 theirs)
{
  g_autoptr (GBytes) payload = example_text ("total %" G_GINT64_FORMAT, server->value);

  example_say ("after %d operations this side has %" G_GINT64_FORMAT ", the other one %"
               G_GINT64_FORMAT, server->count, server->value, theirs);
  if (theirs != server->value)
    example_fail (server->example, "the totals differ");
  seqex_message_reply_async (question, payload, SEQEX_SEND_FLAGS_NONE, NULL, total_answer_cb,
                             server);
}

static void
operation_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Server *server = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (SeqexMessage) question = NULL;
  g_autofree char *text = NULL;
  g_auto (GStrv) parts = NULL;

  question = seqex_connection_receive_finish (SEQEX_CONNECTION (source), result, &error);
  text = question != NULL ? seqex_message_dup_text (question) : NULL;
  parts = g_strsplit (text != NULL ? text : "", " ", 2);
  if (g_strv_length (parts) != 2)
    {
      example_fail (server->example, "no operation: %s", error != NULL ? error->message : "");
      return;
    }
  if (g_str_equal (parts[0], "total"))
    {
      answer_total (server, question, g_ascii_strtoll (parts[1], NULL, 10));
      return;
    }
  if (!compute (&server->value, parts[0], g_ascii_strtoll (parts[1], NULL, 10)))
    {
      example_fail (server->example, "%s is no operation", parts[0]);
      return;
    }
  server->count++;
  example_say ("%s = %" G_GINT64_FORMAT, text, server->value);
  payload = example_text ("%" G_GINT64_FORMAT, server->value);
  seqex_message_reply_async (question, payload, SEQEX_SEND_FLAGS_NONE, NULL, answer_cb, server);
  seqex_connection_receive_async (server->example->connection, NULL, operation_cb, server);
}

static void
serve (Example *example)
{
  Server *server = example->data;

  server->example = example;
  seqex_connection_receive_async (example->connection, NULL, operation_cb, server);
}

int
main (int argc, char **argv)
{
  Server server = { 0 };

  return example_main (argc, argv, "- ordered operations over Seqex", entries, "seqex-calculator",
                       serve, ask, &server);
}
