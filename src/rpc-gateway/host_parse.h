/* Parses files of proc(5) that describe the machine. Each function takes the file's text; values that are
 * missing stay zero. */
#pragma once

#include <sys/types.h>

#include "lib/basic/util.h"

/* Counters, which only grow until a device is removed or the machine restarts. */
struct host_counters {
    int64_t cpu_user, cpu_sys; /* milliseconds, sum of all processors */
    int64_t net_recv_bytes, net_recv_count, net_sent_bytes, net_sent_count;
    int64_t disk_read_bytes, disk_read_count, disk_write_bytes, disk_write_count;
};

struct host_memory {
    int64_t total, available; /* bytes */
};

/* Reports whether a device is counted. */
typedef bool (*host_device_fn)(const char *name, void *userdata);

/* Parses /proc/stat; 'ticks' per second. */
void host_parse_stat(const char *text, long ticks, struct host_counters *c);
/* Adds up the counted devices of /proc/net/dev. */
void host_parse_net_dev(const char *text, host_device_fn counts, void *userdata, struct host_counters *c);
/* Parses /proc/diskstats: the device 'dev' if it is listed, else (for an anonymous device, as of btrfs,
 * overlayfs and tmpfs) the sum of the counted disks. */
void host_parse_diskstats(const char *text, dev_t dev, host_device_fn counts, void *userdata,
                          struct host_counters *c);
/* Parses /proc/meminfo. */
void host_parse_meminfo(const char *text, struct host_memory *ret);
/* Parses /proc/cpuinfo: the model of the first processor that states one, printable ASCII only ("": none),
 * and the number of processors. */
void host_parse_cpuinfo(const char *text, char *model, size_t size, int *ret_cores);
/* Finds the device of the default route with the lowest metric in /proc/net/route; returns false if there
 * is none. */
bool host_parse_route(const char *text, char *device, size_t size);
