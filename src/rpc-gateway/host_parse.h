/* What the files of proc(5) say of the machine. Pure: text in, numbers out; what is missing stays zero. */
#pragma once

#include <sys/types.h>

#include "lib/basic/util.h"

/* What only ever grows, until a device goes or the machine starts again. */
struct host_counters {
    int64_t cpu_user, cpu_sys; /* milliseconds of all processors together */
    int64_t net_recv_bytes, net_recv_count, net_sent_bytes, net_sent_count;
    int64_t disk_read_bytes, disk_read_count, disk_write_bytes, disk_write_count;
};

struct host_memory {
    int64_t total, available; /* bytes */
};

/* Whether a device is one of those that are counted. */
typedef bool (*host_device_fn)(const char *name, void *userdata);

/* /proc/stat; 'ticks' a second. */
void host_parse_stat(const char *text, long ticks, struct host_counters *c);
/* /proc/net/dev: the sum of the devices that count. */
void host_parse_net_dev(const char *text, host_device_fn counts, void *userdata, struct host_counters *c);
/* /proc/diskstats: the device 'dev' where the kernel counts it, else (an anonymous one: btrfs, overlayfs,
 * tmpfs) the sum of the disks that count. */
void host_parse_diskstats(const char *text, dev_t dev, host_device_fn counts, void *userdata,
                          struct host_counters *c);
/* /proc/meminfo. */
void host_parse_meminfo(const char *text, struct host_memory *ret);
/* /proc/cpuinfo: the model, printable ASCII alone, as the first processor says it ("" where it does not), and
 * how many there are. */
void host_parse_cpuinfo(const char *text, char *model, size_t size, int *ret_cores);
/* /proc/net/route: the device of the default route with the lowest metric; false: there is none. */
bool host_parse_route(const char *text, char *device, size_t size);
