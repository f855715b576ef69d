/* Implements early_sync.h. */
#include "unpacker/early_sync.h"

#include <errno.h>
#include <unistd.h>

static void *early_sync_main(void *userdata)
{
    struct early_sync *s = userdata;
    s->result = syncfs(s->fd) < 0 ? -errno : 0;
    return NULL;
}

void early_sync_start(struct early_sync *s, int fd)
{
    if (s->started)
        return;
    s->fd = fd;
    s->started = pthread_create(&s->thread, NULL, early_sync_main, s) == 0;
}

int early_sync_finish(struct early_sync *s)
{
    if (!s->started)
        return 0;
    pthread_join(s->thread, NULL);
    s->started = false;
    return s->result;
}
