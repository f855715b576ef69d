/* Changing a file that others write too, without losing an edit of theirs that was complete before ours.
 *
 * A rename over the file would drop what a foreign writer put there since it was read. So the new text is
 * exchanged with the file (RENAME_EXCHANGE), and what came out is compared with what was read: where it
 * differs, it is merged and put in again. The names of the files that wait beside it (.NAME.hostlet-READ-NEW,
 * with the hashes of both texts) tell the next life, whenever this one is killed, whether they hold such an
 * edit. */
#pragma once

#include "lib/basic/error.h"

/* What the file shall hold, from what it holds; the caller frees. */
typedef char *(*exchange_merge_fn)(const char *text, size_t size, void *userdata, size_t *ret_size);

/* Brings dir/name to what 'merge' makes of it; a file that is not there is made, one that is right is not
 * touched. Only one process at a time may do this: callers hold the machine's lock. */
int exchange_file(int dir, const char *name, exchange_merge_fn merge, void *userdata, struct error *e);
