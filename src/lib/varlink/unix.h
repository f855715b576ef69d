/* Connects to Unix sockets in the file system, makes them, and determines which users may connect. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

/* Connects to a socket with a path of any length. Returns a non-blocking descriptor, −EAGAIN when the backlog
 * is full, −ENOENT or −ECONNREFUSED (service down) when no process listens, or another negative errno. */
int unix_connect(const char *path, struct error *e);
/* Identifies the file of a bound socket, as long as the socket is open. */
struct unix_file {
    dev_t device;
    ino_t inode;
};

/* Makes a listening socket with a path of any length, a mode and a group (−1: the process's), in place of an
 * existing file. *ret_file (may be NULL) identifies its file. Returns a descriptor or a negative errno. */
int unix_listen(const char *path, mode_t mode, gid_t gid, struct unix_file *ret_file, struct error *e);
/* Reports whether the path still leads to the file. Otherwise no caller reaches the socket by this path. */
bool unix_is_at(const struct unix_file *file, const char *path);

/* Replaces the access list of a socket, so that only its owner and these users can open it. In a file system
 * without access lists, the members of 'group' can open it instead (when 'n_users' is 0, only the owner can);
 * then *ret_by_group is true when 'n_users' is not 0, and the server must check the users. Returns 0, 1 when
 * it changed something, or a negative errno. */
int unix_admit(const char *path, const uid_t *users, size_t n_users, gid_t group, bool *ret_by_group,
               struct error *e);

/* Sets owner (the process's), group (−1: any) and mode (−1: any) where they differ. Returns 0, 1 when it
 * changed one, or a negative errno. */
int unix_set_rights(const char *path, gid_t group, mode_t mode, struct error *e);

/* The byte that a descriptor is sent with: which of a service's sockets it is. */
enum { UNIX_FD_VARLINK, UNIX_FD_PUBLIC };

/* Sends a copy of a descriptor through a connected SOCK_SEQPACKET socket, with a byte that says which one it
 * is. Returns 0 or a negative errno. */
int unix_send_fd(int through, int fd, char which);
/* Receives one. Returns a descriptor with close-on-exec; −EAGAIN when there is none yet, −EPIPE when the
 * other end is closed, −EBADMSG for a message without one, which also is the result of a lack of descriptors.
 */
int unix_receive_fd(int through, char *ret_which);
