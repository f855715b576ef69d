/* Implements lock.h. */
#include "lib/service/lock.h"

#include <errno.h>

#include "lib/basic/lock.h"
#include "lib/basic/log.h"

#define WAIT (5 * USEC_PER_SEC)

int service_lock(const char *path, struct error *e)
{
    struct error held = ERROR_INIT;
    int fd = lock_file(path, 0, &held);
    if (fd == -EAGAIN) {
        log_notice("%s: waiting for it", held.message);
        return lock_file(path, WAIT, e);
    }
    if (fd < 0 && e)
        *e = held;
    return fd;
}
