/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-identity-private.h"

#include <string.h>

#include "seqex-crypto-private.h"
#include "seqex-file-private.h"
#include "seqex-random-private.h"

/* What is larger is something else. */
#define FILE_SIZE_MAX 4096

#define MAGIC      "seqex-identity "
#define VERSION    "1"
#define SECRET_KEY "secret-key "

/**
 * SeqexIdentity:
 *
 * Who a program is for its peers: a pair of X25519 keys.
 *
 * The public key is what peers know it by, as a [property@Seqex.Identity:fingerprint] that people
 * can compare and type. The secret key never leaves the object but into its file. There is no name
 * in it, and nobody has to certify it.
 *
 * A new object is a new identity. A program that wants to be known again the next time it runs
 * keeps its identity in a file; [func@Seqex.Identity.load_or_generate] is the one call for that.
 *
 * ```c
 * g_autoptr (GFile) file = g_file_new_build_filename (g_get_user_data_dir (), "example.identity",
 *                                                     NULL);
 * g_autoptr (SeqexIdentity) identity = seqex_identity_load_or_generate (file, NULL, &error);
 * ```
 *
 * An identity does not change, so it may be used from any thread. Only the asynchronous functions
 * belong to the thread-default main context of their caller; GIO's own threads wait for the disk
 * for them. See [Identity and trust](identity.html) for the format of the file.
 */
struct _SeqexIdentity
{
  GObject  parent_instance;

  guint8   secret[SEQEX_KEY_SIZE];
  GBytes  *public_key;
  char    *fingerprint;
};

G_DEFINE_FINAL_TYPE (SeqexIdentity, seqex_identity, G_TYPE_OBJECT)

typedef enum
{
  PROP_FINGERPRINT = 1,
  PROP_PUBLIC_KEY,
} SeqexIdentityProperty;

static GParamSpec *properties[PROP_PUBLIC_KEY + 1];

/* Derives all else from the secret. */
static void
set_secret (SeqexIdentity *self,
            const guint8   secret[SEQEX_KEY_SIZE])
{
  guint8 public_key[SEQEX_KEY_SIZE];

  memcpy (self->secret, secret, SEQEX_KEY_SIZE);
  seqex_crypto_table ()->x25519_base (public_key, self->secret);
  g_clear_pointer (&self->public_key, g_bytes_unref);
  self->public_key = g_bytes_new (public_key, sizeof public_key);
  g_free (self->fingerprint);
  self->fingerprint = seqex_key_format (public_key);
}

SeqexIdentity *
seqex_identity_new_for_secret (const guint8 secret[SEQEX_KEY_SIZE])
{
  SeqexIdentity *self = g_object_new (SEQEX_TYPE_IDENTITY, NULL);

  set_secret (self, secret);
  return self;
}

const guint8 *
seqex_identity_get_secret (SeqexIdentity *self)
{
  return self->secret;
}

static void
seqex_identity_get_property (GObject    *object,
                             guint       prop_id,
                             GValue     *value,
                             GParamSpec *pspec)
{
  SeqexIdentity *self = SEQEX_IDENTITY (object);

  switch ((SeqexIdentityProperty) prop_id)
    {
    case PROP_FINGERPRINT:
      g_value_set_string (value, self->fingerprint);
      break;
    case PROP_PUBLIC_KEY:
      g_value_set_boxed (value, self->public_key);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
seqex_identity_finalize (GObject *object)
{
  SeqexIdentity *self = SEQEX_IDENTITY (object);

  seqex_crypto_table ()->wipe (self->secret, sizeof self->secret);
  g_bytes_unref (self->public_key);
  g_free (self->fingerprint);

  G_OBJECT_CLASS (seqex_identity_parent_class)->finalize (object);
}

static void
seqex_identity_class_init (SeqexIdentityClass *klass)
{
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = seqex_identity_get_property;
  object_class->finalize = seqex_identity_finalize;

  /**
   * SeqexIdentity:fingerprint: (getter get_fingerprint)
   *
   * The public key as people and files have it: 14 groups of four characters.
   *
   * It is not a digest: it is the whole key and a check, so it is all that a peer needs.
   */
  properties[PROP_FINGERPRINT] = g_param_spec_string ("fingerprint", NULL, NULL, NULL, readable);

  /**
   * SeqexIdentity:public-key: (getter get_public_key)
   *
   * The X25519 public key, 32 bytes.
   */
  properties[PROP_PUBLIC_KEY] = g_param_spec_boxed ("public-key", NULL, NULL, G_TYPE_BYTES,
                                                    readable);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (properties), properties);
}

static void
seqex_identity_init (SeqexIdentity *self)
{
  guint8 secret[SEQEX_KEY_SIZE];

  seqex_random_fill (NULL, secret, sizeof secret);
  set_secret (self, secret);
  seqex_crypto_table ()->wipe (secret, sizeof secret);
}

/**
 * seqex_identity_new_generate:
 *
 * Creates an identity that nobody had before.
 *
 * Returns: (transfer full): a new identity
 */
SeqexIdentity *
seqex_identity_new_generate (void)
{
  return g_object_new (SEQEX_TYPE_IDENTITY, NULL);
}

/**
 * seqex_identity_get_public_key: (get-property public-key)
 * @self: an identity
 *
 * Gets the public key.
 *
 * Returns: (transfer none) (not nullable): the X25519 public key, 32 bytes
 */
GBytes *
seqex_identity_get_public_key (SeqexIdentity *self)
{
  g_return_val_if_fail (SEQEX_IS_IDENTITY (self), NULL);

  return self->public_key;
}

/**
 * seqex_identity_get_fingerprint: (get-property fingerprint)
 * @self: an identity
 *
 * Gets the public key as people and files have it.
 *
 * Returns: (transfer none) (not nullable): the fingerprint
 */
const char *
seqex_identity_get_fingerprint (SeqexIdentity *self)
{
  g_return_val_if_fail (SEQEX_IS_IDENTITY (self), NULL);

  return self->fingerprint;
}

/* The file ------------------------------------------------------------------------------- */

static gboolean
parse_header (const char   *text,
              const char   *name,
              GError      **error)
{
  gsize size = strcspn (text, "\r\n");

  if (strncmp (text, MAGIC, strlen (MAGIC)) != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   text[0] == '\0' ? "“%s” is empty" : "“%s” is not an identity of Seqex", name);
      return FALSE;
    }
  if (size != strlen (MAGIC VERSION) || strncmp (text, MAGIC VERSION, size) != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   "“%s” is an identity of another version than " VERSION
                   ", the one that is known here", name);
      return FALSE;
    }
  return TRUE;
}

/* The value of a line that has the secret key. */
static gboolean
parse_secret (const char    *value,
              gsize          size,
              guint          number,
              const char    *name,
              guint8         secret[SEQEX_KEY_SIZE],
              GError       **error)
{
  /* With room for more characters than there should be, so that the error counts them. */
  char copy[2 * SEQEX_KEY_TEXT_SIZE];
  g_autoptr (GError) reason = NULL;
  gboolean valid;

  size = MIN (size, sizeof copy - 1);
  memcpy (copy, value, size);
  copy[size] = '\0';
  valid = seqex_key_decode (SEQEX_KEY_KIND_IDENTITY, copy, secret, &reason);
  seqex_crypto_table ()->wipe (copy, sizeof copy);
  if (!valid)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "“%s”, line %u: %s", name, number,
                 reason->message);
  return valid;
}

gboolean
seqex_identity_parse (const char  *text,
                      gsize        size,
                      const char  *name,
                      guint8       secret[SEQEX_KEY_SIZE],
                      GError     **error)
{
  const char *line = text;
  gboolean found = FALSE;

  memset (secret, 0, SEQEX_KEY_SIZE);
  if (strlen (text) != size)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "“%s” is not a text", name);
      return FALSE;
    }
  if (!parse_header (text, name, error))
    return FALSE;

  /* What else there is may be of a later version that can be read all the same. */
  for (guint number = 1; *line != '\0'; number++)
    {
      gsize line_size = strcspn (line, "\r\n");
      gsize word_size = strlen (SECRET_KEY);

      if (line_size >= word_size && strncmp (line, SECRET_KEY, word_size) == 0)
        {
          if (found)
            g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                         "“%s”, line %u: a second secret key", name, number);
          if (found || !parse_secret (line + word_size, line_size - word_size, number, name, secret,
                                      error))
            {
              seqex_crypto_table ()->wipe (secret, SEQEX_KEY_SIZE);
              return FALSE;
            }
          found = TRUE;
        }
      line += line_size;
      line += line[0] == '\r' && line[1] == '\n' ? 2 : line[0] != '\0';
    }
  if (!found)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                 "“%s” has no secret key: it was cut short", name);
  return found;
}

/**
 * seqex_identity_load_file:
 * @file: a local file
 * @cancellable: (nullable): to give up, or `NULL`
 * @error: where to put an error
 *
 * Reads an identity from a file.
 *
 * Errors are in the domain of GIO and name the file: %G_IO_ERROR_NOT_FOUND,
 * %G_IO_ERROR_NOT_REGULAR_FILE, %G_IO_ERROR_PERMISSION_DENIED also if others than the owner may
 * read or write the file, %G_IO_ERROR_INVALID_DATA if it is damaged or something else,
 * %G_IO_ERROR_NOT_SUPPORTED if it is of a later version.
 *
 * Returns: (transfer full): the identity, or `NULL` with @error set
 */
SeqexIdentity *
seqex_identity_load_file (GFile         *file,
                          GCancellable  *cancellable,
                          GError       **error)
{
  g_autofree char *path = NULL;
  g_autofree char *name = NULL;
  guint8 secret[SEQEX_KEY_SIZE];
  SeqexIdentity *self = NULL;
  struct stat status;
  char *contents;
  gsize size;

  g_return_val_if_fail (G_IS_FILE (file), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;
  path = seqex_file_resolve (file, error);
  if (path == NULL ||
      !seqex_file_read (path, FILE_SIZE_MAX, TRUE, &contents, &size, &status, error))
    return NULL;

  name = g_filename_display_name (path);
  if (seqex_identity_parse (contents, size, name, secret, error))
    self = seqex_identity_new_for_secret (secret);
  seqex_crypto_table ()->wipe (secret, sizeof secret);
  seqex_crypto_table ()->wipe (contents, size);
  g_free (contents);
  return self;
}

static gboolean
write_file (SeqexIdentity  *self,
            const char     *path,
            GError        **error)
{
  char secret[SEQEX_KEY_TEXT_SIZE];
  char text[512];
  gboolean done;
  int size;

  seqex_key_encode (SEQEX_KEY_KIND_IDENTITY, self->secret, secret);
  size = g_snprintf (text, sizeof text,
                     MAGIC VERSION "\n"
                     "# Fingerprint, for everybody: %s\n"
                     "# Whoever has the secret key can be taken for you. Show it to nobody.\n"
                     SECRET_KEY "%s\n", self->fingerprint, secret);
  g_assert (size > 0 && (gsize) size < sizeof text);
  done = seqex_file_write (path, text, (gsize) size, S_IRUSR | S_IWUSR, FALSE, error);
  seqex_crypto_table ()->wipe (secret, sizeof secret);
  seqex_crypto_table ()->wipe (text, sizeof text);
  return done;
}

/* Whether @file has this very identity already. */
static gboolean
is_in_file (SeqexIdentity *self,
            GFile         *file)
{
  g_autoptr (SeqexIdentity) other = seqex_identity_load_file (file, NULL, NULL);

  return other != NULL && g_bytes_equal (other->public_key, self->public_key);
}

/**
 * seqex_identity_save_file:
 * @self: an identity
 * @file: a local file, which need not exist
 * @cancellable: (nullable): to give up, or `NULL`
 * @error: where to put an error
 *
 * Writes the identity to a new file that only its owner may read.
 *
 * The file is there whole or not at all, and is on the disk when this returns. A file that is there
 * is never replaced, because an identity that is lost cannot be had back: %G_IO_ERROR_EXISTS,
 * unless it is this identity's own. To change who a program is, delete the old file first. If the
 * directory does not exist, the error is %G_IO_ERROR_NOT_FOUND.
 *
 * Returns: `TRUE` if the file has the identity
 */
gboolean
seqex_identity_save_file (SeqexIdentity  *self,
                          GFile          *file,
                          GCancellable   *cancellable,
                          GError        **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *path = NULL;

  g_return_val_if_fail (SEQEX_IS_IDENTITY (self), FALSE);
  g_return_val_if_fail (G_IS_FILE (file), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  path = seqex_file_resolve (file, error);
  if (path == NULL)
    return FALSE;
  if (write_file (self, path, &failure))
    return TRUE;
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_EXISTS) && is_in_file (self, file))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

/**
 * seqex_identity_load_or_generate:
 * @file: a local file, which need not exist
 * @cancellable: (nullable): to give up, or `NULL`
 * @error: where to put an error
 *
 * Reads the identity in a file; the first time there is none, and then a new one is made and saved.
 *
 * Programs that start at the same time with the same file get the same identity. A file that is
 * there but cannot be read is left alone, and the error is the same as that of
 * [func@Seqex.Identity.load_file].
 *
 * Returns: (transfer full): the identity that is in the file, or `NULL` with @error set
 */
SeqexIdentity *
seqex_identity_load_or_generate (GFile         *file,
                                 GCancellable  *cancellable,
                                 GError       **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (SeqexIdentity) self = NULL;

  g_return_val_if_fail (G_IS_FILE (file), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  self = seqex_identity_load_file (file, cancellable, &failure);
  if (self == NULL && g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    {
      g_clear_error (&failure);
      self = seqex_identity_new_generate ();
      if (!seqex_identity_save_file (self, file, cancellable, &failure))
        g_clear_object (&self);
      /* Another program was first: its identity is the one. */
      if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_EXISTS))
        {
          g_clear_error (&failure);
          self = seqex_identity_load_file (file, cancellable, &failure);
        }
    }
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  return g_steal_pointer (&self);
}

/* Asynchronously ------------------------------------------------------------------------- */

static void
load_thread (GTask        *task,
             gpointer      source_object,
             gpointer      task_data,
             GCancellable *cancellable)
{
  GError *error = NULL;
  SeqexIdentity *identity;

  if (g_task_get_source_tag (task) == seqex_identity_load_file_async)
    identity = seqex_identity_load_file (task_data, cancellable, &error);
  else
    identity = seqex_identity_load_or_generate (task_data, cancellable, &error);

  if (identity != NULL)
    g_task_return_pointer (task, identity, g_object_unref);
  else
    g_task_return_error (task, error);
}

static void
save_thread (GTask        *task,
             gpointer      source_object,
             gpointer      task_data,
             GCancellable *cancellable)
{
  GError *error = NULL;

  if (seqex_identity_save_file (source_object, task_data, cancellable, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
run_task (gpointer             source_object,
          GFile               *file,
          GCancellable        *cancellable,
          GAsyncReadyCallback  callback,
          gpointer             user_data,
          gpointer             source_tag,
          GTaskThreadFunc      function)
{
  g_autoptr (GTask) task = g_task_new (source_object, cancellable, callback, user_data);

  g_task_set_source_tag (task, source_tag);
  g_task_set_task_data (task, g_object_ref (file), g_object_unref);
  g_task_run_in_thread (task, function);
}

/**
 * seqex_identity_load_file_async:
 * @file: a local file
 * @cancellable: (nullable): to give up, or `NULL`
 * @callback: (nullable) (scope async) (closure user_data): called when done
 * @user_data: data for @callback
 *
 * Reads an identity from a file.
 *
 * The asynchronous form of [func@Seqex.Identity.load_file].
 */
void
seqex_identity_load_file_async (GFile               *file,
                                GCancellable        *cancellable,
                                GAsyncReadyCallback  callback,
                                gpointer             user_data)
{
  g_return_if_fail (G_IS_FILE (file));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  run_task (NULL, file, cancellable, callback, user_data, seqex_identity_load_file_async,
            load_thread);
}

/**
 * seqex_identity_load_file_finish:
 * @result: what the callback got
 * @error: where to put an error
 *
 * Finishes [func@Seqex.Identity.load_file_async].
 *
 * Returns: (transfer full): the identity, or `NULL` with @error set
 */
SeqexIdentity *
seqex_identity_load_file_finish (GAsyncResult  *result,
                                 GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, seqex_identity_load_file_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * seqex_identity_load_or_generate_async:
 * @file: a local file, which need not exist
 * @cancellable: (nullable): to give up, or `NULL`
 * @callback: (nullable) (scope async) (closure user_data): called when done
 * @user_data: data for @callback
 *
 * Reads the identity in a file, or makes and saves one.
 *
 * The asynchronous form of [func@Seqex.Identity.load_or_generate].
 */
void
seqex_identity_load_or_generate_async (GFile               *file,
                                       GCancellable        *cancellable,
                                       GAsyncReadyCallback  callback,
                                       gpointer             user_data)
{
  g_return_if_fail (G_IS_FILE (file));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  run_task (NULL, file, cancellable, callback, user_data, seqex_identity_load_or_generate_async,
            load_thread);
}

/**
 * seqex_identity_load_or_generate_finish:
 * @result: what the callback got
 * @error: where to put an error
 *
 * Finishes [func@Seqex.Identity.load_or_generate_async].
 *
 * Returns: (transfer full): the identity that is in the file, or `NULL` with @error set
 */
SeqexIdentity *
seqex_identity_load_or_generate_finish (GAsyncResult  *result,
                                        GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, seqex_identity_load_or_generate_async),
                        NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * seqex_identity_save_file_async:
 * @self: an identity
 * @file: a local file, which need not exist
 * @cancellable: (nullable): to give up, or `NULL`
 * @callback: (nullable) (scope async) (closure user_data): called when done
 * @user_data: data for @callback
 *
 * Writes the identity to a new file that only its owner may read.
 *
 * The asynchronous form of [method@Seqex.Identity.save_file]. When it is cancelled, the file may be
 * there or not.
 */
void
seqex_identity_save_file_async (SeqexIdentity       *self,
                                GFile               *file,
                                GCancellable        *cancellable,
                                GAsyncReadyCallback  callback,
                                gpointer             user_data)
{
  g_return_if_fail (SEQEX_IS_IDENTITY (self));
  g_return_if_fail (G_IS_FILE (file));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  run_task (self, file, cancellable, callback, user_data, seqex_identity_save_file_async,
            save_thread);
}

/**
 * seqex_identity_save_file_finish:
 * @self: an identity
 * @result: what the callback got
 * @error: where to put an error
 *
 * Finishes [method@Seqex.Identity.save_file_async].
 *
 * Returns: `TRUE` if the file has the identity
 */
gboolean
seqex_identity_save_file_finish (SeqexIdentity  *self,
                                 GAsyncResult   *result,
                                 GError        **error)
{
  g_return_val_if_fail (SEQEX_IS_IDENTITY (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, seqex_identity_save_file_async), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
