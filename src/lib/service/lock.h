/* The lock of a worker on what it alone writes. */
#pragma once

#include "lib/basic/error.h"

/* Takes the lock 'path' (lib/basic/lock.h): a descriptor. One that is held is waited for, since the last life
 * of this worker may be on its way out still: for 5 s, after saying who holds it; then ERROR_RETRY, so that
 * the supervisor tries again. */
int service_lock(const char *path, struct error *e);
