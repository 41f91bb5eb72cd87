/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "seqex-connection-private.h"

#include "../sanitized.h"

/* Two programs, and a stream that A opened. */
typedef struct
{
  Pair         pair;
  GPtrArray   *opened; /* owned SeqexStream: as B got them */
  SeqexStream *a, *b;  /* owned */
} World;

#define IN(stream)  g_io_stream_get_input_stream (G_IO_STREAM (stream))
#define OUT(stream) g_io_stream_get_output_stream (G_IO_STREAM (stream))

static void
stream_cb (SeqexConnection *connection,
           SeqexStream     *stream,
           gpointer         user_data)
{
  g_ptr_array_add (user_data, g_object_ref (stream));
}

static SeqexStream *
open_stream (SeqexConnection *connection)
{
  g_auto (Outcome) outcome = { 0 };
  g_autoptr (GError) error = NULL;
  SeqexStream *stream;

  seqex_connection_open_stream_async (connection, NULL, util_outcome_cb, &outcome);
  wait_until (outcome.result);
  stream = seqex_connection_open_stream_finish (connection, outcome.result, &error);
  g_assert_no_error (error);
  return stream;
}

static void
set_up (World *world)
{
  world->pair = util_pair_new_unix ();
  world->opened = g_ptr_array_new_with_free_func (g_object_unref);
  g_signal_connect (world->pair.b, "stream", G_CALLBACK (stream_cb), world->opened);
  world->a = open_stream (world->pair.a);
  wait_until (world->opened->len == 1);
  world->b = g_object_ref (g_ptr_array_index (world->opened, 0));
}

/* Both are closed, whatever is in them, and go away. */
static void
tear_down (World *world)
{
  SeqexStream *a = world->a, *b = world->b;

  g_io_stream_close (G_IO_STREAM (a), NULL, NULL);
  g_io_stream_close (G_IO_STREAM (b), NULL, NULL);
  g_ptr_array_unref (world->opened);
  wait_until (world->pair.a->dialogue.streams.length == 0
              && world->pair.b->dialogue.streams.length == 0);
  g_assert_finalize_object (a);
  g_assert_finalize_object (b);
  util_pair_free (&world->pair);
}

static void
write_text (SeqexStream *stream,
            const char  *text)
{
  g_autoptr (GError) error = NULL;
  gsize done;

  g_output_stream_write_all (OUT (stream), text, strlen (text), &done, NULL, &error);
  g_assert_no_error (error);
}

static gssize
read_some (SeqexStream  *stream,
           void         *buffer,
           gsize         size,
           GError      **error)
{
  g_auto (Outcome) outcome = { 0 };

  g_input_stream_read_async (IN (stream), buffer, size, 0, NULL, util_outcome_cb, &outcome);
  wait_until (outcome.result);
  return g_input_stream_read_finish (IN (stream), outcome.result, error);
}

static void
assert_reads (SeqexStream *stream,
              const char  *text)
{
  g_autoptr (GError) error = NULL;
  char buffer[100] = "";
  gssize size = read_some (stream, buffer, sizeof buffer - 1, &error);

  g_assert_no_error (error);
  g_assert_cmpint (size, ==, strlen (text));
  g_assert_cmpstr (buffer, ==, text);
}

/* Small writes go together; a half-close ends one way, and is told when all was read. */
static void
test_echo (void)
{
  World world;
  g_auto (Outcome) closed = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexConnection) connection = NULL;

  set_up (&world);
  g_assert_false (g_pollable_input_stream_is_readable (G_POLLABLE_INPUT_STREAM (IN (world.b))));
  write_text (world.a, "hello ");
  write_text (world.a, "world");
  assert_reads (world.b, "hello world");
  write_text (world.b, "echo");
  assert_reads (world.a, "echo");

  write_text (world.a, "last");
  g_output_stream_close_async (OUT (world.a), 0, NULL, util_outcome_cb, &closed);
  wait_until (g_pollable_input_stream_is_readable (G_POLLABLE_INPUT_STREAM (IN (world.b))));
  util_settle ();
  g_assert_null (closed.result);
  assert_reads (world.b, "last");
  assert_reads (world.b, "");
  wait_until (closed.result);
  g_assert_true (g_output_stream_close_finish (OUT (world.a), closed.result, &error));
  g_assert_no_error (error);

  write_text (world.b, "still");
  assert_reads (world.a, "still");
  connection = seqex_stream_dup_connection (world.a);
  g_assert_true (connection == world.pair.a);
  g_clear_object (&connection);
  tear_down (&world);
}

static guint
resident_kib (void)
{
  g_autofree char *text = NULL;
  guint pages = 0;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  g_assert_cmpint (sscanf (text, "%*u %u", &pages), ==, 1);
  return pages * (guint) (sysconf (_SC_PAGESIZE) / 1024);
}

/* A source of bytes that nobody holds in memory. */
#define ENDLESS_TYPE_INPUT (endless_input_get_type ())
G_DECLARE_FINAL_TYPE (EndlessInput, endless_input, ENDLESS, INPUT, GInputStream)
struct _EndlessInput
{
  GInputStream parent_instance;
  guint64      at, size;
};
G_DEFINE_FINAL_TYPE (EndlessInput, endless_input, G_TYPE_INPUT_STREAM)

static gssize
endless_read (GInputStream  *stream,
              void          *buffer,
              gsize          count,
              GCancellable  *cancellable,
              GError       **error)
{
  EndlessInput *self = ENDLESS_INPUT (stream);
  gsize n = MIN (count, self->size - self->at);

  for (gsize i = 0; i < n; i++)
    ((guint8 *) buffer)[i] = (guint8) ((self->at + i) * 2654435761u >> 16);
  self->at += n;
  return (gssize) n;
}

static void
endless_read_async (GInputStream        *stream,
                    void                *buffer,
                    gsize                count,
                    int                  priority,
                    GCancellable        *cancellable,
                    GAsyncReadyCallback  callback,
                    gpointer             user_data)
{
  g_autoptr (GTask) task = g_task_new (stream, cancellable, callback, user_data);

  g_task_return_int (task, endless_read (stream, buffer, count, NULL, NULL));
}

static gssize
endless_read_finish (GInputStream  *stream,
                     GAsyncResult  *result,
                     GError       **error)
{
  return g_task_propagate_int (G_TASK (result), error);
}

static void
endless_input_class_init (EndlessInputClass *klass)
{
  G_INPUT_STREAM_CLASS (klass)->read_fn = endless_read;
  G_INPUT_STREAM_CLASS (klass)->read_async = endless_read_async;
  G_INPUT_STREAM_CLASS (klass)->read_finish = endless_read_finish;
}

static void
endless_input_init (EndlessInput *self)
{
}

#define SPLICED (G_GUINT64_CONSTANT (256) << 20)

/* More than memory goes through, each byte at its place; requests beside it are answered. */
static void
test_splice (void)
{
  World world;
  g_autoptr (EndlessInput) input = g_object_new (ENDLESS_TYPE_INPUT, NULL);
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) spliced = { 0 };
  g_autofree guint8 *buffer = g_malloc (1 << 20);
  guint64 got = 0;
  guint before, most = 0, asked = 0;
  gulong id;
  gssize n;

  set_up (&world);
  id = g_signal_connect (world.pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  input->size = SPLICED;
  before = resident_kib ();
  g_output_stream_splice_async (OUT (world.a), G_INPUT_STREAM (input),
                                G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, 0, NULL, util_outcome_cb,
                                &spliced);
  /* As long as nobody reads, it takes what the window and two chunks hold, and no more. */
  util_run_for (200);
  g_assert_cmpuint (input->at, >, 3 << 20);
  g_assert_cmpuint (input->at, <, 5 << 20);
  most = MAX (most, resident_kib ());
  while ((n = read_some (world.b, buffer, 1 << 20, &error)) > 0)
    {
      for (gssize i = 0; i < n; i += 4099)
        g_assert_cmpint (buffer[i], ==, (guint8) ((got + (guint64) i) * 2654435761u >> 16));
      got += (guint64) n;
      most = MAX (most, resident_kib ());
      if (got >> 24 > asked)
        {
          g_autoptr (SeqexMessage) reply = util_send_with_reply (world.pair.a, "beside", NULL);

          g_assert_nonnull (reply);
          asked++;
        }
    }
  g_assert_no_error (error);
  g_assert_cmpuint (got, ==, SPLICED);
  wait_until (spliced.result);
  g_assert_cmpint (g_output_stream_splice_finish (OUT (world.a), spliced.result, &error), ==,
                   SPLICED);
  g_assert_no_error (error);
  g_test_message ("resident: %u KiB more", most - before);
  /* A sanitizer keeps what is freed for a while. */
  g_assert_cmpuint (most, <, before + (SANITIZED ? 512 : 48) * 1024);
  g_signal_handler_disconnect (world.pair.b, id);
  tear_down (&world);
}

/* A writer that nobody reads is held back, and goes on when somebody does. */
static void
test_held_back (void)
{
  World world;
  g_autofree char *zeros = g_malloc0 (1 << 20);
  g_autofree char *buffer = g_malloc (16 << 20);
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) outcome = { 0 };
  guint64 written = 0;
  gssize n;

  set_up (&world);
  /* One chunk leaves the core for the reader. */
  for (guint i = 0; i < 2; i++)
    {
      while (written < 100 << 20
             && (n = g_pollable_output_stream_write_nonblocking (
                   G_POLLABLE_OUTPUT_STREAM (OUT (world.a)), zeros, 1 << 20, NULL, &error)) > 0)
        written += (guint64) n;
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
      g_clear_error (&error);
      util_run_for (100);
    }
  g_assert_cmpuint (written, >, 3 << 20);
  g_assert_cmpuint (written, <, 5 << 20);
  /* In the thread of the connection a blocking call cannot wait. */
  g_assert_cmpint (g_output_stream_write (OUT (world.a), "x", 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  g_clear_error (&error);

  g_output_stream_write_async (OUT (world.a), "more", 4, 0, NULL, util_outcome_cb, &outcome);
  util_run_for (50);
  g_assert_null (outcome.result);
  while (written > 0 && (n = read_some (world.b, buffer, written, &error)) > 0)
    written -= (guint64) n;
  wait_until (outcome.result);
  g_assert_cmpint (g_output_stream_write_finish (OUT (world.a), outcome.result, &error), ==, 4);
  assert_reads (world.b, "more");
  tear_down (&world);
}

static void
test_cancel (void)
{
  World world;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) reading = { 0 }, closing = { 0 };
  char buffer[10];

  set_up (&world);
  g_input_stream_read_async (IN (world.a), buffer, sizeof buffer, 0, cancellable, util_outcome_cb,
                             &reading);
  write_text (world.a, "unread");
  g_output_stream_close_async (OUT (world.a), 0, cancellable, util_outcome_cb, &closing);
  util_settle ();
  g_assert_true (reading.result == NULL && closing.result == NULL);
  g_cancellable_cancel (cancellable);
  wait_until (reading.result && closing.result);
  g_assert_cmpint (g_input_stream_read_finish (IN (world.a), reading.result, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (g_output_stream_close_finish (OUT (world.a), closing.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  /* Nothing is lost by it. */
  write_text (world.b, "here");
  assert_reads (world.a, "here");
  assert_reads (world.b, "unread");
  assert_reads (world.b, "");
  tear_down (&world);
}

/* Who reads no more stops the writer. */
static void
test_reader_closes (void)
{
  World world;
  g_autoptr (GError) error = NULL;

  set_up (&world);
  g_input_stream_close (IN (world.b), NULL, NULL);
  write_text (world.a, "for nobody");
  while (g_output_stream_write (OUT (world.a), "x", 1, NULL, &error) >= 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  write_text (world.b, "bye");
  assert_reads (world.a, "bye");
  tear_down (&world);
}

/* A peer that vanishes ends both ways. */
static void
test_vanishes (void)
{
  World world;
  g_autoptr (GError) error = NULL;
  char buffer[10];

  set_up (&world);
  seqex_connection_set_idle_timeout (world.pair.a, 100);
  g_socket_shutdown (seqex_connection_get_socket (world.pair.b), TRUE, TRUE, NULL);
  write_text (world.a, "into the void");
  g_assert_cmpint (read_some (world.a, buffer, sizeof buffer, &error), ==, -1);
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  g_clear_error (&error);
  g_assert_cmpint (g_output_stream_write (OUT (world.a), "x", 1, NULL, &error), ==, -1);
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  g_ptr_array_unref (world.opened);
  g_object_unref (world.a);
  g_object_run_dispose (G_OBJECT (world.pair.b));
  g_object_unref (world.b);
  util_pair_dispose (&world.pair);
}

/* What the peer wrote before it closed in good order can be read. */
static void
test_connection_closes (void)
{
  World world;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) closed = { 0 };
  char buffer[10];

  set_up (&world);
  write_text (world.a, "last words");
  g_output_stream_close (OUT (world.a), NULL, NULL);
  seqex_connection_close_async (world.pair.a, NULL, util_outcome_cb, &closed);
  assert_reads (world.b, "last words");
  g_assert_cmpint (read_some (world.b, buffer, sizeof buffer, &error), ==, 0);
  wait_until (closed.result);
  wait_until (seqex_connection_get_state (world.pair.b) == SEQEX_CONNECTION_STATE_CLOSED);
  g_assert_cmpint (g_output_stream_write (OUT (world.b), "x", 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_assert_true (seqex_connection_close_finish (world.pair.a, closed.result, NULL));
  util_outcome_clear (&closed);
  g_ptr_array_unref (world.opened);
  g_object_unref (world.a);
  g_object_unref (world.b);
  util_pair_dispose (&world.pair);
}

/* As many as there may be, and then one after the other. */
static void
test_many (void)
{
  World world;
  g_autoptr (GPtrArray) streams = g_ptr_array_new_with_free_func (g_object_unref);
  g_auto (Outcome) outcome = { 0 };
  SeqexStream *one;

  set_up (&world);
  g_assert_cmpuint (seqex_connection_get_max_streams (world.pair.b), ==, 128);
  for (guint i = 1; i < 128; i++)
    g_ptr_array_add (streams, open_stream (world.pair.a));
  seqex_connection_open_stream_async (world.pair.a, NULL, util_outcome_cb, &outcome);
  for (guint i = 0; i < 127; i++)
    write_text (g_ptr_array_index (streams, i), "text");
  wait_until (world.opened->len == 128);
  util_settle ();
  g_assert_null (outcome.result);
  for (guint i = 127; i > 0; i--)
    {
      assert_reads (g_ptr_array_index (world.opened, i), "text");
      g_io_stream_close (g_ptr_array_index (world.opened, i), NULL, NULL);
      g_io_stream_close (g_ptr_array_index (streams, i - 1), NULL, NULL);
    }
  wait_until (outcome.result);
  one = seqex_connection_open_stream_finish (world.pair.a, outcome.result, NULL);
  util_outcome_clear (&outcome);
  wait_until (world.opened->len == 129);
  g_io_stream_close (g_ptr_array_index (world.opened, 128), NULL, NULL);
  g_io_stream_close (G_IO_STREAM (one), NULL, NULL);
  g_object_unref (one);
  tear_down (&world);
}

/* Lines --------------------------------------------------------------------------------- */

static void
test_lines (void)
{
  World world;
  g_autoptr (GDataInputStream) lines = NULL;
  g_autoptr (GDataOutputStream) output = NULL;

  set_up (&world);
  lines = g_data_input_stream_new (IN (world.b));
  output = g_data_output_stream_new (OUT (world.a));
  g_filter_input_stream_set_close_base_stream (G_FILTER_INPUT_STREAM (lines), FALSE);
  g_filter_output_stream_set_close_base_stream (G_FILTER_OUTPUT_STREAM (output), FALSE);
  for (guint i = 0; i < 1000; i++)
    {
      g_autofree char *line = g_strdup_printf ("line %u\n", i);

      g_assert_true (g_data_output_stream_put_string (output, line, NULL, NULL));
    }
  for (guint i = 0; i < 1000; i++)
    {
      g_auto (Outcome) outcome = { 0 };
      g_autofree char *wanted = g_strdup_printf ("line %u", i), *line = NULL;

      g_data_input_stream_read_line_async (lines, 0, NULL, util_outcome_cb, &outcome);
      wait_until (outcome.result);
      line = g_data_input_stream_read_line_finish (lines, outcome.result, NULL, NULL);
      g_assert_cmpstr (line, ==, wanted);
    }
  g_clear_object (&lines);
  g_clear_object (&output);
  tear_down (&world);
}

/* Another thread ------------------------------------------------------------------------- */

#define THREAD_SIZE 20000000u

static gpointer
write_much (gpointer user_data)
{
  g_autofree char *zeros = g_malloc0 (100000);

  for (guint done = 0; done < THREAD_SIZE; done += 100000)
    g_assert_true (g_output_stream_write_all (OUT (user_data), zeros, 100000, NULL, NULL, NULL));
  g_output_stream_close (OUT (user_data), NULL, NULL);
  return NULL;
}

static gpointer
read_all (gpointer user_data)
{
  g_autofree char *buffer = g_malloc (100000);
  gsize all = 0;
  gssize n;

  while ((n = g_input_stream_read (IN (user_data), buffer, 100000, NULL, NULL)) > 0)
    all += (gsize) n;
  g_assert_cmpint (n, ==, 0);
  return GSIZE_TO_POINTER (all);
}

static gboolean
set_flag (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

static gpointer
read_and_tell (gpointer user_data)
{
  gpointer *data = user_data;
  gpointer result = read_all (data[0]);

  g_idle_add (set_flag, data[1]);
  return result;
}

/* Blocking calls of two threads, while the connections work in this one. */
static void
test_threads (void)
{
  World world;
  gboolean done = FALSE;
  gpointer data[2];
  GThread *writer, *reader;

  set_up (&world);
  data[0] = world.b;
  data[1] = &done;
  writer = g_thread_new ("writer", write_much, world.a);
  reader = g_thread_new ("reader", read_and_tell, data);
  wait_until (done);
  g_assert_cmpuint (GPOINTER_TO_SIZE (g_thread_join (reader)), ==, THREAD_SIZE);
  g_thread_join (writer);
  tear_down (&world);
}

/* D-Bus --------------------------------------------------------------------------------- */

static const char dbus_interface[] =
  "<node><interface name='org.example.Doubler'><method name='Double'>"
  "<arg type='s' direction='in'/><arg type='s' direction='out'/></method></interface></node>";

static void
double_cb (GDBusConnection       *connection,
           const char            *sender,
           const char            *path,
           const char            *interface,
           const char            *method,
           GVariant              *parameters,
           GDBusMethodInvocation *invocation,
           gpointer               user_data)
{
  g_autofree char *twice = NULL;
  const char *text;

  g_variant_get (parameters, "(&s)", &text);
  twice = g_strconcat (text, text, NULL);
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(s)", twice));
}

static void
test_dbus (void)
{
  const GDBusInterfaceVTable vtable = { .method_call = double_cb };
  g_autoptr (GDBusNodeInfo) info = g_dbus_node_info_new_for_xml (dbus_interface, NULL);
  g_autofree char *guid = g_dbus_generate_guid ();
  g_autofree char *large = g_strnfill (300000, 'x');
  g_autoptr (GDBusConnection) server = NULL, client = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) serving = { 0 }, calling = { 0 };
  World world;

  set_up (&world);
  g_dbus_connection_new (G_IO_STREAM (world.b), guid,
                         G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER
                         | G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_ALLOW_ANONYMOUS,
                         NULL, NULL, util_outcome_cb, &serving);
  g_dbus_connection_new (G_IO_STREAM (world.a), NULL,
                         G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL,
                         util_outcome_cb, &calling);
  wait_until (serving.result && calling.result);
  server = g_dbus_connection_new_finish (serving.result, &error);
  g_assert_no_error (error);
  client = g_dbus_connection_new_finish (calling.result, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_dbus_connection_register_object (server, "/", info->interfaces[0], &vtable,
                                                       NULL, NULL, &error), >, 0);

  for (guint i = 0; i < 20; i++)
    {
      g_auto (Outcome) called = { 0 };
      g_autoptr (GVariant) result = NULL;
      const char *text = i % 2 ? large : "ab", *twice;

      g_dbus_connection_call (client, NULL, "/", "org.example.Doubler", "Double",
                              g_variant_new ("(s)", text), NULL, 0, -1, NULL, util_outcome_cb,
                              &called);
      wait_until (called.result);
      result = g_dbus_connection_call_finish (client, called.result, &error);
      g_assert_no_error (error);
      g_variant_get (result, "(&s)", &twice);
      g_assert_cmpuint (strlen (twice), ==, 2 * strlen (text));
    }

  /* The other side learns that one closes. */
  g_dbus_connection_set_exit_on_close (server, FALSE);
  g_dbus_connection_set_exit_on_close (client, FALSE);
  g_dbus_connection_close (client, NULL, NULL, NULL);
  wait_until (g_dbus_connection_is_closed (server));
  g_clear_object (&server);
  g_clear_object (&client);
  util_outcome_clear (&serving);
  util_outcome_clear (&calling);
  g_ptr_array_unref (world.opened);
  wait_until (world.pair.a->dialogue.streams.length == 0);
  g_object_unref (world.a);
  g_object_unref (world.b);
  util_pair_dispose (&world.pair);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/stream/echo", test_echo);
  g_test_add_func ("/seqex/stream/splice", test_splice);
  g_test_add_func ("/seqex/stream/held-back", test_held_back);
  g_test_add_func ("/seqex/stream/cancel", test_cancel);
  g_test_add_func ("/seqex/stream/reader-closes", test_reader_closes);
  g_test_add_func ("/seqex/stream/vanishes", test_vanishes);
  g_test_add_func ("/seqex/stream/connection-closes", test_connection_closes);
  g_test_add_func ("/seqex/stream/many", test_many);
  g_test_add_func ("/seqex/stream/lines", test_lines);
  g_test_add_func ("/seqex/stream/threads", test_threads);
  g_test_add_func ("/seqex/stream/dbus", test_dbus);

  return g_test_run ();
}
