/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Download: a file of a directory, asked for by its name, its SHA-256 compared.
 *
 *     download --serve --directory DIRECTORY                 in one terminal
 *     download --ask --peer-key FINGERPRINT --get NAME       in another, or the same in Python
 *
 * With --move ADDRESS the side that asks goes to another address in the middle of the file.
 */
#include "example.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 16384
/* Chunks that the other program has not taken yet; the rest of the file stays on the disk. What is
 * under way at the same time also shares the line, so that with few the first ones arrive soon. */
#define UNDER_WAY_MAX 8

static char *opt_directory;
static char *opt_get;
static char *opt_output;
static char *opt_progress;
static char *opt_move;

static const GOptionEntry entries[] = {
  { "directory", 0, 0, G_OPTION_ARG_FILENAME, &opt_directory, "Whose files are served (.)",
    "DIRECTORY" },
  { "get", 0, 0, G_OPTION_ARG_STRING, &opt_get, "The file to ask for", "NAME" },
  { "output", 0, 0, G_OPTION_ARG_FILENAME, &opt_output, "Where to write it (its name, here)",
    "FILE" },
  { "progress", 0, 0, G_OPTION_ARG_STRING, &opt_progress,
    "bar, lines, or auto: a bar on a terminal", "KIND" },
  { "move", 0, 0, G_OPTION_ARG_STRING, &opt_move, "Go there when half of the file has come",
    "HOST:PORT" },
  G_OPTION_ENTRY_NULL
};

/* The state of either side. */
typedef struct
{
  Example   *example;
  FILE      *file;
  GChecksum *sha256;
  guint64    size;
  guint64    done;

  /* serving */
  guint      under_way; /* sends that have not finished */
  gboolean   read_all;
  char      *receipt;   /* what the other side answered at the end; NULL until then */

  /* asking */
  SeqexMessage *answer; /* names size and SHA-256, and awaits the receipt */
  char      *theirs;
  char      *part;      /* where the file is written until it is whole */
  int        shown;
  gboolean   moved;
  gint64     last;      /* time of the last chunk, or of the move */
  gint64     pause;     /* the longest one between two chunks since the move */
} Transfer;

static void
transfer_clear (Transfer *transfer)
{
  if (transfer->part != NULL)
    g_unlink (transfer->part);
  g_clear_pointer (&transfer->file, fclose);
  g_clear_pointer (&transfer->sha256, g_checksum_free);
  g_clear_pointer (&transfer->receipt, g_free);
  g_clear_pointer (&transfer->theirs, g_free);
  g_clear_pointer (&transfer->part, g_free);
  g_clear_object (&transfer->answer);
}

/* The side that serves ---------------------------------------------------------------- */

/* Opens a regular file directly in the directory, and nothing else. */
static FILE *
open_served (const char *name, const char **refusal)
{
  g_autofree char *path = NULL;
  struct stat status;
  int fd;

  if (*name == '\0' || strchr (name, '/') != NULL || g_str_equal (name, ".")
      || g_str_equal (name, ".."))
    {
      *refusal = "only a plain file name can be asked for";
      return NULL;
    }
  path = g_build_filename (opt_directory != NULL ? opt_directory : ".", name, NULL);
  /* A link could lead out of the directory. */
  fd = g_open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0)
    {
      *refusal = g_strerror (errno);
      return NULL;
    }
  if (fstat (fd, &status) != 0 || !S_ISREG (status.st_mode))
    {
      *refusal = "not a regular file";
      close (fd);
      return NULL;
    }
  return fdopen (fd, "rb");
}

static gsize
read_chunk (Transfer *transfer, guint8 *buffer)
{
  gsize size = fread (buffer, 1, CHUNK, transfer->file);

  if (ferror (transfer->file))
    example_fail (transfer->example, "the file cannot be read");
  return size;
}

static void
compare_receipt (Transfer *transfer)
{
  const char *mine = g_checksum_get_string (transfer->sha256);

  example_say ("SHA-256 here  %s", mine);
  if (!g_str_has_prefix (transfer->receipt, "sha256 ")
      || !g_str_equal (transfer->receipt + strlen ("sha256 "), mine))
    {
      example_fail (transfer->example, "the other side has %s", transfer->receipt);
      return;
    }
  example_say ("the other side has the same");
  example_done (transfer->example);
}

static void
receipt_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Transfer *transfer = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) receipt = NULL;

  receipt = seqex_message_reply_with_reply_finish (SEQEX_MESSAGE (source), result, &error);
  if (receipt == NULL || (transfer->receipt = seqex_message_dup_text (receipt)) == NULL)
    example_fail (transfer->example, "no receipt: %s", error != NULL ? error->message : "no text");
  else if (transfer->read_all && transfer->under_way == 0)
    compare_receipt (transfer);
}

static void send_chunks (Transfer *transfer);

static void
chunk_sent_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Transfer *transfer = user_data;
  g_autoptr (GError) error = NULL;

  transfer->under_way--;
  if (!seqex_connection_send_finish (SEQEX_CONNECTION (source), result, &error))
    example_fail (transfer->example, "sending: %s", error->message);
  else
    send_chunks (transfer);
}

/* Sends ordered messages, no faster than the other side takes them. */
static void
send_chunks (Transfer *transfer)
{
  while (!transfer->read_all && transfer->under_way < UNDER_WAY_MAX)
    {
      guint8 buffer[CHUNK];
      gsize size = read_chunk (transfer, buffer);

      if (size > 0)
        {
          g_autoptr (GBytes) chunk = g_bytes_new (buffer, size);

          transfer->under_way++;
          seqex_connection_send_async (transfer->example->connection, chunk,
                                       SEQEX_SEND_FLAGS_ORDERED, NULL, chunk_sent_cb, transfer);
        }
      transfer->read_all = size < CHUNK;
    }
  if (transfer->read_all && transfer->under_way == 0 && transfer->receipt != NULL)
    compare_receipt (transfer);
}

static void
send_file (Transfer *transfer, SeqexMessage *request)
{
  g_autoptr (GBytes) description = NULL;
  guint8 buffer[CHUNK];
  gsize size;

  while ((size = read_chunk (transfer, buffer)) > 0)
    {
      g_checksum_update (transfer->sha256, buffer, (gssize) size);
      transfer->size += size;
    }
  rewind (transfer->file);
  example_say ("sending %" G_GUINT64_FORMAT " bytes", transfer->size);

  /* What answers this message comes last: the receipt. */
  description = example_text ("file %" G_GUINT64_FORMAT " %s", transfer->size,
                              g_checksum_get_string (transfer->sha256));
  seqex_message_reply_with_reply_async (request, description, SEQEX_SEND_FLAGS_NONE, NULL,
                                        receipt_cb, transfer);
  send_chunks (transfer);
}

static void
refused_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Transfer *transfer = user_data;
  g_autoptr (GError) error = NULL;

  if (seqex_message_reply_finish (SEQEX_MESSAGE (source), result, &error))
    example_done (transfer->example);
  else
    example_fail (transfer->example, "the refusal: %s", error->message);
}

static void
request_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Transfer *transfer = user_data;
  const char *refusal = "that is no request";
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) request = NULL;
  g_autofree char *text = NULL;

  request = seqex_connection_receive_finish (SEQEX_CONNECTION (source), result, &error);
  if (request == NULL)
    {
      example_fail (transfer->example, "no request: %s", error != NULL ? error->message : "closed");
      return;
    }
  text = seqex_message_dup_text (request);
  example_say ("asked to %s", text != NULL ? text : "do what is no text");
  if (text != NULL && g_str_has_prefix (text, "get "))
    transfer->file = open_served (text + strlen ("get "), &refusal);
  if (transfer->file != NULL)
    {
      send_file (transfer, request);
    }
  else
    {
      g_autoptr (GBytes) payload = example_text ("error %s", refusal);

      example_say ("refused: %s", refusal);
      seqex_message_reply_async (request, payload, SEQEX_SEND_FLAGS_NONE, NULL, refused_cb,
                                 transfer);
    }
}

static void
serve (Example *example)
{
  Transfer *transfer = example->data;

  transfer->example = example;
  seqex_connection_receive_async (example->connection, NULL, request_cb, transfer);
}

/* The side that asks ------------------------------------------------------------------ */

/* A bar that is drawn over on a terminal, a line for each tenth elsewhere. */
static void
show_progress (Transfer *transfer)
{
  static const char full[] = "################################";
  static const char empty[] = "................................";
  gboolean bar = g_strcmp0 (opt_progress, "bar") == 0
                 || (g_strcmp0 (opt_progress, "lines") != 0 && isatty (STDOUT_FILENO));
  int percent = transfer->size > 0 ? (int) (100 * transfer->done / transfer->size) : 100;
  int width = (int) strlen (full);
  int filled = width * percent / 100;

  if (percent / (bar ? 1 : 10) == transfer->shown)
    return;
  transfer->shown = percent / (bar ? 1 : 10);
  g_print ("[%.*s%.*s] %3d %%  %.2f of %.2f MB%s", filled, full, width - filled, empty, percent,
           (double) transfer->done / 1e6, (double) transfer->size / 1e6,
           bar && transfer->done < transfer->size ? "\r" : "\n");
}

/* A phone that leaves the house, a laptop that is plugged in: the endpoint gets another address,
 * and its connections come along. */
static void
move (Transfer *transfer)
{
  SeqexEndpoint *endpoint = transfer->example->endpoint;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketAddress) address = example_parse_address (opt_move, &error);
  g_autofree char *from =
    example_describe_address (seqex_endpoint_get_local_address (endpoint));
  g_autofree char *to = NULL;

  transfer->moved = TRUE;
  transfer->last = g_get_monotonic_time ();
  if (address == NULL || !seqex_endpoint_rebind (endpoint, address, &error))
    {
      example_fail (transfer->example, "moving: %s", error->message);
      return;
    }
  to = example_describe_address (seqex_endpoint_get_local_address (endpoint));
  example_say ("moved from %s to %s", from, to);
}

static void
measure_pause (Transfer *transfer)
{
  gint64 now = g_get_monotonic_time ();

  if (transfer->moved)
    transfer->pause = MAX (transfer->pause, now - transfer->last);
  transfer->last = now;
}

static void
receipt_sent_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Transfer *transfer = user_data;
  g_autoptr (GError) error = NULL;
  const char *path = opt_output != NULL ? opt_output : opt_get;

  if (!seqex_message_reply_finish (SEQEX_MESSAGE (source), result, &error))
    {
      example_fail (transfer->example, "the receipt: %s", error->message);
      return;
    }
  example_say ("SHA-256 there %s", transfer->theirs);
  example_say ("SHA-256 here  %s", g_checksum_get_string (transfer->sha256));
  if (!g_str_equal (transfer->theirs, g_checksum_get_string (transfer->sha256)))
    {
      example_fail (transfer->example, "the file is not the same");
      return;
    }
  if (g_rename (transfer->part, path) != 0)
    {
      example_fail (transfer->example, "%s: %s", path, g_strerror (errno));
      return;
    }
  g_clear_pointer (&transfer->part, g_free);
  if (transfer->moved)
    example_say ("the longest pause after the move: %.1f ms", (double) transfer->pause / 1000.0);
  example_say ("the same; written to %s", path);
  example_done (transfer->example);
}

static void
finish_file (Transfer *transfer)
{
  g_autoptr (GBytes) receipt = NULL;

  if (fclose (g_steal_pointer (&transfer->file)) != 0)
    {
      example_fail (transfer->example, "%s: %s", transfer->part, g_strerror (errno));
      return;
    }
  receipt = example_text ("sha256 %s", g_checksum_get_string (transfer->sha256));
  seqex_message_reply_async (transfer->answer, receipt, SEQEX_SEND_FLAGS_NONE, NULL,
                             receipt_sent_cb, transfer);
}

static void chunk_cb (GObject      *source,
                      GAsyncResult *result,
                      gpointer      user_data);

static void
receive_chunk (Transfer *transfer)
{
  show_progress (transfer);
  if (opt_move != NULL && !transfer->moved && 2 * transfer->done >= transfer->size)
    move (transfer);
  if (transfer->done < transfer->size)
    seqex_connection_receive_async (transfer->example->connection, NULL, chunk_cb, transfer);
  else
    finish_file (transfer);
}

static void
chunk_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Transfer *transfer = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) message = NULL;
  const guint8 *bytes;
  gsize size;

  message = seqex_connection_receive_finish (SEQEX_CONNECTION (source), result, &error);
  if (message == NULL)
    {
      example_fail (transfer->example, "after %" G_GUINT64_FORMAT " bytes: %s", transfer->done,
                    error != NULL ? error->message : "closed");
      return;
    }
  bytes = g_bytes_get_data (seqex_message_get_payload (message), &size);
  transfer->done += size;
  measure_pause (transfer);
  if (transfer->done > transfer->size)
    {
      example_fail (transfer->example, "more than the announced bytes came");
      return;
    }
  g_checksum_update (transfer->sha256, bytes, (gssize) size);
  if (fwrite (bytes, 1, size, transfer->file) != size)
    {
      example_fail (transfer->example, "%s: %s", transfer->part, g_strerror (errno));
      return;
    }
  receive_chunk (transfer);
}

static void
answer_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Transfer *transfer = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  g_auto (GStrv) words = NULL;

  transfer->answer = seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (source), result,
                                                              &error);
  text = transfer->answer != NULL ? seqex_message_dup_text (transfer->answer) : NULL;
  words = g_strsplit (text != NULL ? text : "", " ", 3);
  if (g_strv_length (words) != 3 || !g_str_equal (words[0], "file")
      || !g_ascii_string_to_unsigned (words[1], 10, 0, G_MAXINT64, &transfer->size, NULL))
    {
      example_fail (transfer->example, "the other side says: %s",
                    text != NULL ? text : error != NULL ? error->message : "no text");
      return;
    }
  transfer->theirs = g_steal_pointer (&words[2]);
  example_say ("%" G_GUINT64_FORMAT " bytes to come", transfer->size);

  transfer->part = g_strconcat (opt_output != NULL ? opt_output : opt_get, ".part", NULL);
  transfer->file = fopen (transfer->part, "wb");
  if (transfer->file == NULL)
    example_fail (transfer->example, "%s: %s", transfer->part, g_strerror (errno));
  else
    receive_chunk (transfer);
}

static void
ask (Example *example)
{
  Transfer *transfer = example->data;
  const char *name = opt_get != NULL ? opt_get : "";
  g_autoptr (GBytes) request = example_text ("get %s", name);

  transfer->example = example;
  transfer->shown = -1;
  example_say ("asking for %s", name);
  seqex_connection_send_with_reply_async (example->connection, request, SEQEX_SEND_FLAGS_NONE,
                                          NULL, answer_cb, transfer);
}

int
main (int argc, char **argv)
{
  Transfer transfer = { .sha256 = g_checksum_new (G_CHECKSUM_SHA256) };
  int status = example_main (argc, argv, "- a file over Seqex", entries, "seqex-download", serve,
                             ask, &transfer);

  transfer_clear (&transfer);
  g_free (opt_directory);
  g_free (opt_get);
  g_free (opt_output);
  g_free (opt_progress);
  g_free (opt_move);
  return status;
}
