/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the example programs share: their command line, how they meet, the way they end.
 */
#pragma once

#include <seqex.h>

typedef struct _Example Example;

/* One side of a program, called when the other one is there: starts its first operation and
 * returns. It ends with example_done() or example_fail(), whichever comes first. */
typedef void (*ExampleSide) (Example *example);

struct _Example
{
  SeqexEndpoint   *endpoint;
  SeqexConnection *connection; /* with the other program; NULL until it is there */
  gpointer         data;       /* the program's own */
  ExampleSide      side;
  GMainLoop       *loop;
  gboolean         over;       /* example_done() or example_fail() was called */
  gboolean         failed;
};

/* Runs one side of a program and returns its exit status: 0 only if everything held. */
int example_main (int                 argc,
                  char              **argv,
                  const char         *summary,
                  const GOptionEntry *entries,
                  const char         *application_id,
                  ExampleSide         serve,
                  ExampleSide         ask,
                  gpointer            data);

/* All that was to happen did: closes the endpoint, then leaves the main loop. */
void example_done (Example *example);
/* Something did not hold: says what, and does the same, so that the other side learns of it. */
void example_fail (Example    *example,
                   const char *format,
                   ...) G_GNUC_PRINTF (2, 3);

/* Prints a line at once, whatever standard output is. */
void    example_say (const char *format,
                     ...) G_GNUC_PRINTF (1, 2);
/* Text as the payload of a message. */
GBytes *example_text (const char *format,
                      ...) G_GNUC_PRINTF (1, 2);

/* An address of numbers; without a port, the one that all programs use. */
GSocketAddress *example_parse_address    (const char     *text,
                                          GError        **error);
char           *example_describe_address (GSocketAddress *address);
