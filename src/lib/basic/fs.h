/* Reads files whole with a size limit, replaces them atomically and durably, makes directories, and
 * resolves paths that stay beneath a directory. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

/* Opens /dev/null as each of the descriptors 0, 1 and 2 that the process was started without: otherwise a
 * file opened later gets such a number, and what the process prints is written into that file. Every main
 * calls this first and exits if it fails (no descriptor exists to report the failure on). Returns 0 or a
 * negative errno. */
int fill_standard_descriptors(void);

/* Raises the soft limit of open descriptors to 8192, or to the hard limit if that is lower: a server's
 * clients use some hundreds each, and no program of hostlet uses select(2). */
void allow_many_descriptors(void);

/* Reads a regular file of at most 'max' bytes, relative to 'dirfd' (or AT_FDCWD). *ret has a final NUL
 * after its *ret_size bytes (ret_size may be NULL); the caller frees it. Returns −EFBIG (refused) for a
 * larger file, −EINVAL (refused) for one that is not regular. Never blocks on a fifo and never follows a
 * symbolic link in the last component. */
int read_file_at(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size, struct error *e);

/* Does the same with an open file; messages name it 'path'. */
int read_open_file(int fd, const char *path, size_t max, char **ret, size_t *ret_size, struct error *e);

/* Does the same for a path below a directory that a tenant can write to: it is resolved like that of
 * open_beneath(), and a device, which can act when it is opened, is never opened. */
int read_file_beneath(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size, struct error *e);

/* Replaces dirfd/name atomically and durably: temporary file in the same directory (".NAME.XXXXXX.tmp"),
 * fsync, rename, fsync of the directory. uid/gid of −1 keep the process's. A failure before the rename
 * leaves the old file as it was. */
int replace_file_at(int dirfd, const char *name, const void *data, size_t size, mode_t mode, uid_t uid,
                    gid_t gid, struct error *e);

/* Replaces the file at a path, like replace_file_at(). */
int replace_file(const char *path, const void *data, size_t size, mode_t mode, struct error *e);

/* Returns −EFBIG (refused) if 'size' is larger than 'max', else 0. The writer of a file and its reader use
 * the same constant 'max', so that no file is written that its reader refuses. */
int file_fits(const char *path, size_t size, size_t max, struct error *e);
/* Calls file_fits() and then replace_file(). */
int replace_file_within(const char *path, size_t max, const void *data, size_t size, mode_t mode,
                        struct error *e);
/* Keeps an unreadable file as PATH.unreadable and replaces an older file of that name. It also keeps its
 * own name if the kernel allows a hard link, so that a kill before the caller replaces the file changes
 * nothing. */
int keep_aside(const char *path, struct error *e);

/* Opens a directory with O_DIRECTORY | O_CLOEXEC. Returns an fd or a negative errno. */
int open_dir_at(int dirfd, const char *path, struct error *e);

/* Calls openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV: for every path below a
 * directory that a tenant can write to. Returns an fd or a negative errno; the message names 'path'. */
int open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct error *e);

/* Makes an absolute, trusted path with its parents (mkdir -p), each new directory with 'mode'. */
int make_dirs(const char *path, mode_t mode, struct error *e);

/* Opens the directory 'below' (relative) of 'base' and makes the missing components: the last with 'mode',
 * those between with 0755. 'base' is trusted. A less trusted user may control the names below it, so each
 * component is opened through its parent's descriptor and a symbolic link is refused (−ENOTDIR). *ret_made
 * (may be NULL) states whether the last component was made. Returns an fd or a negative errno. */
int make_dir_below(const char *base, const char *below, mode_t mode, bool *ret_made, struct error *e);

/* Makes the directory like make_dir_below() and sets its owner (−1: unchanged) and mode through its
 * descriptor. Root makes a user's directory with it. */
int give_dir_below(const char *base, const char *below, uid_t uid, gid_t gid, mode_t mode, struct error *e);

/* Reports whether the file's mode lets all users read it; false if its status cannot be read. */
bool readable_by_all(const char *path);

/* Writes all 'size' bytes, across short writes and EINTR. Returns 0 or a negative errno. */
int write_all(int fd, const void *data, size_t size);
