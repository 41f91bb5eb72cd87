/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-trust-store-private.h"

#include <string.h>
#include <unistd.h>

#include "seqex-error.h"
#include "seqex-file-private.h"
#include "seqex-trust-file-private.h"
#include "seqex-trusted-peer-private.h"

/* Some 80 000 peers. */
#define FILE_SIZE_MAX (16 * 1024 * 1024)

/* How long to wait for another program that changes the file. */
#define LOCK_TIMEOUT (10 * G_TIME_SPAN_SECOND)

/**
 * SeqexTrustStore:
 *
 * The peers that a program knows, and what it knows them as.
 *
 * A store is a list of [class@Seqex.TrustedPeer], kept in a file. Each binds a name, which is what
 * the peer was opened as, to a key. A peer that is remembered the first time it is met is
 * recognised afterwards; and if another key answers to its name one day, that is told apart from a
 * stranger.
 *
 * Any number of programs can use one file at the same time. Every function that looks something up
 * reads the file again if somebody changed it; every function that changes it does so under a lock,
 * and to what is in the file by then. A file that is damaged is never written: every function fails
 * with an error that names the file and the line, and nobody is known until it is mended.
 *
 * The file is local and small, so the functions simply read it. They have no asynchronous form,
 * because what they say is needed in the middle of a handshake. A change waits for the disk, and
 * for another program that is changing the file at this moment; only if that one was stopped in the
 * middle, this gives up, after ten seconds, with %G_IO_ERROR_BUSY.
 *
 * A store without a file lasts as long as the object.
 *
 * An object belongs to the thread that made it. Its list changes, and
 * [signal@Gio.ListModel::items-changed] is emitted, within the calls of its functions only.
 * See [Identity and trust](identity.html) for the format of the file.
 */
struct _SeqexTrustStore
{
  GObject      parent_instance;

  GFile       *file;   /* nullable, constant */
  GPtrArray   *lines;  /* of SeqexTrustLine: what the file said last */
  GPtrArray   *peers;  /* owned SeqexTrustedPeer, in the order of the lines that have one */
  struct stat  status; /* of the file when it was read last; all zeros: there was none */
};

static void seqex_trust_store_list_model_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (SeqexTrustStore, seqex_trust_store, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL,
                                                      seqex_trust_store_list_model_init))

typedef enum
{
  PROP_FILE = 1,
  PROP_N_ITEMS,
} SeqexTrustStoreProperty;

static GParamSpec *properties[PROP_N_ITEMS + 1];

/* The list ------------------------------------------------------------------------------- */

/* The lines that have a peer. (transfer container) */
static GPtrArray *
peer_lines (GPtrArray *lines)
{
  GPtrArray *found = g_ptr_array_new ();

  for (guint i = 0; i < lines->len; i++)
    {
      const SeqexTrustLine *line = lines->pdata[i];

      if (line->is_peer)
        g_ptr_array_add (found, lines->pdata[i]);
    }
  return found;
}

/* Whoever is in the list already keeps its object, but for those between the first and the last
 * difference, which are @first and, counted from the end, @same. */
static GPtrArray *
make_peers (GPtrArray *old,
            GPtrArray *wanted,
            guint     *first,
            guint     *same)
{
  GPtrArray *peers = g_ptr_array_new_with_free_func (g_object_unref);
  guint least = MIN (wanted->len, old->len);

  *first = *same = 0;
  while (*first < least && seqex_trusted_peer_is (old->pdata[*first], wanted->pdata[*first]))
    *first += 1;
  while (*same < least - *first &&
         seqex_trusted_peer_is (old->pdata[old->len - 1 - *same],
                                wanted->pdata[wanted->len - 1 - *same]))
    *same += 1;

  for (guint i = 0; i < wanted->len; i++)
    {
      if (i < *first)
        g_ptr_array_add (peers, g_object_ref (old->pdata[i]));
      else if (i >= wanted->len - *same)
        g_ptr_array_add (peers, g_object_ref (old->pdata[old->len + i - wanted->len]));
      else
        g_ptr_array_add (peers, seqex_trusted_peer_new (wanted->pdata[i]));
    }
  return peers;
}

/* Makes the list say what @lines, which is taken, says. The program is told when all is done, and
 * may then call anything. */
static void
apply (SeqexTrustStore *self,
       GPtrArray       *lines)
{
  g_autoptr (SeqexTrustStore) hold = g_object_ref (self);
  g_autoptr (GPtrArray) wanted = peer_lines (lines);
  g_autoptr (GPtrArray) old = g_steal_pointer (&self->peers);
  g_autoptr (GPtrArray) peers = NULL;
  guint first, same;

  self->peers = make_peers (old, wanted, &first, &same);
  peers = g_ptr_array_ref (self->peers);
  for (guint i = 0; i < peers->len; i++)
    {
      g_object_freeze_notify (peers->pdata[i]);
      seqex_trusted_peer_update (peers->pdata[i], wanted->pdata[i]);
    }
  g_ptr_array_unref (self->lines);
  self->lines = lines;

  if (first + same < MAX (old->len, peers->len))
    g_list_model_items_changed (G_LIST_MODEL (self), first, old->len - first - same,
                                peers->len - first - same);
  if (old->len != peers->len)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_N_ITEMS]);
  for (guint i = 0; i < peers->len; i++)
    g_object_thaw_notify (peers->pdata[i]);
}

static GType
seqex_trust_store_get_item_type (GListModel *model)
{
  return SEQEX_TYPE_TRUSTED_PEER;
}

static guint
seqex_trust_store_get_n_items (GListModel *model)
{
  return SEQEX_TRUST_STORE (model)->peers->len;
}

static gpointer
seqex_trust_store_get_item (GListModel *model,
                            guint       position)
{
  SeqexTrustStore *self = SEQEX_TRUST_STORE (model);

  return position < self->peers->len ? g_object_ref (self->peers->pdata[position]) : NULL;
}

static void
seqex_trust_store_list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = seqex_trust_store_get_item_type;
  iface->get_n_items = seqex_trust_store_get_n_items;
  iface->get_item = seqex_trust_store_get_item;
}

/* The file ------------------------------------------------------------------------------- */

/* All zeros if there is no file. */
static void
get_status (const char  *path,
            struct stat *status)
{
  if (stat (path, status) != 0)
    memset (status, 0, sizeof *status);
}

static gboolean
is_same_file (const struct stat *a,
              const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
         a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* What the file says now, whether it changed or not. A file that is not there says nothing. */
static GPtrArray *
read_file (const char   *path,
           struct stat  *status,
           GError      **error)
{
  g_autofree char *name = g_filename_display_name (path);
  g_autofree char *text = NULL;
  g_autoptr (GError) reason = NULL;
  gsize size;

  memset (status, 0, sizeof *status);
  if (seqex_file_read (path, FILE_SIZE_MAX, FALSE, &text, &size, status, &reason))
    return seqex_trust_file_parse (text, size, name, error);
  if (g_error_matches (reason, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return seqex_trust_file_new ();
  g_propagate_error (error, g_steal_pointer (&reason));
  return NULL;
}

/* Reads the file if it changed since. */
static gboolean
refresh (SeqexTrustStore  *self,
         GError          **error)
{
  g_autofree char *path = NULL;
  struct stat status;
  GPtrArray *lines;

  if (self->file == NULL)
    return TRUE;
  path = seqex_file_resolve (self->file, error);
  if (path == NULL)
    return FALSE;
  get_status (path, &status);
  if (is_same_file (&status, &self->status))
    return TRUE;
  lines = read_file (path, &status, error);
  if (lines == NULL)
    return FALSE;
  self->status = status;
  apply (self, lines);
  return TRUE;
}

/* A change of the store. */
typedef struct
{
  char      *path;  /* nullable */
  int        lock;  /* or -1 */
  GPtrArray *lines; /* to be changed */
  mode_t     mode;
} Change;

static void
change_clear (Change *change)
{
  if (change->lock >= 0)
    close (change->lock);
  change->lock = -1;
  g_clear_pointer (&change->path, g_free);
  g_clear_pointer (&change->lines, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Change, change_clear)

/* Locks the file, and reads it in any case: the time of a file is too coarse to tell that nobody
 * else wrote it in between. */
static gboolean
change_begin (SeqexTrustStore  *self,
              Change           *change,
              GError          **error)
{
  struct stat status;

  *change = (Change) { .lock = -1, .mode = S_IRUSR | S_IWUSR };
  if (self->file == NULL)
    {
      gsize size;
      g_autofree char *text = seqex_trust_file_format (self->lines, &size);

      change->lines = seqex_trust_file_parse (text, size, "", error);
      return change->lines != NULL;
    }
  change->path = seqex_file_resolve (self->file, error);
  if (change->path == NULL)
    return FALSE;
  change->lock = seqex_file_lock (change->path, LOCK_TIMEOUT, error);
  if (change->lock < 0)
    return FALSE;
  change->lines = read_file (change->path, &status, error);
  if (change->lines == NULL)
    return FALSE;
  if (status.st_mode != 0)
    change->mode = status.st_mode & 0777;
  return TRUE;
}

static gboolean
change_commit (SeqexTrustStore  *self,
               Change           *change,
               GError          **error)
{
  if (change->path != NULL)
    {
      gsize size;
      g_autofree char *text = seqex_trust_file_format (change->lines, &size);

      if (!seqex_file_write (change->path, text, size, change->mode, TRUE, error))
        return FALSE;
      get_status (change->path, &self->status);
      /* The program may change the store again as soon as it is told. */
      close (change->lock);
      change->lock = -1;
    }
  apply (self, g_steal_pointer (&change->lines));
  return TRUE;
}

/* The object ----------------------------------------------------------------------------- */

static void
seqex_trust_store_get_property (GObject    *object,
                                guint       prop_id,
                                GValue     *value,
                                GParamSpec *pspec)
{
  SeqexTrustStore *self = SEQEX_TRUST_STORE (object);

  switch ((SeqexTrustStoreProperty) prop_id)
    {
    case PROP_FILE:
      g_value_set_object (value, self->file);
      break;
    case PROP_N_ITEMS:
      g_value_set_uint (value, self->peers->len);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
seqex_trust_store_set_property (GObject      *object,
                                guint         prop_id,
                                const GValue *value,
                                GParamSpec   *pspec)
{
  SeqexTrustStore *self = SEQEX_TRUST_STORE (object);

  switch ((SeqexTrustStoreProperty) prop_id)
    {
    case PROP_FILE:
      self->file = g_value_dup_object (value);
      break;
    case PROP_N_ITEMS:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
seqex_trust_store_finalize (GObject *object)
{
  SeqexTrustStore *self = SEQEX_TRUST_STORE (object);

  g_clear_object (&self->file);
  g_ptr_array_unref (self->lines);
  g_ptr_array_unref (self->peers);

  G_OBJECT_CLASS (seqex_trust_store_parent_class)->finalize (object);
}

static void
seqex_trust_store_class_init (SeqexTrustStoreClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = seqex_trust_store_get_property;
  object_class->set_property = seqex_trust_store_set_property;
  object_class->finalize = seqex_trust_store_finalize;

  /**
   * SeqexTrustStore:file: (getter get_file)
   *
   * The local file that the store is kept in, or `NULL` for a store that lasts as long as the
   * object.
   */
  properties[PROP_FILE] = g_param_spec_object ("file", NULL, NULL, G_TYPE_FILE,
                                               G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY |
                                               G_PARAM_STATIC_STRINGS);

  /**
   * SeqexTrustStore:n-items:
   *
   * How many peers are in the list. 0 until the file was read for the first time; see
   * [method@Seqex.TrustStore.load].
   */
  properties[PROP_N_ITEMS] = g_param_spec_uint ("n-items", NULL, NULL, 0, G_MAXUINT, 0,
                                                G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (properties), properties);
}

static void
seqex_trust_store_init (SeqexTrustStore *self)
{
  self->lines = seqex_trust_file_new ();
  self->peers = g_ptr_array_new_with_free_func (g_object_unref);
}

/**
 * seqex_trust_store_new:
 * @file: (nullable): a local file, which need not exist, or `NULL`
 *
 * Creates a store that is kept in a file, or in memory alone.
 *
 * The file is read when it is needed. The first peer that is remembered makes it, readable by its
 * owner alone.
 *
 * Returns: (transfer full): a new store
 */
SeqexTrustStore *
seqex_trust_store_new (GFile *file)
{
  g_return_val_if_fail (file == NULL || G_IS_FILE (file), NULL);

  return g_object_new (SEQEX_TYPE_TRUST_STORE, "file", file, NULL);
}

/**
 * seqex_trust_store_get_file: (get-property file)
 * @self: a trust store
 *
 * Gets the file that the store is kept in.
 *
 * Returns: (transfer none) (nullable): the file, or `NULL` if the store is in memory alone
 */
GFile *
seqex_trust_store_get_file (SeqexTrustStore *self)
{
  g_return_val_if_fail (SEQEX_IS_TRUST_STORE (self), NULL);

  return self->file;
}

/**
 * seqex_trust_store_load:
 * @self: a trust store
 * @error: where to put an error
 *
 * Brings the list up to date with the file.
 *
 * The other functions do this by themselves. A program calls it before it shows the list, or to say
 * in good time that the file cannot be read. A file that does not exist is an empty list.
 *
 * Errors are in the domain of GIO and name the file: %G_IO_ERROR_INVALID_DATA, with the number of
 * the line, if it is damaged or something else; %G_IO_ERROR_NOT_SUPPORTED if it is of a later
 * version or not local; and those of reading a file.
 *
 * Returns: `TRUE` if the list says what the file says
 */
gboolean
seqex_trust_store_load (SeqexTrustStore  *self,
                        GError          **error)
{
  g_return_val_if_fail (SEQEX_IS_TRUST_STORE (self), FALSE);

  return refresh (self, error);
}

/* Looking -------------------------------------------------------------------------------- */

SeqexTrustVerdict
seqex_trust_store_check_key (SeqexTrustStore  *self,
                             const char       *name,
                             const guint8      key[SEQEX_KEY_SIZE],
                             GError          **error)
{
  if ((name != NULL && !seqex_trust_name_check (name, error)) || !refresh (self, error))
    return SEQEX_TRUST_VERDICT_UNKNOWN;
  return seqex_trust_file_check (self->lines, name, key);
}

/**
 * seqex_trust_store_check:
 * @self: a trust store
 * @name: (nullable): what the peer was opened as, or `NULL` for a peer that came by itself
 * @fingerprint: the peer's key
 * @error: where to put an error
 *
 * Says whether a peer is the one that it should be.
 *
 * With a name, the peer is known if this key was remembered under this name. A key that is known
 * under other names only is unknown here: one acquaintance shall not pass for another. Without a
 * name the peer is known if the key was remembered at all. Upper and lower case of ASCII letters in
 * names make no difference.
 *
 * If there is an error, nobody is to be trusted. It is %G_IO_ERROR_INVALID_ARGUMENT if an argument
 * is malformed, or one of [method@Seqex.TrustStore.load].
 *
 * Returns: the verdict; %SEQEX_TRUST_VERDICT_UNKNOWN with @error set if there is none
 */
SeqexTrustVerdict
seqex_trust_store_check (SeqexTrustStore  *self,
                         const char       *name,
                         const char       *fingerprint,
                         GError          **error)
{
  guint8 key[SEQEX_KEY_SIZE];

  g_return_val_if_fail (SEQEX_IS_TRUST_STORE (self), SEQEX_TRUST_VERDICT_UNKNOWN);
  g_return_val_if_fail (fingerprint != NULL, SEQEX_TRUST_VERDICT_UNKNOWN);

  if (!seqex_key_parse (fingerprint, key, error))
    return SEQEX_TRUST_VERDICT_UNKNOWN;
  return seqex_trust_store_check_key (self, name, key, error);
}

/* The object in the list that @line is about. */
static SeqexTrustedPeer *
dup_peer (SeqexTrustStore *self,
          SeqexTrustLine  *line)
{
  for (guint i = 0; line != NULL && i < self->peers->len; i++)
    if (seqex_trusted_peer_is (self->peers->pdata[i], line))
      return g_object_ref (self->peers->pdata[i]);
  return NULL;
}

/**
 * seqex_trust_store_lookup:
 * @self: a trust store
 * @fingerprint: a key
 * @error: where to put an error
 *
 * Gets what is known of a key. If it has several names, this is the first of them.
 *
 * Returns: (transfer full) (nullable): the peer, or `NULL`: without an error if it is not known
 */
SeqexTrustedPeer *
seqex_trust_store_lookup (SeqexTrustStore  *self,
                          const char       *fingerprint,
                          GError          **error)
{
  guint8 key[SEQEX_KEY_SIZE];

  g_return_val_if_fail (SEQEX_IS_TRUST_STORE (self), NULL);
  g_return_val_if_fail (fingerprint != NULL, NULL);

  if (!seqex_key_parse (fingerprint, key, error) || !refresh (self, error))
    return NULL;
  return dup_peer (self, seqex_trust_file_find (self->lines, NULL, key));
}

/**
 * seqex_trust_store_lookup_name:
 * @self: a trust store
 * @name: what a peer is opened as
 * @error: where to put an error
 *
 * Gets what is known of a name.
 *
 * Returns: (transfer full) (nullable): the peer, or `NULL`: without an error if it is not known
 */
SeqexTrustedPeer *
seqex_trust_store_lookup_name (SeqexTrustStore  *self,
                               const char       *name,
                               GError          **error)
{
  g_return_val_if_fail (SEQEX_IS_TRUST_STORE (self), NULL);
  g_return_val_if_fail (name != NULL, NULL);

  if (!seqex_trust_name_check (name, error) || !refresh (self, error))
    return NULL;
  return dup_peer (self, seqex_trust_file_find (self->lines, name, NULL));
}

/* Changing ------------------------------------------------------------------------------- */

GError *
seqex_trust_store_key_changed (SeqexTrustStore *self,
                               const char      *name,
                               const guint8     key[SEQEX_KEY_SIZE])
{
  const SeqexTrustLine *line = seqex_trust_file_find (self->lines, name, NULL);
  g_autofree char *known = line != NULL ? seqex_key_format (line->key) : NULL;
  g_autofree char *seen = seqex_key_format (key);

  return g_error_new (SEQEX_ERROR, SEQEX_ERROR_KEY_CHANGED,
                      "“%s” has another key than before: it was known as %s and is now %s. "
                      "Somebody else may be answering; if you know that it is right, forget the "
                      "old one", name, known != NULL ? known : "nobody", seen);
}

gboolean
seqex_trust_store_remember_key (SeqexTrustStore  *self,
                                const char       *name,
                                const guint8      key[SEQEX_KEY_SIZE],
                                GError          **error)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_auto (Change) change = { .lock = -1 };
  SeqexTrustLine *line;

  if ((name != NULL && !seqex_trust_name_check (name, error)) || !refresh (self, error))
    return FALSE;
  line = seqex_trust_file_find (self->lines, name, key);
  if (line != NULL && !seqex_trust_line_is_old (line, now))
    return TRUE;

  if (!change_begin (self, &change, error))
    return FALSE;
  switch (seqex_trust_file_check (change.lines, name, key))
    {
    case SEQEX_TRUST_VERDICT_CHANGED:
      change_clear (&change);
      if (refresh (self, error))
        g_propagate_error (error, seqex_trust_store_key_changed (self, name, key));
      return FALSE;
    case SEQEX_TRUST_VERDICT_KNOWN:
      seqex_trust_line_touch (seqex_trust_file_find (change.lines, name, key), now);
      break;
    case SEQEX_TRUST_VERDICT_UNKNOWN:
      seqex_trust_file_add (change.lines, name, key, now);
      break;
    }
  return change_commit (self, &change, error);
}

/**
 * seqex_trust_store_remember:
 * @self: a trust store
 * @name: (nullable): what the peer was opened as, or `NULL` for a peer that came by itself
 * @fingerprint: the peer's key
 * @error: where to put an error
 *
 * Remembers a peer, so that it is known from now on.
 *
 * If it is known already, this only notes that it was seen. If another key is known under this
 * name, nothing changes and the error is %SEQEX_ERROR_KEY_CHANGED, which names both fingerprints;
 * to take the new one, [method@Seqex.TrustStore.forget] the old one first. Other errors are those
 * of [method@Seqex.TrustStore.check], and those of writing a file.
 *
 * Returns: `TRUE` if the peer is known now
 */
gboolean
seqex_trust_store_remember (SeqexTrustStore  *self,
                            const char       *name,
                            const char       *fingerprint,
                            GError          **error)
{
  guint8 key[SEQEX_KEY_SIZE];

  g_return_val_if_fail (SEQEX_IS_TRUST_STORE (self), FALSE);
  g_return_val_if_fail (fingerprint != NULL, FALSE);

  return seqex_key_parse (fingerprint, key, error) &&
         seqex_trust_store_remember_key (self, name, key, error);
}

/**
 * seqex_trust_store_forget:
 * @self: a trust store
 * @peer: a peer out of the store
 * @error: where to put an error
 *
 * Forgets that a key belongs to a name. Other names of the same key stay.
 *
 * It is no error if somebody forgot the peer before. Connections that are open stay open.
 *
 * Returns: `TRUE` if the peer is not known by this name any more
 */
gboolean
seqex_trust_store_forget (SeqexTrustStore   *self,
                          SeqexTrustedPeer  *peer,
                          GError           **error)
{
  g_auto (Change) change = { .lock = -1 };

  g_return_val_if_fail (SEQEX_IS_TRUST_STORE (self), FALSE);
  g_return_val_if_fail (SEQEX_IS_TRUSTED_PEER (peer), FALSE);

  if (!change_begin (self, &change, error))
    return FALSE;
  if (seqex_trust_file_remove (change.lines, seqex_trusted_peer_get_name (peer),
                               seqex_trusted_peer_get_key (peer)) > 0)
    return change_commit (self, &change, error);
  change_clear (&change);
  return refresh (self, error);
}
