/* Walks over everything in a directory that a tenant can write.
 *
 * No entry is reached by a path: each one is opened beneath its directory's descriptor, first without opening
 * the file itself (O_PATH), so that no fifo blocks the process and no device is touched; then, if it is a
 * directory or a regular file, by that descriptor. Neither symlinks nor mounts are followed. The way up is
 * "..", which is compared with the way down.
 *
 * The tenant chooses depth and number of entries, but not the memory and descriptors that the walk needs.
 * One directory is open at a time, and at most 'window' levels of the way down are stored. The levels
 * above are found again by climbing to the top, which must be reached in as many steps as there were on
 * the way down, and by searching for the directory that the walk came from. */
#pragma once

#include <sys/stat.h>

#include "lib/basic/util.h"

#define WALK_WINDOW     65536     /* levels, 24 bytes each */
#define WALK_MOVED      (-ESTALE) /* a directory is no longer where it was: the tenant moved it */
#define WALK_ANOTHER_FS (-EXDEV)  /* of an entry: a mount point */

/* Called for each entry below the top. 'fd' is its descriptor, valid during the call; −ENOTSUP for what is
 * neither a file nor a directory, another negative errno if the entry could not be opened ('st' is then
 * meaningless). A negative result ends the walk, which returns it; otherwise the walk enters a directory
 * that could be opened. */
typedef int (*walk_visit_fn)(void *userdata, int fd, const struct stat *st);

/* Returns 0, the visitor's negative result, or another negative errno. WALK_MOVED: directories were moved
 * during the walk, so that not all entries may have been visited. 'window' is at least 2; normally
 * WALK_WINDOW. */
int walk_below(int top, size_t window, walk_visit_fn visit, void *userdata);
