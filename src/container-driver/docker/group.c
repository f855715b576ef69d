/* Implements group.h. */
#include "container-driver/docker/group.h"

#include <sys/stat.h>
#include <unistd.h>

#include "container-driver/socket_group.h"
#include "lib/basic/log.h"

void docker_check_group(struct docker *d)
{
    const char *path = d->settings->docker_socket;
    struct stat st;
    gid_t groups[64];
    int n = getgroups(ARRAY_SIZE(groups), groups);
    gid_t gid;
    if (!d->settings->was_root || n < 0 || stat(path, &st) < 0 || !(st.st_mode & S_IWGRP) ||
        socket_group(path, &gid, NULL) < 0)
        return;
    bool ours = gid == getegid();
    for (int i = 0; i < n; i++)
        ours |= groups[i] == gid;
    if (ours)
        return;
    log_warning("'%s' belongs to group %u, which this process does not have: container-driver exits, and its "
                "restart gets the group",
                path, gid);
    sd_event_exit(d->event, EXIT_FAILED);
}
