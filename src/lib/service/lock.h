/* Locks the files of a worker, so that two processes never write them at the same time. */
#pragma once

#include "lib/basic/error.h"

/* Locks the file 'path' (lib/basic/lock.h) and returns its descriptor. If another process holds the lock,
 * which may be the previous process of this worker that has not exited yet, the function logs the holder and
 * waits for up to 5 s. It then returns an error of class ERROR_RETRY, so that the worker exits and the
 * supervisor starts it again. */
int service_lock(const char *path, struct error *e);
