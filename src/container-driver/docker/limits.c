/* Implements limits.h. */
#include "container-driver/docker/limits.h"

#include "container-driver/reading.h"

#define PERIOD 100000 /* microseconds; the one that Docker uses for NanoCpus */

static void set_cpu(json_t *body, int64_t millicores, int64_t cpus, bool quota)
{
    if (!quota) {
        json_object_set_new(body, "NanoCpus", json_integer((millicores ?: cpus * 1000) * 1000000));
        return;
    }
    json_object_set_new(body, "CpuPeriod", json_integer(PERIOD));
    json_object_set_new(body, "CpuQuota", json_integer(millicores ? millicores * PERIOD / 1000 : -1));
}

/* MemorySwap is the sum of memory and swap: with a limit the container has no swap, as after its creation. */
static void set_memory(json_t *body, int64_t bytes)
{
    json_object_set_new(body, "Memory", json_integer(bytes ?: DOCKER_NO_MEMORY));
    json_object_set_new(body, "MemorySwap", json_integer(bytes ?: 2 * DOCKER_NO_MEMORY));
}

json_t *docker_limits_body(const struct driver_container *c, const struct driver_limits_in *in, int64_t cpus,
                           bool quota)
{
    json_t *body = json_object();
    if (c->cpu_limit != in->cpu_limit)
        set_cpu(body, in->cpu_limit, cpus, quota);
    if (c->memory_limit != in->memory_limit)
        set_memory(body, in->memory_limit);
    if (c->pids_limit != in->pids_limit)
        json_object_set_new(body, "PidsLimit", json_integer(in->pids_limit ?: -1));
    return body;
}

/* Reads a counter of memory. On cgroup v1 the sum over the container's own groups has the prefix "total_". */
static int64_t counter(struct reading *r, json_t *answer, const char *name)
{
    _cleanup_free_ char *plain = xasprintf("memory_stats/stats/%s", name),
                        *total = xasprintf("memory_stats/stats/total_%s", name);
    return read_integer(r, answer, total) ?: read_integer(r, answer, plain);
}

int docker_read_usage(json_t *answer, struct driver_usage_out *ret, struct error *e)
{
    struct reading r = {.what = "Docker's statistics of a container", .error = e};
    int64_t memory = read_integer(&r, answer, "memory_stats/usage");
    /* The kernel reclaims the cache of files; memory of tmpfs is not part of it. */
    memory -= counter(&r, answer, "inactive_file") + counter(&r, answer, "active_file");
    int64_t pids = read_integer(&r, answer, "pids_stats/current");
    if (r.r < 0)
        return r.r;
    *ret = (struct driver_usage_out){.memory = memory > 0 ? memory : 0, .pids = pids > 0 ? pids : 0};
    return 0;
}
