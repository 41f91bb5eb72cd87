/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Buffers of large messages, which are used again.
 *
 * A program that receives much frees such buffers by the dozen. The allocator gives that memory back
 * to the kernel, and has it cleared and mapped anew a moment later, at the cost of decrypting it. So
 * a few are kept: of all threads together, bounded, and only while messages come.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define SEQEX_BODY_LEAST 4096u      /* smaller ones are the allocator's alone, … */
#define SEQEX_BODY_MOST  (1u << 20) /* … and so are larger ones */
#define SEQEX_BODY_KEPT  (8u << 20) /* bytes kept, at most */

/* malloc()ed: free() does as well as seqex_body_free(). NULL: no memory. What is in it is
 * arbitrary. */
guint8  *seqex_body_new  (gsize    size);
/* In any thread. @data may be NULL. */
void     seqex_body_free (gpointer data);
/* No messages have come for a while: what is kept is given back. */
void     seqex_body_rest (void);
/* How many bytes are kept. */
gsize    seqex_body_kept (void);

G_END_DECLS
