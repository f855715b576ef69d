/* Implements lxcfs.h. */
#include "container-driver/lxcfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/basic/cleanup.h"

const char *const lxcfs_targets[] = {
    "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo",           "/proc/stat", "/proc/swaps",
    "/proc/uptime",  "/proc/slabinfo",  "/sys/devices/system/cpu", NULL,
};

/* Reports whether a file system is mounted at 'path'. While lxcfs does not run, 'path' is an ordinary
 * directory. */
static bool is_mount_point(const char *path)
{
    _cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    while (f && getline(&line, &size, f) > 0) {
        char *save = NULL, *word = strtok_r(line, " ", &save);
        for (int i = 0; word && i < 4; i++)
            word = strtok_r(NULL, " ",
                            &save); /* skips id, parent, device and root; then the mount point follows */
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
    /* stat() fails when the process that serves the mount has exited. */
    _cleanup_free_ char *file = xasprintf("%s/proc/meminfo", settings->lxcfs_path);
    return stat(file, &st) == 0;
}
