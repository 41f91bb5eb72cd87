/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an asynchronous function of this library gives to its callback.
 *
 * A GTask would do, and costs more than everything else in an exchange: an object, a context, a
 * time, a notification. This one is made when it is told, and only if there is a callback, and is
 * used again when nobody kept it.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define SEQEX_TYPE_RESULT (seqex_result_get_type ())

G_DECLARE_FINAL_TYPE (SeqexResult, seqex_result, SEQEX, RESULT, GObject)

/* What the program gave to an asynchronous function. */
typedef struct
{
  gpointer             object; /* whose function it is */
  gpointer             tag;    /* that function */
  GCancellable        *cancellable;
  GAsyncReadyCallback  callback;
  gpointer             user_data;
} SeqexCall;

/* In an asynchronous function with the usual names of its parameters. */
#define SEQEX_CALL(function)                                                                       \
  &(SeqexCall) { self, (gpointer) (function), cancellable, callback, user_data }

/* Whether the program, or the language that it is written in, neither kept @object, which the caller
 * has a reference to, nor left anything with it. */
static inline gboolean
seqex_object_is_untouched (gpointer object)
{
  GObject *self = (GObject *) object;

  return g_atomic_int_get (&self->ref_count) == 1 && self->qdata == NULL;
}

/* Calls back. Takes @outcome and @error; *@spare is a result for this or a later use, or NULL. */
void     seqex_result_return            (SeqexResult     **spare,
                                         const SeqexCall  *call,
                                         gpointer          outcome,
                                         GError           *error);
/* The same, but from a later iteration of @context. */
void     seqex_result_return_later      (GMainContext     *context,
                                         const SeqexCall  *call,
                                         gpointer          outcome,
                                         GError           *error);

/* For function @finish, which finishes @tag for @object. */
gpointer seqex_result_propagate_pointer (GAsyncResult     *result,
                                         gpointer          object,
                                         gpointer          tag,
                                         const char       *finish,
                                         GError          **error);
gboolean seqex_result_propagate_boolean (GAsyncResult     *result,
                                         gpointer          object,
                                         gpointer          tag,
                                         const char       *finish,
                                         GError          **error);

G_END_DECLS
