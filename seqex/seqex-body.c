/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-body-private.h"

#include <stdlib.h>

#ifdef HAVE_MALLOC_USABLE_SIZE
#include <malloc.h>
#else
/* Then all of them are the allocator's alone. */
#define malloc_usable_size(data) ((void) (data), (gsize) 0)
#endif

/* Kept buffers that are looked at for one that fits. They mostly are of one size. */
#define LOOKED_AT 4u

/* At the beginning of a buffer that is kept. */
typedef struct _Spare Spare;

struct _Spare
{
  Spare *next;
  gsize  size;
};

static struct
{
  GMutex   lock;
  Spare   *first; /* the one that was given last, which the caches know best */
  gsize    bytes;
  gboolean wanted; /* somebody has taken one since the last rest */
} kept;

static Spare *
take (Spare **at)
{
  Spare *spare = *at;

  *at = spare->next;
  kept.bytes -= spare->size;
  return spare;
}

/* With the lock. */
static Spare *
find (gsize size)
{
  Spare **at = &kept.first;

  for (guint i = 0; i < LOOKED_AT && *at != NULL; i++, at = &(*at)->next)
    if ((*at)->size >= size && (*at)->size - size <= size / 4)
      return take (at);
  return NULL;
}

guint8 *
seqex_body_new (gsize size)
{
  Spare *spare, *unfit = NULL;

  if (size < SEQEX_BODY_LEAST || size > SEQEX_BODY_MOST)
    return malloc (size);

  g_mutex_lock (&kept.lock);
  kept.wanted = TRUE;
  spare = find (size);
  /* Sizes have changed: those of before make room. */
  if (spare == NULL && kept.first != NULL)
    unfit = take (&kept.first);
  g_mutex_unlock (&kept.lock);

  free (unfit);
  return spare != NULL ? (guint8 *) spare : malloc (size);
}

void
seqex_body_free (gpointer data)
{
  gsize size = malloc_usable_size (data);
  Spare *spare = data;

  if (size >= SEQEX_BODY_LEAST && size <= SEQEX_BODY_MOST + SEQEX_BODY_LEAST)
    {
      g_mutex_lock (&kept.lock);
      if (kept.wanted && kept.bytes + size <= SEQEX_BODY_KEPT)
        {
          *spare = (Spare) { kept.first, size };
          kept.first = spare;
          kept.bytes += size;
          data = NULL;
        }
      g_mutex_unlock (&kept.lock);
    }
  free (data);
}

void
seqex_body_rest (void)
{
  Spare *spare;

  g_mutex_lock (&kept.lock);
  spare = g_steal_pointer (&kept.first);
  kept.bytes = 0;
  kept.wanted = FALSE;
  g_mutex_unlock (&kept.lock);

  while (spare != NULL)
    {
      Spare *next = spare->next;

      free (spare);
      spare = next;
    }
}

gsize
seqex_body_kept (void)
{
  gsize bytes;

  g_mutex_lock (&kept.lock);
  bytes = kept.bytes;
  g_mutex_unlock (&kept.lock);
  return bytes;
}
