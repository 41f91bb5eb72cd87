/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A link between two network namespaces, for whatever speaks IP.
 *
 *     programs ── link0 10.77.0.1 ┃ left ━━━ link ━━━ right ┃ 10.77.0.2 link0 ── programs
 *
 * Prints one line of JSON when it is there, with the paths of the namespaces for nsenter(1), and
 * then takes commands, one a line, on standard input; each is answered by one line:
 *
 *     set WHAT VALUE [left|right]   WHAT is the name of an option below; what comes from that end
 *     cut [left|right]              everything from there is lost …
 *     mend [left|right]             … until then
 *     address left|right A.B.C.D    that end has another address from now on
 *     counters                      of both directions, and the clock in nanoseconds
 *     reset                         counts from 0
 *     quit                          as the end of the input
 */
#include <errno.h>
#include <gio/gio.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "link-ends.h"
#include "link-way.h"

/* Packets that are taken or delivered before the other direction gets its turn. */
#define BATCH 64
#define PACKET_MAX 65536

typedef struct
{
  LinkEnd  end;
  LinkWay *way;      /* of what comes from this end */
  guint64  refused;  /* packets that the device of this end did not take */
} Side;

typedef struct
{
  Side     sides[2];
  FILE    *log;
  GString *input;
  gboolean quit;
} Link;

static double opt_rate;
static double opt_delay;
static double opt_jitter;
static double opt_hold = 5;
static double opt_queue;
static double opt_loss;
static double opt_duplicate;
static double opt_reorder;
static double opt_corrupt;
static int    opt_mtu = 1500;
static gint64 opt_seed = 1;
static char  *opt_log;
static gboolean opt_realtime;

static const GOptionEntry entries[] = {
  { "rate", 0, 0, G_OPTION_ARG_DOUBLE, &opt_rate, "Of IP packets (0: no limit)", "MBIT/S" },
  { "delay", 0, 0, G_OPTION_ARG_DOUBLE, &opt_delay, "In each direction", "MS" },
  { "jitter", 0, 0, G_OPTION_ARG_DOUBLE, &opt_jitter, "Random delay on top, up to this", "MS" },
  { "queue", 0, 0, G_OPTION_ARG_DOUBLE, &opt_queue, "Tail drop beyond (0: no limit)", "BYTES" },
  { "loss", 0, 0, G_OPTION_ARG_DOUBLE, &opt_loss, "Lose so many of 100", "PERCENT" },
  { "duplicate", 0, 0, G_OPTION_ARG_DOUBLE, &opt_duplicate, "Double so many of 100", "PERCENT" },
  { "reorder", 0, 0, G_OPTION_ARG_DOUBLE, &opt_reorder, "Hold back so many of 100", "PERCENT" },
  { "hold", 0, 0, G_OPTION_ARG_DOUBLE, &opt_hold, "For so long (5)", "MS" },
  { "corrupt", 0, 0, G_OPTION_ARG_DOUBLE, &opt_corrupt, "Spoil so many of 100", "PERCENT" },
  { "mtu", 0, 0, G_OPTION_ARG_INT, &opt_mtu, "Largest IP packet (1500)", "BYTES" },
  { "seed", 0, 0, G_OPTION_ARG_INT64, &opt_seed, "Seed of all decisions (1)", "NUMBER" },
  { "log", 0, 0, G_OPTION_ARG_FILENAME, &opt_log,
    "A line for each packet: ns, end, bytes, fate, bytes in the queue", "FILE" },
  { "realtime", 0, 0, G_OPTION_ARG_NONE, &opt_realtime,
    "Run before everything else, so that a busy machine does not delay packets", NULL },
  G_OPTION_ENTRY_NULL
};

static guint64
clock_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (guint64) now.tv_sec * 1000000000 + (guint64) now.tv_nsec;
}

/* Sets what the option @name sets. */
static gboolean
set_one (LinkSettings *settings, const char *name, double value)
{
  if (!(value >= 0 && value < 1e15))
    return FALSE;
  if (g_str_equal (name, "rate"))
    settings->rate = (guint64) (value * 1e6);
  else if (g_str_equal (name, "delay"))
    settings->delay = (guint64) (value * 1e6);
  else if (g_str_equal (name, "jitter"))
    settings->jitter = (guint64) (value * 1e6);
  else if (g_str_equal (name, "hold"))
    settings->hold = (guint64) (value * 1e6);
  else if (g_str_equal (name, "queue"))
    settings->queue = value > 0 ? (guint64) value : G_MAXUINT64;
  else if (g_str_equal (name, "loss"))
    settings->loss = value / 100;
  else if (g_str_equal (name, "duplicate"))
    settings->duplicate = value / 100;
  else if (g_str_equal (name, "reorder"))
    settings->reorder = value / 100;
  else if (g_str_equal (name, "corrupt"))
    settings->corrupt = value / 100;
  else
    return FALSE;
  return TRUE;
}

static void
settings_from_options (LinkSettings *settings)
{
  for (gsize i = 0; entries[i].long_name != NULL; i++)
    if (entries[i].arg == G_OPTION_ARG_DOUBLE)
      set_one (settings, entries[i].long_name, *(double *) entries[i].arg_data);
}

static void
print_counters (Link *link)
{
  guint64 now = clock_now ();

  g_print ("{\"event\": \"counters\", \"clock\": %" G_GUINT64_FORMAT, now);
  for (gsize i = 0; i < G_N_ELEMENTS (link->sides); i++)
    {
      Side *side = &link->sides[i];
      /* What is behind the counters is all of one size, in the order of the struct. */
      static const char *const names[] = {
        "received", "received_bytes", "lost", "overflow", "duplicated", "held", "corrupted",
        "sent", "sent_bytes", "delivered", "delivered_bytes", "busy", "queue_peak", "queue_time",
        "late_max", "late_sum",
      };
      guint64 queued = link_way_queued (side->way, now);
      const guint64 *values = (const guint64 *) link_way_counters (side->way);

      G_STATIC_ASSERT (sizeof (LinkCounters) == G_N_ELEMENTS (names) * sizeof (guint64));
      g_print (", \"%s\": {\"queued\": %" G_GUINT64_FORMAT ", \"refused\": %" G_GUINT64_FORMAT,
               side->end.name, queued, link->sides[1 - i].refused);
      for (gsize k = 0; k < G_N_ELEMENTS (names); k++)
        g_print (", \"%s\": %" G_GUINT64_FORMAT, names[k], values[k]);
      g_print ("}");
    }
  g_print ("}\n");
}

static void
print_ready (Link *link)
{
  g_print ("{\"event\": \"ready\", \"pid\": %d", getpid ());
  for (gsize i = 0; i < G_N_ELEMENTS (link->sides); i++)
    g_print (", \"%s\": {\"address\": \"%s\", \"netns\": \"/proc/%d/fd/%d\"}",
             link->sides[i].end.name, link->sides[i].end.address, getpid (),
             link->sides[i].end.netns);
  g_print (", \"user\": \"/proc/%d/ns/user\"}\n", getpid ());
}

static void
reply (const GError *error)
{
  g_autofree char *text = error != NULL ? g_strescape (error->message, NULL) : NULL;

  if (error == NULL)
    g_print ("{\"event\": \"done\"}\n");
  else
    g_print ("{\"event\": \"failed\", \"error\": \"%s\"}\n", text);
}

/* Whether @word means this side; none means both. */
static gboolean
is_meant (const Side *side, const char *word)
{
  return word == NULL || g_str_equal (side->end.name, word);
}

static gboolean
change (Link *link, char **words, guint count, GError **error)
{
  gboolean set = g_str_equal (words[0], "set");
  const char *where = set ? (count > 3 ? words[3] : NULL) : words[1];
  gboolean done = FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (link->sides); i++)
    {
      Side *side = &link->sides[i];
      LinkSettings settings = *link_way_settings (side->way);
      char *end = NULL;

      if (!is_meant (side, where))
        continue;
      settings.cut = set ? settings.cut : g_str_equal (words[0], "cut");
      if (set && count >= 3)
        done = set_one (&settings, words[1], g_ascii_strtod (words[2], &end)) && *end == '\0';
      else
        done = !set;
      if (done)
        link_way_set (side->way, clock_now (), &settings);
    }
  if (!done)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "not understood: %s %s",
                 words[0], count > 1 ? words[1] : "");
  return done;
}

static void
obey (Link *link, const char *line)
{
  g_auto (GStrv) words = g_strsplit_set (line, " ", 0);
  guint count = g_strv_length (words);
  g_autoptr (GError) error = NULL;

  if (count == 0)
    return;
  if (g_str_equal (words[0], "counters"))
    {
      print_counters (link);
      return;
    }
  if (g_str_equal (words[0], "quit"))
    link->quit = TRUE;
  else if (g_str_equal (words[0], "reset"))
    for (gsize i = 0; i < G_N_ELEMENTS (link->sides); i++)
      link_way_reset_counters (link->sides[i].way);
  else if (g_str_equal (words[0], "address") && count == 3
           && (is_meant (&link->sides[0], words[1]) || is_meant (&link->sides[1], words[1])))
    link_end_move (&link->sides[is_meant (&link->sides[1], words[1])].end, words[2], &error);
  else if (g_str_equal (words[0], "set") || g_str_equal (words[0], "cut")
           || g_str_equal (words[0], "mend"))
    change (link, words, count, &error);
  else
    g_set_error (&error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "not understood: %s", line);
  reply (error);
}

static void
read_commands (Link *link)
{
  char buffer[4096];
  gssize size = read (STDIN_FILENO, buffer, sizeof buffer);
  char *newline;

  if (size <= 0)
    {
      link->quit = TRUE;
      return;
    }
  g_string_append_len (link->input, buffer, size);
  while (!link->quit && (newline = strchr (link->input->str, '\n')) != NULL)
    {
      *newline = '\0';
      obey (link, link->input->str);
      g_string_erase (link->input, 0, newline + 1 - link->input->str);
    }
}

static void
take_packets (Link *link, Side *side)
{
  static guint8 buffer[PACKET_MAX];

  for (int i = 0; i < BATCH; i++)
    {
      gssize size = read (side->end.tun, buffer, sizeof buffer);
      guint64 now;
      LinkPacket *packet;
      const char *fate;

      if (size <= 0)
        return;
      now = clock_now ();
      packet = link_packet_new ((gsize) size);
      packet->size = (gsize) size;
      memcpy (packet->bytes, buffer, (gsize) size);
      fate = link_way_push (side->way, now, packet);
      if (link->log != NULL)
        fprintf (link->log, "%" G_GUINT64_FORMAT " %s %zd %s %" G_GUINT64_FORMAT "\n", now,
                 side->end.name, size, fate, link_way_queued (side->way, now));
    }
}

static void
deliver (Side *from, Side *to)
{
  for (int i = 0; i < BATCH; i++)
    {
      LinkPacket *packet = link_way_pop (from->way, clock_now ());

      if (packet == NULL)
        return;
      if (write (to->end.tun, packet->bytes, packet->size) != (gssize) packet->size)
        to->refused++;
      g_free (packet);
    }
}

/* Until the next packet is due, a packet or a command comes. */
static void
wait_for (Link *link, struct pollfd fds[3])
{
  guint64 next = MIN (link_way_next (link->sides[0].way), link_way_next (link->sides[1].way));
  guint64 now = clock_now ();
  guint64 span = next > now ? next - now : 0;
  struct timespec timeout = {
    .tv_sec = (time_t) (span / 1000000000), .tv_nsec = (long) (span % 1000000000),
  };

  if (ppoll (fds, 3, next == LINK_NEVER ? NULL : &timeout, NULL) < 0 && errno != EINTR)
    g_error ("ppoll: %s", g_strerror (errno));
}

static void
run (Link *link)
{
  struct pollfd fds[] = {
    { .fd = link->sides[0].end.tun, .events = POLLIN },
    { .fd = link->sides[1].end.tun, .events = POLLIN },
    { .fd = STDIN_FILENO, .events = POLLIN },
  };

  while (!link->quit)
    {
      wait_for (link, fds);
      for (gsize i = 0; i < G_N_ELEMENTS (link->sides); i++)
        {
          if (fds[i].revents & POLLIN)
            take_packets (link, &link->sides[i]);
          deliver (&link->sides[i], &link->sides[1 - i]);
        }
      if (fds[2].revents != 0)
        read_commands (link);
    }
}

/* A timer is late by 50 µs if nobody says otherwise. */
static void
be_punctual (void)
{
  struct sched_param parameters = { .sched_priority = 10 };

  prctl (PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  if (opt_realtime && sched_setscheduler (0, SCHED_FIFO, &parameters) != 0)
    g_printerr ("link: no real-time priority: %s\n", g_strerror (errno));
}

static gboolean
open_link (Link *link, GError **error)
{
  static const char *const names[] = { "left", "right" };
  static const char *const addresses[] = { "10.77.0.1", "10.77.0.2" };
  LinkSettings settings = { 0 };

  settings_from_options (&settings);
  if (opt_log != NULL && (link->log = fopen (opt_log, "w")) == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", opt_log, g_strerror (errno));
      return FALSE;
    }
  if (!link_ends_prepare (error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (link->sides); i++)
    {
      Side *side = &link->sides[i];

      side->way = link_way_new ((guint64) opt_seed * 2 + i);
      link_way_set (side->way, 0, &settings);
      if (!link_end_open (&side->end, names[i], addresses[i], opt_mtu, error))
        return FALSE;
    }
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("— a link between two namespaces");
  g_autoptr (GError) error = NULL;
  Link link = { .input = g_string_new (NULL) };

  setvbuf (stdout, NULL, _IOLBF, 0);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || !open_link (&link, &error))
    {
      g_printerr ("link: %s\n", error->message);
      return 1;
    }
  be_punctual ();
  print_ready (&link);
  run (&link);
  for (gsize i = 0; i < G_N_ELEMENTS (link.sides); i++)
    link_way_free (link.sides[i].way);
  g_string_free (link.input, TRUE);
  return link.log != NULL && fclose (link.log) != 0;
}
