/* Writes files, directories and symbolic links beneath one directory, and nowhere else.
 *
 * Every name is resolved by the kernel with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV, so that
 * neither a link within the archive nor a directory swapped for a link meanwhile leads out. Nothing is ever
 * overwritten. Directories that the archive leaves out are made. */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

struct tree;

/* 'root' is borrowed until tree_free. */
struct tree *tree_new(int root);
struct tree *tree_free(struct tree *t);
DEFINE_CLEANUP(struct tree *, tree_free);

/* Names are relative, without ".", ".." and doubled slashes ("" is the root, for directories alone). A name
 * that is there already is −EEXIST, refused, unless both are directories: then the later mode and time count.
 * All errors name the entry. Modes and times of directories take effect in tree_finish(). */
int tree_add_directory(struct tree *t, const char *name, mode_t mode, struct timespec modified,
                       struct error *e);
int tree_add_symlink(struct tree *t, const char *name, const char *target, struct timespec modified,
                     struct error *e);

/* Opens a new file for writing: *ret is the caller's, who writes and gives it to tree_end_file(), which
 * closes it. */
int tree_begin_file(struct tree *t, const char *name, int *ret, struct error *e);
int tree_end_file(int fd, const char *name, mode_t mode, struct timespec modified, struct error *e);

/* Sets modes and times of all directories: theirs, but always enough for the owner to enter and remove them,
 * and for everybody to enter the root. */
int tree_finish(struct tree *t, struct error *e);
