/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"

#define NANOSECONDS 1000000000.0
#define TEXT_MAX 8192
#define EXIT_MISSING 77
#define HEADER 8u /* slot and counter, or number of the buffer: of every payload */
/* A message of the bulk work is looked at in these steps: enough to see a byte out of place, too
 * little to be a cost. */
#define PROBE_STEP 4096u

/* Of both processes. */
typedef struct
{
  guint   port;
  guint   client_port;
  char    text[TEXT_MAX];
  guint64 received_messages;
  guint64 received_bytes;
} Shared;

typedef enum
{
  PHASE_WARM_UP,
  PHASE_MEASURE,
  PHASE_OVER,
} Phase;

/* What is compared between the begin and the end of the measured time. */
typedef struct
{
  guint64 time;
  guint64 client_cpu;
  guint64 server_cpu;
  guint64 exchanges;
  guint64 messages;
  guint64 bytes;
} Snapshot;

typedef struct
{
  guint64 sent_at;
  guint32 counter;
  gboolean open;
} Slot;

struct _Bench
{
  const System *system;
  char         *variant;
  char         *work_name;
  Work          work;
  int           depth;
  int           size;
  int           connections;
  int           active;
  int           datagram_size;
  double        warm_up;
  double        seconds;
  char         *pin;
  char         *host;
  char         *client_host;
  char         *congestion;
  char         *client_netns;
  char         *server_netns;

  Shared       *shared;
  int           ready_pipe[2];
  pid_t         server;
  clockid_t     server_clock;

  Phase         phase;
  guint64       now;
  guint64       phase_end;
  Snapshot      begin;
  Snapshot      end;
  Slot         *slots;
  guint         outstanding;
  guint64       exchanges;
  guint64       sent;
  guint8       *pattern;
  guint8       *buffers[BULK_BUFFERS];
  GBytes       *buffer_bytes[BULK_BUFFERS];
  char         *counters;
  Histogram    *histogram;
  guint         opened[2];
  guint64       client_memory[2];
  guint64       server_memory[2];
};

void
bench_fail (const char *format,
            ...)
{
  va_list arguments;

  va_start (arguments, format);
  vfprintf (stderr, format, arguments);
  va_end (arguments);
  fputc ('\n', stderr);
  /* The other process is of the same group, and so is nobody else. */
  signal (SIGTERM, SIG_IGN);
  kill (0, SIGTERM);
  _exit (1);
}

/* What was asked for ------------------------------------------------------------------ */

gboolean
bench_is (Bench      *bench,
          const char *variant)
{
  return g_str_equal (bench->variant, variant);
}

Work
bench_work (Bench *bench)
{
  return bench->work;
}

guint
bench_depth (Bench *bench)
{
  return (guint) bench->depth;
}

gsize
bench_size (Bench *bench)
{
  return (gsize) bench->size;
}

guint
bench_connections (Bench *bench)
{
  return (guint) bench->connections;
}

guint
bench_active (Bench *bench)
{
  return (guint) bench->active;
}

guint
bench_datagram_size (Bench *bench)
{
  return (guint) bench->datagram_size;
}

const char *
bench_host (Bench *bench)
{
  return bench->host;
}

const char *
bench_client_host (Bench *bench)
{
  return bench->client_host;
}

const char *
bench_congestion (Bench *bench)
{
  return bench->congestion;
}

guint
bench_port (Bench *bench)
{
  return bench->shared->port;
}

const char *
bench_text (Bench *bench)
{
  return bench->shared->text;
}

/* Time and memory --------------------------------------------------------------------- */

static guint64
clock_now (clockid_t clock)
{
  struct timespec time;

  if (clock_gettime (clock, &time) != 0)
    bench_fail ("clock_gettime: %s", g_strerror (errno));
  return (guint64) time.tv_sec * G_GUINT64_CONSTANT (1000000000) + (guint64) time.tv_nsec;
}

static guint64
resident_bytes (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/statm", (int) pid);
  g_autofree char *text = NULL;
  unsigned long pages = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL) || sscanf (text, "%*u %lu", &pages) != 1)
    bench_fail ("%s: not to be read", path);
  return (guint64) pages * (guint64) sysconf (_SC_PAGESIZE);
}

/* The clock of another process's processor time counts all its threads, to the nanosecond, without
 * asking that process. */
static void
snapshot (Bench    *bench,
          Snapshot *out)
{
  out->time = bench->now;
  out->client_cpu = clock_now (CLOCK_PROCESS_CPUTIME_ID);
  out->server_cpu = clock_now (bench->server_clock);
  out->exchanges = bench->exchanges;
  out->messages = __atomic_load_n (&bench->shared->received_messages, __ATOMIC_RELAXED);
  out->bytes = __atomic_load_n (&bench->shared->received_bytes, __ATOMIC_RELAXED);
}

static void
tick (Bench *bench)
{
  bench->now = clock_now (CLOCK_MONOTONIC);
  if (bench->now < bench->phase_end)
    return;

  if (bench->phase == PHASE_WARM_UP)
    {
      histogram_clear (bench->histogram);
      snapshot (bench, &bench->begin);
      bench->phase_end = bench->now + (guint64) (bench->seconds * NANOSECONDS);
      bench->phase = PHASE_MEASURE;
    }
  else if (bench->phase == PHASE_MEASURE)
    {
      snapshot (bench, &bench->end);
      bench->phase_end = G_MAXUINT64;
      bench->phase = PHASE_OVER;
    }
}

/* Requests ---------------------------------------------------------------------------- */

void
bench_request (Bench   *bench,
               guint    slot,
               gpointer out)
{
  Slot *of_slot = &bench->slots[slot];
  guint32 head[2] = { slot, ++of_slot->counter };

  g_assert (!of_slot->open);
  memcpy (out, bench->pattern, bench_size (bench));
  memcpy (out, head, MIN (sizeof head, bench_size (bench)));
  of_slot->open = TRUE;
  /* The first requests are sent before any reply looked at the clock. */
  of_slot->sent_at = bench->now;
  bench->outstanding++;
}

GBytes *
bench_request_bytes (Bench *bench,
                     guint  slot)
{
  gpointer data = g_malloc (bench_size (bench));

  bench_request (bench, slot, data);
  return g_bytes_new_take (data, bench_size (bench));
}

gboolean
bench_reply (Bench         *bench,
             gconstpointer  data,
             gsize          size,
             guint         *slot)
{
  const guint8 *bytes = data;
  guint32 head[2];
  Slot *of_slot;

  if (size != bench_size (bench))
    bench_fail ("a reply of %zu bytes to a request of %d", size, bench->size);
  memcpy (head, bytes, sizeof head);
  if (head[0] >= bench_depth (bench))
    bench_fail ("a reply to what was never asked");
  of_slot = &bench->slots[head[0]];
  if (!of_slot->open || of_slot->counter != head[1])
    bench_fail ("a reply came twice, or to another request");
  if (memcmp (bytes + HEADER, bench->pattern + HEADER, size - HEADER) != 0)
    bench_fail ("a reply has other bytes than its request");

  tick (bench);
  of_slot->open = FALSE;
  bench->outstanding--;
  bench->exchanges++;
  if (bench->phase == PHASE_MEASURE)
    histogram_add (bench->histogram, bench->now - of_slot->sent_at);
  *slot = head[0];
  return bench->phase != PHASE_OVER;
}

/* Bulk -------------------------------------------------------------------------------- */

static guint
next_buffer (Bench *bench)
{
  return (guint) (bench->sent++ % BULK_BUFFERS);
}

gboolean
bench_bulk (Bench         *bench,
            gconstpointer *out)
{
  tick (bench);
  if (bench->phase == PHASE_OVER)
    return FALSE;
  *out = bench->buffers[next_buffer (bench)];
  return TRUE;
}

GBytes *
bench_bulk_bytes (Bench *bench)
{
  tick (bench);
  if (bench->phase == PHASE_OVER)
    return NULL;
  return g_bytes_ref (bench->buffer_bytes[next_buffer (bench)]);
}

guint64
bench_bulk_sent (Bench *bench)
{
  return bench->sent;
}

guint64
bench_bulk_received (Bench *bench)
{
  return __atomic_load_n (&bench->shared->received_messages, __ATOMIC_ACQUIRE);
}

void
bench_received (Bench         *bench,
                gconstpointer  data,
                gsize          size)
{
  const guint8 *bytes = data;
  Shared *shared = bench->shared;
  guint32 head[2];

  if (size != bench_size (bench))
    bench_fail ("a message of %zu bytes instead of %d", size, bench->size);
  memcpy (head, bytes, sizeof head);
  if (head[0] != shared->received_messages % BULK_BUFFERS)
    bench_fail ("message %" G_GUINT64_FORMAT " is not the one that was sent as such",
                shared->received_messages);
  for (gsize at = HEADER; at < size; at += PROBE_STEP)
    if (bytes[at] != bench->pattern[at])
      bench_fail ("a message has other bytes than were sent");
  if (bytes[size - 1] != bench->pattern[size - 1])
    bench_fail ("a message ends with another byte than was sent");
  __atomic_store_n (&shared->received_bytes, shared->received_bytes + size, __ATOMIC_RELAXED);
  __atomic_store_n (&shared->received_messages, shared->received_messages + 1, __ATOMIC_RELEASE);
}

/* Idle -------------------------------------------------------------------------------- */

void
bench_opened (Bench *bench,
              guint  connections)
{
  guint at = connections == bench_connections (bench) ? 1 : 0;

  bench->opened[at] = connections;
  bench->client_memory[at] = resident_bytes (getpid ());
  bench->server_memory[at] = resident_bytes (bench->server);
  if (at == 1)
    bench->phase = PHASE_OVER;
}

gboolean
bench_finished (Bench *bench)
{
  if (bench->phase != PHASE_OVER || bench->outstanding != 0)
    return FALSE;
  return bench->work == WORK_REQUESTS || bench->work == WORK_IDLE
         || bench_bulk_received (bench) == bench->sent;
}

void
bench_count (Bench      *bench,
             const char *name,
             guint64     value)
{
  g_autofree char *before = bench->counters;

  bench->counters = g_strdup_printf ("%s%s\"%s\": %" G_GUINT64_FORMAT, before ? before : "",
                                     before ? ", " : "", name, value);
}

static gboolean
look_again_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

void
bench_run_loop (Bench *bench)
{
  guint timer = 0;

  while (!bench_finished (bench))
    {
      /* The last message's arrival wakes nobody here. While it is measured, no timer runs. */
      if (timer == 0 && bench->phase == PHASE_OVER)
        timer = g_timeout_add (1, look_again_cb, NULL);
      g_main_context_iteration (NULL, TRUE);
    }
}

/* The server's process ---------------------------------------------------------------- */

void
bench_ready (Bench      *bench,
             guint       port,
             const char *text)
{
  bench->shared->port = port;
  if (text != NULL && g_strlcpy (bench->shared->text, text, TEXT_MAX) >= TEXT_MAX)
    bench_fail ("the text for the client is too long");
  if (write (bench->ready_pipe[1], "", 1) != 1)
    bench_fail ("the client is gone");
}

guint
bench_wait_client_port (Bench *bench)
{
  guint port;

  while ((port = __atomic_load_n (&bench->shared->client_port, __ATOMIC_ACQUIRE)) == 0)
    g_usleep (1000);
  return port;
}

/* Before the first socket and the first thread: both inherit it. */
static void
settle (Bench      *bench,
        const char *netns,
        guint       processor)
{
  cpu_set_t set;

  if (netns != NULL)
    {
      g_autofree char *path = strchr (netns, '/') != NULL
                                ? g_strdup (netns) : g_build_filename ("/run/netns", netns, NULL);
      int fd = open (path, O_RDONLY | O_CLOEXEC);

      if (fd < 0 || setns (fd, CLONE_NEWNET) != 0)
        bench_fail ("%s: %s", path, g_strerror (errno));
      close (fd);
    }
  if (g_str_equal (bench->pin, "none"))
    return;
  CPU_ZERO (&set);
  CPU_SET (g_str_equal (bench->pin, "one") ? 0 : processor, &set);
  if (sched_setaffinity (0, sizeof set, &set) != 0)
    bench_fail ("processor %u: %s", processor, g_strerror (errno));
}

static void
run_server (Bench *bench)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  close (bench->ready_pipe[0]);
  settle (bench, bench->server_netns, 1);
  bench->system->serve (bench);
  bench_fail ("the server stopped");
}

/* The client's process ---------------------------------------------------------------- */

void
bench_set_client_port (Bench *bench,
                       guint  port)
{
  __atomic_store_n (&bench->shared->client_port, port, __ATOMIC_RELEASE);
}

void
bench_begin (Bench *bench)
{
  bench->now = clock_now (CLOCK_MONOTONIC);
  bench->phase_end = bench->now + (guint64) (bench->warm_up * NANOSECONDS);
}

static void
prepare (Bench *bench)
{
  gsize size = bench_size (bench);
  guint32 noise = 1;

  bench->pattern = g_malloc (size);
  for (gsize i = 0; i < size; i++)
    {
      noise = noise * 1664525u + 1013904223u;
      bench->pattern[i] = (guint8) (noise >> 24);
    }
  bench->histogram = g_new0 (Histogram, 1);
  bench->slots = g_new0 (Slot, bench->depth);
  for (guint i = 0; i < BULK_BUFFERS && bench->work != WORK_REQUESTS; i++)
    {
      guint32 head[2] = { i, 0 };

      bench->buffers[i] = g_memdup2 (bench->pattern, size);
      memcpy (bench->buffers[i], head, sizeof head);
      bench->buffer_bytes[i] = g_bytes_new_static (bench->buffers[i], size);
    }
}

static void
print_requests (Bench  *bench,
                double  seconds)
{
  double exchanges = (double) (bench->end.exchanges - bench->begin.exchanges);
  double client = (double) (bench->end.client_cpu - bench->begin.client_cpu) / 1000;
  double server = (double) (bench->end.server_cpu - bench->begin.server_cpu) / 1000;

  printf (", \"exchanges\": %.0f, \"rate\": %.1f", exchanges, exchanges / seconds);
  printf (", \"latency_us\": {\"p50\": %.2f, \"p99\": %.2f, \"p99.9\": %.2f, \"max\": %.2f}",
          (double) histogram_percentile (bench->histogram, 0.5) / 1000,
          (double) histogram_percentile (bench->histogram, 0.99) / 1000,
          (double) histogram_percentile (bench->histogram, 0.999) / 1000,
          (double) bench->histogram->largest / 1000);
  printf (", \"cpu_us\": {\"client\": %.3f, \"server\": %.3f}", client / MAX (1, exchanges),
          server / MAX (1, exchanges));
}

static void
print_bulk (Bench  *bench,
            double  seconds)
{
  double bytes = (double) (bench->end.bytes - bench->begin.bytes);
  double messages = (double) (bench->end.messages - bench->begin.messages);
  double client = (double) (bench->end.client_cpu - bench->begin.client_cpu) / 1000;
  double server = (double) (bench->end.server_cpu - bench->begin.server_cpu) / 1000;

  printf (", \"messages\": %.0f, \"rate\": %.1f", messages, bytes / seconds);
  printf (", \"cpu_us\": {\"client\": %.3f, \"server\": %.3f}", client / MAX (1, messages),
          server / MAX (1, messages));
}

static void
print_idle (Bench *bench)
{
  double more = (double) (bench->opened[1] - bench->opened[0]);

  printf (", \"memory\": {\"client\": %.0f, \"server\": %.0f}",
          ((double) bench->client_memory[1] - (double) bench->client_memory[0]) / more,
          ((double) bench->server_memory[1] - (double) bench->server_memory[0]) / more);
}

/* One line; the keys of every system and work are the same. Rates are per second: exchanges, or
 * bytes of payload that arrived. */
static void
print_result (Bench *bench)
{
  double seconds = (double) (bench->end.time - bench->begin.time) / NANOSECONDS;

  printf ("{\"system\": \"%s\", \"variant\": \"%s\", \"work\": \"%s\", \"pin\": \"%s\"",
          bench->system->name, bench->variant, bench->work_name, bench->pin);
  printf (", \"size\": %d, \"depth\": %d, \"connections\": %d, \"seconds\": %.3f", bench->size,
          bench->depth, bench->connections, seconds);
  switch (bench->work)
    {
    case WORK_REQUESTS:
      print_requests (bench, seconds);
      break;
    case WORK_BULK:
      print_bulk (bench, seconds);
      break;
    case WORK_IDLE:
      print_idle (bench);
      break;
    }
  if (bench->counters != NULL)
    printf (", \"counters\": {%s}", bench->counters);
  printf ("}\n");
  fflush (stdout);
}

static void
run_client (Bench *bench)
{
  char ready;

  close (bench->ready_pipe[1]);
  settle (bench, bench->client_netns, 0);
  if (clock_getcpuclockid (bench->server, &bench->server_clock) != 0)
    bench_fail ("no clock of the server");
  if (read (bench->ready_pipe[0], &ready, 1) != 1)
    bench_fail ("the server did not start");
  bench->phase_end = G_MAXUINT64;
  bench->system->drive (bench);
  g_assert (bench_finished (bench));
  kill (bench->server, SIGKILL);
  waitpid (bench->server, NULL, 0);
  print_result (bench);
  /* What the system still holds goes with the process. */
  _exit (0);
}

/* Options ----------------------------------------------------------------------------- */

static void
parse (Bench  *bench,
       int    *argc,
       char ***argv)
{
  const GOptionEntry entries[] = {
    { "variant", 0, 0, G_OPTION_ARG_STRING, &bench->variant, "Which form of the system", "NAME" },
    { "work", 0, 0, G_OPTION_ARG_STRING, &bench->work_name, "requests, bulk or idle", "NAME" },
    { "depth", 0, 0, G_OPTION_ARG_INT, &bench->depth, "Requests or messages outstanding", "N" },
    { "size", 0, 0, G_OPTION_ARG_INT, &bench->size, "Bytes of a payload", "N" },
    { "connections", 0, 0, G_OPTION_ARG_INT, &bench->connections, "Connections", "N" },
    { "active", 0, 0, G_OPTION_ARG_INT, &bench->active, "How many of them are used", "N" },
    { "datagram-size", 0, 0, G_OPTION_ARG_INT, &bench->datagram_size, "Largest UDP payload", "N" },
    { "warm-up", 0, 0, G_OPTION_ARG_DOUBLE, &bench->warm_up, "Seconds before measuring", "S" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &bench->seconds, "Seconds to measure", "S" },
    { "pin", 0, 0, G_OPTION_ARG_STRING, &bench->pin, "Processors: one, two or none", "HOW" },
    { "host", 0, 0, G_OPTION_ARG_STRING, &bench->host, "Where the server listens", "ADDRESS" },
    { "client-host", 0, 0, G_OPTION_ARG_STRING, &bench->client_host, "Where the client is",
      "ADDRESS" },
    { "congestion", 0, 0, G_OPTION_ARG_STRING, &bench->congestion,
      "Congestion control of TCP", "NAME" },
    { "client-netns", 0, 0, G_OPTION_ARG_STRING, &bench->client_netns, "Its namespace",
      "NAME|PATH" },
    { "server-netns", 0, 0, G_OPTION_ARG_STRING, &bench->server_netns, "Its namespace",
      "NAME|PATH" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, &error))
    bench_fail ("%s", error->message);
}

static void
check (Bench *bench)
{
  static const char *const pins[] = { "one", "two", "none", NULL };
  static const struct
  {
    const char *name;
    Work        work;
    int         size;
    int         depth;
  } works[] = {
    { "requests", WORK_REQUESTS, 64, 1 },
    { "bulk", WORK_BULK, 65536, 64 },
    { "idle", WORK_IDLE, 64, 1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (works); i++)
    if (g_str_equal (bench->work_name, works[i].name))
      {
        bench->work = works[i].work;
        bench->size = bench->size != 0 ? bench->size : works[i].size;
        bench->depth = bench->depth != 0 ? bench->depth : works[i].depth;
      }
  if ((bench->work & bench->system->works) == 0)
    bench_fail ("%s does not do %s", bench->system->name, bench->work_name);
  if (!g_strv_contains (bench->system->variants, bench->variant))
    bench_fail ("%s has no variant %s", bench->system->name, bench->variant);
  bench->active = bench->active != 0 ? bench->active : bench->connections;
  if (bench->active < 1 || bench->active > bench->connections)
    bench_fail ("at least one connection is used, and no more than there are");
  if (!g_strv_contains (pins, bench->pin))
    bench_fail ("--pin is one, two or none");
  if (bench->size < (int) HEADER || bench->depth < 1 || bench->connections < 1)
    bench_fail ("sizes are at least %u, depth and connections at least 1", HEADER);
  if (bench->work == WORK_IDLE && bench->connections < 10)
    bench_fail ("memory is compared between a tenth of the connections and all of them");
}

/* Some systems have a descriptor per connection. */
static void
allow_files (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) == 0)
    {
      limit.rlim_cur = limit.rlim_max;
      setrlimit (RLIMIT_NOFILE, &limit);
    }
}

int
bench_main (const System  *system,
            int            argc,
            char         **argv)
{
  Bench *bench = g_new0 (Bench, 1);
  const char *missing;

  allow_files ();
  /* A group of its own, so that a failure of either process ends the other, and nobody else. */
  setpgid (0, 0);
  bench->system = system;
  bench->variant = g_strdup (system->variants[0]);
  bench->work_name = g_strdup ("requests");
  bench->pin = g_strdup ("none");
  bench->host = g_strdup ("127.0.0.1");
  bench->client_host = g_strdup ("127.0.0.1");
  bench->connections = 1;
  bench->datagram_size = 1472;
  bench->warm_up = 0.2;
  bench->seconds = 1;
  parse (bench, &argc, &argv);
  check (bench);
  missing = system->missing != NULL ? system->missing (bench) : NULL;
  if (missing != NULL)
    {
      fprintf (stderr, "%s\n", missing);
      return EXIT_MISSING;
    }

  bench->shared = mmap (NULL, sizeof *bench->shared, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (bench->shared == MAP_FAILED || pipe (bench->ready_pipe) != 0)
    bench_fail ("no memory or pipe for two processes");
  prepare (bench);
  bench->server = fork ();
  if (bench->server < 0)
    bench_fail ("fork: %s", g_strerror (errno));
  if (bench->server == 0)
    run_server (bench);
  run_client (bench);
  return 0;
}
