/* Locks between processes: a file that its owner alone can open, for as long as a descriptor of it is open.
 *
 * Whoever can open a file or a directory can hold its lock for ever, by flock(2), also without the right to
 * write it: hence a file of mode 0600, in a directory where nobody else can make one, and never a directory.
 */
#pragma once

#include "lib/basic/error.h"

/* Takes the lock 'path': a descriptor, which holds it until it is closed. Waits 'wait_usec' for another
 * process, looking every 10 ms; then ERROR_RETRY (−EAGAIN), and the message names the process that holds it.
 * A file that others could open is replaced by a new one, since they may have it open still; another user's,
 * or what is no regular file, is refused (−EPERM), and the message says what to remove. */
int lock_file(const char *path, uint64_t wait_usec, struct error *e);
