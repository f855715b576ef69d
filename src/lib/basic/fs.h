/* Files: whole reads with a bound, atomic durable replacement, directories, and resolution that stays
 * beneath. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

/* Opens /dev/null as each of the descriptors 0, 1 and 2 that the process was started without: whatever it
 * opened next would get that number, and what is printed would be written into it. The first act of every
 * main, which ends when this fails (there is no descriptor to say it on). 0 or a negative errno. */
int fill_standard_descriptors(void);

/* Raises the soft limit of descriptors as far as the hard one lets it, up to 8192: a server's users hold some
 * hundreds each, and none of our programs uses select(2). */
void allow_many_descriptors(void);

/* Reads a regular file of at most 'max' bytes, relative to 'dirfd' (or AT_FDCWD). *ret has a final NUL beyond
 * *ret_size; the caller frees. A larger file is −EFBIG, refused. Never blocks on a fifo and never follows a
 * final symlink. */
int read_file_at(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size, struct error *e);

/* Replaces dirfd/name atomically and durably: temporary file in the same directory (".NAME.XXXXXX.tmp"),
 * fsync, rename, fsync of the directory. uid/gid of −1 keep the process's. Whatever fails leaves the old file
 * as it was. */
int replace_file_at(int dirfd, const char *name, const void *data, size_t size, mode_t mode, uid_t uid,
                    gid_t gid, struct error *e);

/* The same for a path: opens its directory first. */
int replace_file(const char *path, const void *data, size_t size, mode_t mode, struct error *e);

/* Refuses (−EFBIG) what has more bytes than its reader takes, so that nobody writes what nobody can read:
 * 'max' is the one constant that both name. */
int file_fits(const char *path, size_t size, size_t max, struct error *e);
/* replace_file() of what fits. */
int replace_file_within(const char *path, size_t max, const void *data, size_t size, mode_t mode,
                        struct error *e);
/* Keeps a file that cannot be read as PATH.unreadable, in the place of an older such one. It stays under its
 * own name too where the kernel allows a second one, so that a kill before it is replaced changes nothing. */
int keep_aside(const char *path, struct error *e);

/* open of a directory, O_DIRECTORY | O_CLOEXEC; fd or negative errno. */
int open_dir_at(int dirfd, const char *path, struct error *e);

/* openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV: for every path that a tenant can
 * write below. fd or negative errno; the error names 'path'. */
int open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct error *e);

/* mkdir -p of an absolute path (trusted), each new component with 'mode'. */
int make_dirs(const char *path, mode_t mode, struct error *e);

/* Opens the directory 'below' (relative) of 'base', making what is missing: the last name with 'mode', those
 * between with 0755. 'base' is trusted; of what lies below it any name may be written by a less trusted user,
 * so each is opened by the descriptor of the one above and no symbolic link is followed: one is refused
 * (−ENOTDIR). *ret_made: whether the last one was missing. fd or negative errno. */
int make_dir_below(const char *base, const char *below, mode_t mode, bool *ret_made, struct error *e);

/* The same, and gives it this owner and mode (−1: left), through its descriptor. This is how root makes a
 * directory for a user. */
int give_dir_below(const char *base, const char *below, uid_t uid, gid_t gid, mode_t mode, struct error *e);

/* Whether all users of the machine may read the file; false where it cannot be looked at. */
bool readable_by_all(const char *path);

/* Writes all of it, through short writes and EINTR. */
int write_all(int fd, const void *data, size_t size);

/* Removes dirfd/name and everything below, however deep, without following symlinks and without entering a
 * mount point: that one is refused (−EXDEV) and named. What is gone already is fine. Works on directories
 * whose mode denies us, when we may chmod them. A failure does not keep it from removing the rest; the first
 * one is reported, with the path where the entry lies by then, since directories are moved up while they
 * wait. */
int remove_tree_at(int dirfd, const char *name, struct error *e);
