/* A walk over everything in a directory that a tenant writes in.
 *
 * Nothing is reached by a path: each entry is opened beneath its directory's descriptor, first without
 * opening the file itself (O_PATH), so that no fifo blocks us and no device is touched; then, where it is a
 * directory or a regular file, by that descriptor. Neither symlinks nor mounts are followed. The way up is
 * "..", and is compared with the way down.
 *
 * Depth and number of entries are the tenant's choice; memory and descriptors are not. One directory is open
 * at a time, and the way back is remembered for 'window' levels at most. What lies above those is found again
 * by climbing to the top, which must be reached in as many steps as there were on the way down, and by
 * looking for the directory that we came from. */
#pragma once

#include <sys/stat.h>

#include "lib/basic/util.h"

#define WALK_WINDOW     65536     /* levels, of 24 bytes */
#define WALK_MOVED      (-ESTALE) /* a directory is no longer where it was: the tenant moved it */
#define WALK_ANOTHER_FS (-EXDEV)  /* of an entry: something is mounted there */

/* Called for each entry below the top. 'fd' is its descriptor, for the time of the call; −ENOTSUP for what is
 * neither file nor directory, another negative errno where it could not be opened ('st' says nothing then). A
 * negative result ends the walk with it; a directory that could be opened is entered in any other case. */
typedef int (*walk_visit_fn)(void *userdata, int fd, const struct stat *st);

/* 0, what the visitor said, or another negative errno. WALK_MOVED: directories were moved meanwhile, so that
 * not all may have been visited; everything else was, unless they were moved very often. 'window' is at least
 * 2: WALK_WINDOW. */
int walk_below(int top, size_t window, walk_visit_fn visit, void *userdata);
