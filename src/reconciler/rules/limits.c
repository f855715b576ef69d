/* Implements limits.h. */
#include "reconciler/rules/limits.h"

#include "lib/basic/cleanup.h"

struct record_limits limits_of_container(const struct driver_container *c)
{
    return (struct record_limits){c->cpu_limit, c->memory_limit, c->pids_limit};
}

struct record_limits limits_desired(const struct driver_container *c, const struct record_revision *revision,
                                    int64_t cpus)
{
    struct record_limits limits = record_limits_of(revision->manifest);
    if (limits.cpu_limit == 0 && (cpus <= 0 || c->cpu_limit == cpus * 1000))
        limits.cpu_limit = c->cpu_limit;
    if (c->cpu_limit_lost)
        limits.cpu_limit = c->cpu_limit;
    if (c->adopted && c->pids_limit == 0)
        limits.pids_limit = 0;
    return limits;
}

bool limits_equal(const struct record_limits *a, const struct record_limits *b)
{
    return a->cpu_limit == b->cpu_limit && a->memory_limit == b->memory_limit &&
           a->pids_limit == b->pids_limit;
}

char *limits_text(const struct record_limits *limits)
{
    _cleanup_free_ char *cpu = limits->cpu_limit ? xasprintf("%.3g CPU", (double)limits->cpu_limit / 1000)
                                                 : xstrdup("any CPU"),
                        *memory =
                            limits->memory_limit ? format_size(limits->memory_limit) : xstrdup("unlimited"),
                        *pids = limits->pids_limit ? xasprintf("%lld", (long long)limits->pids_limit)
                                                   : xstrdup("any number of");
    return xasprintf("%s, memory %s, %s processes", cpu, memory, pids);
}
