/* The machine's lock: held while project ids are given out, so that two trees never share one.
 *
 * Its file lies where root alone can make one, and root alone can open it: whoever can open a file can hold its lock for ever, by
 * flock(2), also without the right to write it. */
#pragma once

#include "lib/basic/error.h"

/* Takes the lock, for as long as the descriptor returned is open. Waits 'wait_usec' for another process; then ERROR_RETRY (EAGAIN), and
 * the message names the process that holds it. A file that others can open is closed to them; another user's, or what is no regular
 * file, is refused (EPERM), and the message says what to remove. */
int machine_lock(const char *path, uint64_t wait_usec, struct error *e);
