/* Locks between processes: a lock is a file that only its owner can open, locked while a descriptor of it
 * is open.
 *
 * A process that can open a file or a directory can hold its flock(2) lock forever, even without write
 * permission. So a lock is a file of mode 0600, in a directory where no other user can create one, and
 * never a directory. */
#pragma once

#include <stdbool.h>

#include "lib/basic/error.h"

/* Acquires the lock 'path' and returns a descriptor, which holds the lock until it is closed. Waits up to
 * 'wait_usec' for another process and checks every 10 ms; then fails with ERROR_RETRY (−EAGAIN), and the
 * message names the process that holds the lock. If the mode let other users open the file, a new file
 * replaces it, since they may still have it open. Another user's file, or one that is not regular, fails
 * with −EPERM, and the message names what to remove. */
int lock_file(const char *path, uint64_t wait_usec, struct error *e);

/* Reports whether a process holds the lock 'path'. It does not take the lock, not even for a moment. */
bool lock_is_held(const char *path);
