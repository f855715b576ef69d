/* Implements host_parse.h. */
#include "rpc-gateway/host_parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#define SECTOR 512 /* bytes, the unit of /proc/diskstats, whatever the disk's sector size is */

/* Returns the start of the next line, or NULL. */
static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end && end[1] ? end + 1 : NULL;
}

void host_parse_stat(const char *text, long ticks, struct host_counters *c)
{
    uint64_t user, nice, system, idle, wait, irq, softirq;
    for (const char *line = text; line; line = next_line(line))
        if (after_prefix(line, "cpu ") &&
            sscanf(line,
                   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
                   &user, &nice, &system, &idle, &wait, &irq, &softirq) == 7) {
            c->cpu_user = (int64_t)((user + nice) * 1000 / (uint64_t)ticks);
            c->cpu_sys = (int64_t)((system + irq + softirq) * 1000 / (uint64_t)ticks);
            return;
        }
}

void host_parse_net_dev(const char *text, host_device_fn counts, void *userdata, struct host_counters *c)
{
    for (const char *line = text; line; line = next_line(line)) {
        char name[32];
        int64_t in, in_count, out, out_count;
        if (sscanf(line, " %31[^: \n]: %" SCNd64 " %" SCNd64 " %*s %*s %*s %*s %*s %*s %" SCNd64 " %" SCNd64,
                   name, &in, &in_count, &out, &out_count) != 5 ||
            !counts(name, userdata))
            continue;
        c->net_recv_bytes += in;
        c->net_recv_count += in_count;
        c->net_sent_bytes += out;
        c->net_sent_count += out_count;
    }
}

static void add_disk(struct host_counters *c, int64_t reads, int64_t read, int64_t writes, int64_t written)
{
    c->disk_read_count += reads;
    c->disk_read_bytes += read * SECTOR;
    c->disk_write_count += writes;
    c->disk_write_bytes += written * SECTOR;
}

void host_parse_diskstats(const char *text, dev_t dev, host_device_fn counts, void *userdata,
                          struct host_counters *c)
{
    struct host_counters sum = {0};
    for (const char *line = text; line; line = next_line(line)) {
        char name[64];
        unsigned major_number, minor_number;
        int64_t reads, read, writes, written;
        if (sscanf(line, " %u %u %63s %" SCNd64 " %*s %" SCNd64 " %*s %" SCNd64 " %*s %" SCNd64,
                   &major_number, &minor_number, name, &reads, &read, &writes, &written) != 7)
            continue;
        if (major_number == major(dev) && minor_number == minor(dev)) {
            add_disk(c, reads, read, writes, written);
            return;
        }
        if (counts(name, userdata))
            add_disk(&sum, reads, read, writes, written);
    }
    c->disk_read_count += sum.disk_read_count;
    c->disk_read_bytes += sum.disk_read_bytes;
    c->disk_write_count += sum.disk_write_count;
    c->disk_write_bytes += sum.disk_write_bytes;
}

void host_parse_meminfo(const char *text, struct host_memory *ret)
{
    *ret = (struct host_memory){0};
    for (const char *line = text; line; line = next_line(line)) {
        int64_t kib;
        if (sscanf(line, "MemTotal: %" SCNd64 " kB", &kib) == 1)
            ret->total = kib * 1024;
        else if (sscanf(line, "MemAvailable: %" SCNd64 " kB", &kib) == 1)
            ret->available = kib * 1024;
    }
}

/* Copies the value of a line "KEY : VALUE" into 'model', if the line begins with 'key'. Returns whether it
 * has a value. */
static bool take_value(const char *line, const char *key, char *model, size_t size)
{
    const char *value = after_prefix(line, key);
    value = value ? value + strspn(value, " \t") : NULL;
    if (!value || *value != ':')
        return false;
    value += 1 + strspn(value + 1, " \t");
    size_t n = 0;
    for (; *value && *value != '\n' && n + 1 < size; value++)
        if (*value >= ' ' && *value <= '~')
            model[n++] = *value;
    while (n > 0 && model[n - 1] == ' ')
        n--;
    model[n] = '\0';
    return n > 0;
}

void host_parse_cpuinfo(const char *text, char *model, size_t size, int *ret_cores)
{
    char ignored[2];
    bool named = false;
    int cores = 0;
    *model = '\0';
    for (const char *line = text; line; line = next_line(line)) {
        cores += take_value(line, "processor", ignored, sizeof ignored);
        /* x86; some arm64 boards have "Model". */
        named =
            named || take_value(line, "model name", model, size) || take_value(line, "Model", model, size);
    }
    *ret_cores = cores;
}

bool host_parse_route(const char *text, char *device, size_t size)
{
    unsigned best = 0;
    bool found = false;
    for (const char *line = text; line; line = next_line(line)) {
        char name[32];
        unsigned destination, gateway, flags, metric, mask;
        if (sscanf(line, "%31s %x %x %x %*s %*s %u %x", name, &destination, &gateway, &flags, &metric,
                   &mask) != 6 ||
            destination != 0 || mask != 0 || !(flags & 1) || (found && metric >= best))
            continue;
        best = metric;
        found = true;
        (void)snprintf(device, size, "%s", name);
    }
    return found;
}
