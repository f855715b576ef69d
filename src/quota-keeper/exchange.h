/* Changes a file that other programs write, too, without losing an edit of theirs that was complete before
 * this one.
 *
 * A rename over the file would drop what another program wrote since the file was read. So the new text is
 * exchanged with the file (RENAME_EXCHANGE), and the text that comes out is compared with the one that was
 * read: if it differs, it is merged and written again. The names of the staged files
 * (.NAME.hostlet-READ-NEW, with the hashes of both texts) show the next process, after a kill at any
 * point, whether they contain such an edit. */
#pragma once

#include "lib/basic/error.h"

/* Returns the new text for the file, made from its present one; the caller frees it. */
typedef char *(*exchange_merge_fn)(const char *text, size_t size, void *userdata, size_t *ret_size);

/* Makes dir/name contain what 'merge' returns for it. A missing file is created, a correct one is not
 * touched. Only one process may do this at a time: callers hold the machine's lock. Returns 0 or a
 * negative errno. */
int exchange_file(int dir, const char *name, exchange_merge_fn merge, void *userdata, struct error *e);
