/* Prepares the container's files for the application: user and group, owners, directories. */
#pragma once

/* As root: adds 'action' to /etc/passwd and /etc/group, gives it 'home' and /opt, and makes the
 * directories below 'home' that the contract defines. A step that this container does not allow (a
 * read-only /etc, no CAP_CHOWN) is logged and skipped: applications then run under the numeric ids. Needs
 * no tool of the image. */
void home_prepare(const char *home);

/* Opens the directory 'path' below 'home', and makes each missing component and gives it to the user. The
 * application can control the names: a symbolic link is refused (ENOTDIR). Returns a descriptor, or −1 with
 * errno. */
int home_directory(const char *home, const char *path);
