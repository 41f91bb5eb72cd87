/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pair of GDatagramBased ends in memory that misbehave as told.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define FAKE_TYPE_TRANSPORT (fake_transport_get_type ())

G_DECLARE_FINAL_TYPE (FakeTransport, fake_transport, FAKE, TRANSPORT, GObject)

struct _FakeTransport
{
  GObject        parent_instance;

  FakeTransport *peer;  /* unowned, NULL once it is gone */
  GQueue         inbox; /* owned GBytes */

  /* What it does wrong */
  gboolean       blocked;       /* refuses to send */
  gboolean       lies;          /* says that it is writable all the same */
  gboolean       deaf;          /* drops what is sent, as a network does */
  gsize          max_size;      /* longer datagrams are G_IO_ERROR_MESSAGE_TOO_LARGE; 0: no limit */
  GError        *send_error;    /* owned: what sending fails with … */
  guint          send_errors;   /* … this many times */
  GError        *receive_error; /* owned: what receiving fails with … */
  guint          receive_errors; /* … this many times */
  gboolean       ended;         /* receiving gives 0 */
  guint          one_at_a_time; /* receives and sends that many at once; 0: any number */

  /* What was done to it */
  guint          n_sends;       /* calls */
  guint          n_receives;    /* calls */
  guint          n_sent;        /* datagrams */
  GBytes        *last_sent;     /* owned */
};

void fake_transport_new_pair (FakeTransport **a,
                              FakeTransport **b);

G_END_DECLS
