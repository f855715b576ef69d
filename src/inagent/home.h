/* What the container's files need before an application can run: user and group, owners, directories. */
#pragma once

/* As root: adds 'action' to /etc/passwd and /etc/group, gives it 'home' and /opt, and makes the directories
 * that the contract promises below 'home'. What this container does not allow (a read-only /etc, no
 * CAP_CHOWN) is said and gone without: applications run under the numbers. Needs no tool of the image. */
void home_prepare(const char *home);
