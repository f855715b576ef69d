/* Implements request_file.h. */
#include "inagent/request_file.h"

#include <fcntl.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

int request_file_read(struct request_file *file, const struct watch *watch, struct watch_file *seen,
                      struct error *e)
{
    if (!watch_file_changed(watch, REQUEST_NAME, seen))
        return 0;
    _cleanup_free_ char *path = xasprintf("%s/" REQUEST_NAME, watch->path), *data = NULL;
    size_t size;
    int r = read_file_at(AT_FDCWD, path, REQUEST_SIZE_MAX, &data, &size, e);
    return r < 0 ? r : request_read(file, data, size, e);
}
