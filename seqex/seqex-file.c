/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* renameat2(). */
#define _GNU_SOURCE

#include "seqex-file-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "seqex-crypto-private.h"

/* How long to wait between two looks at a lock. */
#define LOCK_STEP (2 * G_TIME_SPAN_MILLISECOND)

/* "“path” is something" */
static void
set_error (GError       **error,
           GIOErrorEnum   code,
           const char    *path,
           const char    *is_something)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, code, "“%s” %s", name, is_something);
}

/* "Cannot do something “path”: reason", by errno. */
static void
set_errno_error (GError     **error,
                 const char  *do_something,
                 const char  *path)
{
  int saved = errno;
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved), "Cannot %s “%s”: %s",
               do_something, name, g_strerror (saved));
}

char *
seqex_file_resolve (GFile   *file,
                    GError **error)
{
  const char *path = g_file_peek_path (file);
  g_autofree char *uri = NULL;
  char *target, *copy;

  if (path == NULL)
    {
      uri = g_file_get_uri (file);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "“%s” is not a local file", uri);
      return NULL;
    }
  target = realpath (path, NULL);
  if (target == NULL)
    return g_strdup (path);
  copy = g_strdup (target);
  free (target);
  return copy;
}

static gboolean
check_status (const char         *path,
              const struct stat  *status,
              gsize               max_size,
              gboolean            private,
              GError            **error)
{
  if (!S_ISREG (status->st_mode))
    {
      set_error (error, G_IO_ERROR_NOT_REGULAR_FILE, path, "is not a regular file");
      return FALSE;
    }
  if (private && (status->st_mode & (S_IRWXG | S_IRWXO)) != 0)
    {
      g_autofree char *name = g_filename_display_name (path);
      g_autofree char *quoted = g_shell_quote (name);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                   "“%s” has mode %04o, so others than its owner may use the secret key in it; "
                   "mend it with: chmod 600 %s", name, (guint) status->st_mode & 07777, quoted);
      return FALSE;
    }
  if (status->st_size > (goffset) max_size)
    {
      set_error (error, G_IO_ERROR_INVALID_DATA, path, "is much too large for what it should be");
      return FALSE;
    }
  return TRUE;
}

/* All of it, into a block that has a byte more than the file had. */
static gboolean
read_all (int         fd,
          const char *path,
          char       *block,
          gsize       block_size,
          gsize      *size,
          GError    **error)
{
  *size = 0;
  while (*size < block_size)
    {
      gssize n = read (fd, block + *size, block_size - *size);

      if (n == 0)
        return TRUE;
      if (n < 0 && errno != EINTR)
        {
          set_errno_error (error, "read", path);
          return FALSE;
        }
      *size += n > 0 ? (gsize) n : 0;
    }
  set_error (error, G_IO_ERROR_FAILED, path, "grew while it was read");
  return FALSE;
}

gboolean
seqex_file_read (const char   *path,
                 gsize         max_size,
                 gboolean      private,
                 char        **contents,
                 gsize        *size,
                 struct stat  *status,
                 GError      **error)
{
  /* A pipe without a writer would block, a terminal could become the program's own. */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  gboolean done;

  *contents = NULL;
  *size = 0;
  if (fd < 0 && errno == ENXIO)
    {
      set_error (error, G_IO_ERROR_NOT_REGULAR_FILE, path, "is not a regular file");
      return FALSE;
    }
  if (fd < 0)
    {
      set_errno_error (error, "open", path);
      return FALSE;
    }

  done = fstat (fd, status) == 0;
  if (!done)
    set_errno_error (error, "read", path);
  else
    done = check_status (path, status, max_size, private, error);
  if (done)
    {
      gsize block_size = (gsize) status->st_size + 1;

      *contents = g_malloc0 (block_size);
      done = read_all (fd, path, *contents, block_size, size, error);
      if (!done)
        {
          seqex_crypto_table ()->wipe (*contents, block_size);
          g_clear_pointer (contents, g_free);
        }
    }
  close (fd);
  return done;
}

static gboolean
write_all (int         fd,
           const char *contents,
           gsize       size)
{
  while (size > 0)
    {
      gssize n = write (fd, contents, size);

      if (n < 0 && errno != EINTR)
        return FALSE;
      if (n > 0)
        {
          contents += n;
          size -= (gsize) n;
        }
    }
  return TRUE;
}

/* Gives a new file its name, unless something has that name. */
static gboolean
name_new_file (const char *temporary,
               const char *path)
{
#ifdef RENAME_NOREPLACE
  if (renameat2 (AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
    return TRUE;
  if (errno != EINVAL && errno != ENOSYS)
    return FALSE;
#endif
  if (link (temporary, path) != 0)
    return FALSE;
  unlink (temporary);
  return TRUE;
}

/* Makes a new name last. Some file systems cannot, and then there is nothing to be done. */
static void
sync_directory (const char *directory)
{
  int fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    return;
  fsync (fd);
  close (fd);
}

/* A file beside @path; -1 with @error set. */
static int
open_temporary (char        *temporary,
                const char  *directory,
                GError     **error)
{
  int fd = g_mkstemp_full (temporary, O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);

  if (fd < 0 && errno == ENOENT)
    set_error (error, G_IO_ERROR_NOT_FOUND, directory, "does not exist; make this directory first");
  else if (fd < 0)
    set_errno_error (error, "make a file in", directory);
  return fd;
}

gboolean
seqex_file_write (const char  *path,
                  const char  *contents,
                  gsize        size,
                  mode_t       mode,
                  gboolean     replace,
                  GError     **error)
{
  g_autofree char *directory = g_path_get_dirname (path);
  g_autofree char *base = g_path_get_basename (path);
  g_autofree char *temporary = g_strdup_printf ("%s/.%s.XXXXXX", directory, base);
  int fd = open_temporary (temporary, directory, error);
  gboolean done;

  if (fd < 0)
    return FALSE;

  done = write_all (fd, contents, size) && fchmod (fd, mode) == 0 && fsync (fd) == 0;
  if (close (fd) != 0)
    done = FALSE;
  if (done)
    done = replace ? rename (temporary, path) == 0 : name_new_file (temporary, path);
  if (!done)
    {
      set_errno_error (error, "write", path);
      unlink (temporary);
      return FALSE;
    }
  sync_directory (directory);
  return TRUE;
}

int
seqex_file_lock (const char  *path,
                 GTimeSpan    timeout,
                 GError     **error)
{
  g_autofree char *lock = g_strconcat (path, ".lock", NULL);
  g_autofree char *directory = g_path_get_dirname (path);
  gint64 give_up = g_get_monotonic_time () + timeout;
  int fd = open (lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);

  if (fd < 0 && errno == ENOENT)
    set_error (error, G_IO_ERROR_NOT_FOUND, directory, "does not exist; make this directory first");
  else if (fd < 0)
    set_errno_error (error, "lock by", lock);
  if (fd < 0)
    return -1;

  /* A lock that is waited for without limit would hang with a program that was stopped. */
  while (flock (fd, LOCK_EX | LOCK_NB) != 0)
    {
      if (errno == EINTR)
        continue;
      if (errno == EWOULDBLOCK && g_get_monotonic_time () < give_up)
        {
          g_usleep (LOCK_STEP);
          continue;
        }
      if (errno == EWOULDBLOCK)
        set_error (error, G_IO_ERROR_BUSY, lock, "is locked by another program");
      else
        set_errno_error (error, "lock by", lock);
      close (fd);
      return -1;
    }
  return fd;
}
