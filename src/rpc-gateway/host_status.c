/* Implements host_status.h. */
#include "rpc-gateway/host_status.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"
#include "lib/basic/fs.h"

#define PROC_FILE_MAX ((size_t)4 << 20)

/* Returns the file's text, "" if it cannot be read. The caller frees it. */
static char *read_proc(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    return read_file_at(AT_FDCWD, path, PROC_FILE_MAX, &text, &size, NULL) < 0 ? xstrdup("") : text;
}

static bool has_hardware(const char *class, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/sys/%s/%s/device", class, name);
    return access(path, F_OK) == 0;
}

/* Reports whether a network device is hardware. */
static bool host_device_is_hardware(const char *name)
{
    return has_hardware("class/net", name);
}

static bool net_counts(const char *name, void *userdata)
{
    const struct host *host = userdata;
    return streq(name, host->device) || host_device_is_hardware(name);
}

static bool disk_counts(const char *name, void *userdata)
{
    (void)userdata;
    return has_hardware("block", name);
}

/* Finds the device of the app path, or of its nearest existing parent. */
static void find_disk(const char *path, struct stat *ret_st, struct statvfs *ret_fs)
{
    _cleanup_free_ char *at = xstrdup(path);
    while (stat(at, ret_st) < 0 || statvfs(at, ret_fs) < 0) {
        char *slash = strrchr(at, '/');
        *ret_st = (struct stat){0};
        *ret_fs = (struct statvfs){0};
        if (!slash || streq(at, "/"))
            return;
        slash[slash == at] = '\0';
    }
}

static void read_counters(struct host *host, dev_t dev, struct host_counters *ret)
{
    _cleanup_free_ char *cpu = read_proc("/proc/stat"), *net = read_proc("/proc/net/dev"),
                        *disks = read_proc("/proc/diskstats");
    *ret = (struct host_counters){0};
    host_parse_stat(cpu, sysconf(_SC_CLK_TCK), ret);
    host_parse_net_dev(net, net_counts, host, ret);
    host_parse_diskstats(disks, dev, disk_counts, NULL, ret);
}

void host_status_read(struct host *host, struct host_status *ret)
{
    struct host_counters now;
    struct host_memory memory;
    struct stat st;
    struct statvfs fs;
    find_disk(host->app_path, &st, &fs);
    read_counters(host, st.st_dev, &now);
    _cleanup_free_ char *text = read_proc("/proc/meminfo");
    host_parse_meminfo(text, &memory);
    *ret = (struct host_status){
        .uptime = boottime_to_unix(host->started_usec),
        .updated = now_realtime_msec() / 1000,
        .cpu_cores = host->cpu_cores,
        .mem_total = memory.total,
        .mem_used = memory.total - memory.available,
        .mem_available = memory.available,
        .disk_total_bytes = (int64_t)(fs.f_blocks * fs.f_frsize),
        .disk_free_bytes = (int64_t)(fs.f_bavail * fs.f_frsize),
    };
    memcpy(ret->cpu_model, host->cpu_model, sizeof ret->cpu_model);
    ret->totals = now;
    host_window_add(&host->window, now_monotonic_usec(), &now, &ret->last_minute);
}

struct host *host_new(const char *app_path, uint64_t started_usec)
{
    struct host *host = xcalloc(1, sizeof *host);
    struct utsname name;
    _cleanup_free_ char *text = read_proc("/proc/cpuinfo");
    host->app_path = xstrdup(app_path);
    host->started_usec = started_usec;
    host_parse_cpuinfo(text, host->cpu_model, sizeof host->cpu_model, &host->cpu_cores);
    if (!*host->cpu_model && uname(&name) == 0)
        (void)snprintf(host->cpu_model, sizeof host->cpu_model, "%s", name.machine);
    if (host->cpu_cores == 0)
        host->cpu_cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return host;
}

void host_free(struct host *host)
{
    if (!host)
        return;
    free(host->app_path);
    free(host);
}
