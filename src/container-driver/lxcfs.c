/* lxcfs; see lxcfs.h. */
#include "container-driver/lxcfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/basic/cleanup.h"

const char *const lxcfs_targets[] = {
    "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo",           "/proc/stat", "/proc/swaps",
    "/proc/uptime",  "/proc/slabinfo",  "/sys/devices/system/cpu", NULL,
};

/* A directory that is only a directory has the name too, while lxcfs does not run. */
static bool is_mount_point(const char *path)
{
    _cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    while (f && getline(&line, &size, f) > 0) {
        char *save = NULL, *word = strtok_r(line, " ", &save);
        for (int i = 0; word && i < 4; i++)
            word = strtok_r(NULL, " ", &save); /* id, parent, device, root; then the mount point */
        if (word && streq(word, path))
            return true;
    }
    return false;
}

bool lxcfs_available(const struct settings *settings)
{
    struct stat st;
    if (!settings->lxcfs || !is_mount_point(settings->lxcfs_path))
        return false;
    /* A mount whose program died answers with an error. */
    _cleanup_free_ char *file = xasprintf("%s/proc/meminfo", settings->lxcfs_path);
    return stat(file, &st) == 0;
}
