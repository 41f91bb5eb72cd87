/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-result-private.h"

struct _SeqexResult
{
  GObject    parent_instance;

  SeqexCall  call;    /* owns the object */
  GObject   *outcome; /* owned; NULL: nothing, or only success */
  GError    *error;   /* owned; NULL: success */
};

static void seqex_result_init_interface (GAsyncResultIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (SeqexResult, seqex_result, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_ASYNC_RESULT,
                                                      seqex_result_init_interface))

static gpointer
get_user_data (GAsyncResult *result)
{
  return SEQEX_RESULT (result)->call.user_data;
}

static GObject *
get_source_object (GAsyncResult *result)
{
  return g_object_ref (SEQEX_RESULT (result)->call.object);
}

static gboolean
is_tagged (GAsyncResult *result,
           gpointer      tag)
{
  return SEQEX_RESULT (result)->call.tag == tag;
}

static void
seqex_result_init_interface (GAsyncResultIface *iface)
{
  iface->get_user_data = get_user_data;
  iface->get_source_object = get_source_object;
  iface->is_tagged = is_tagged;
}

static void
clear (SeqexResult *self)
{
  g_clear_object (&self->call.object);
  g_clear_object (&self->outcome);
  g_clear_error (&self->error);
}

static void
seqex_result_finalize (GObject *object)
{
  clear (SEQEX_RESULT (object));

  G_OBJECT_CLASS (seqex_result_parent_class)->finalize (object);
}

static void
seqex_result_class_init (SeqexResultClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = seqex_result_finalize;
}

static void
seqex_result_init (SeqexResult *self)
{
}

/* Without a reference to the object. */
static void
fill (SeqexResult     *self,
      const SeqexCall *call,
      gpointer         outcome,
      GError          *error)
{
  self->call = *call;
  self->outcome = outcome;
  self->error = error;
}

/* Nobody wants to know. */
static void
drop (gpointer  outcome,
      GError   *error)
{
  if (outcome != NULL)
    g_object_unref (outcome);
  g_clear_error (&error);
}

void
seqex_result_return (SeqexResult     **spare,
                     const SeqexCall  *call,
                     gpointer          outcome,
                     GError           *error)
{
  SeqexResult *self;

  if (call->callback == NULL)
    {
      drop (outcome, error);
      return;
    }

  self = g_steal_pointer (spare);
  if (self == NULL)
    self = g_object_new (SEQEX_TYPE_RESULT, NULL);
  fill (self, call, outcome, error);

  call->callback (call->object, (GAsyncResult *) self, call->user_data);

  /* The caller has kept the object so far; from here on only a result that the program keeps needs
   * it. */
  if (*spare == NULL && seqex_object_is_untouched (self))
    {
      self->call.object = NULL;
      clear (self);
      *spare = self;
    }
  else
    {
      g_object_ref (self->call.object);
      g_object_unref (self);
    }
}

static gboolean
return_cb (gpointer user_data)
{
  SeqexResult *self = user_data;
  GMainContext *context = g_source_get_context (g_main_current_source ());

  g_main_context_push_thread_default (context);
  self->call.callback (self->call.object, (GAsyncResult *) self, self->call.user_data);
  g_main_context_pop_thread_default (context);
  return G_SOURCE_REMOVE;
}

void
seqex_result_return_later (GMainContext    *context,
                           const SeqexCall *call,
                           gpointer         outcome,
                           GError          *error)
{
  g_autoptr (GSource) source = NULL;
  SeqexResult *self;

  if (call->callback == NULL)
    {
      drop (outcome, error);
      return;
    }

  self = g_object_new (SEQEX_TYPE_RESULT, NULL);
  fill (self, call, outcome, error);
  g_object_ref (self->call.object);
  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_static_name (source, "[seqex] result");
  g_source_set_callback (source, return_cb, self, g_object_unref);
  g_source_attach (source, context);
}

static SeqexResult *
check (GAsyncResult *result,
       gpointer      object,
       gpointer      tag,
       const char   *finish)
{
  SeqexResult *self = (SeqexResult *) result;

  if (G_LIKELY (SEQEX_IS_RESULT (result) && self->call.object == object && self->call.tag == tag))
    return self;

  g_critical ("%s() got a result that is not of the operation it finishes, on this object", finish);
  return NULL;
}

gpointer
seqex_result_propagate_pointer (GAsyncResult  *result,
                                gpointer       object,
                                gpointer       tag,
                                const char    *finish,
                                GError       **error)
{
  SeqexResult *self = check (result, object, tag, finish);

  if (self == NULL)
    return NULL;
  if (self->error != NULL)
    g_propagate_error (error, g_error_copy (self->error));
  return g_steal_pointer (&self->outcome);
}

gboolean
seqex_result_propagate_boolean (GAsyncResult  *result,
                                gpointer       object,
                                gpointer       tag,
                                const char    *finish,
                                GError       **error)
{
  SeqexResult *self = check (result, object, tag, finish);

  if (self == NULL)
    return FALSE;
  if (self->error == NULL)
    return TRUE;
  g_propagate_error (error, g_error_copy (self->error));
  return FALSE;
}
