/* Writes files, directories and symbolic links below one directory, and never outside of it.
 *
 * The kernel resolves every name with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV, so that
 * neither a link in the archive nor a directory that is replaced by a link meanwhile leads outside. Existing
 * files are never overwritten. Directories that the archive does not contain are made. */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

struct tree;

/* 'root' is borrowed until tree_free(). */
struct tree *tree_new(int root);
struct tree *tree_free(struct tree *t);
DEFINE_CLEANUP(struct tree *, tree_free);

/* Add an entry. Names are relative, without ".", ".." and doubled slashes; "" is the root, for directories
 * only. They return 0 or a negative errno, and errors name the entry. A name that exists is refused with
 * −EEXIST, unless both are directories: then the later mode and time count. Modes and times of directories
 * are set in tree_finish(). */
int tree_add_directory(struct tree *t, const char *name, mode_t mode, struct timespec modified,
                       struct error *e);
int tree_add_symlink(struct tree *t, const char *name, const char *target, struct timespec modified,
                     struct error *e);

/* Opens a new file for writing. The caller owns *ret, writes to it and passes it to tree_end_file(), which
 * closes it, also on failure. */
int tree_begin_file(struct tree *t, const char *name, int *ret, struct error *e);
int tree_end_file(int fd, const char *name, mode_t mode, struct timespec modified, struct error *e);

/* Sets the modes and times of all directories. The owner can always enter and change them, and all users can
 * enter the root. */
int tree_finish(struct tree *t, struct error *e);
