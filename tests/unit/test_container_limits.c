/* Tests the form of limits in Docker's updates and inspections, and the usage in its statistics. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "container-driver/docker/inspect.h"
#include "container-driver/docker/limits.h"
#include "container-driver/reading.h"
#include "container-driver/runtime.h"

#define MIB INT64_C(1048576)

static void an_update_has_only_what_differs(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int64_t cpu, memory, pids;          /* of the container */
        int64_t to_cpu, to_memory, to_pids; /* desired */
        bool quota;
    } rows[] = {
        {"{}", 500, MIB, 100, 500, MIB, 100, false},
        {"{\"NanoCpus\":750000000}", 500, MIB, 100, 750, MIB, 100, false},
        {"{\"NanoCpus\":750000000}", 0, 0, 0, 750, 0, 0, false},
        /* MemorySwap follows: Docker refuses a limit of memory above it. */
        {"{\"Memory\":2097152,\"MemorySwap\":2097152}", 500, MIB, 100, 500, 2 * MIB, 100, false},
        {"{\"PidsLimit\":50}", 500, MIB, 100, 500, MIB, 50, false},
        /* Docker ignores 0. */
        {"{\"NanoCpus\":4000000000}", 500, MIB, 100, 0, MIB, 100, false},
        {"{\"Memory\":1152921504606846976,\"MemorySwap\":2305843009213693952}", 500, MIB, 100, 500, 0, 100,
         false},
        {"{\"PidsLimit\":-1}", 500, MIB, 100, 500, MIB, 0, false},
        {"{\"CpuPeriod\":100000,\"CpuQuota\":75000}", 500, MIB, 100, 750, MIB, 100, true},
        {"{\"CpuPeriod\":100000,\"CpuQuota\":-1}", 500, MIB, 100, 0, MIB, 100, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct driver_container c = {
            .cpu_limit = rows[i].cpu, .memory_limit = rows[i].memory, .pids_limit = rows[i].pids};
        const struct driver_limits_in in = {
            .cpu_limit = rows[i].to_cpu, .memory_limit = rows[i].to_memory, .pids_limit = rows[i].to_pids};
        _cleanup_json_ json_t *body = docker_limits_body(&c, &in, 4, rows[i].quota);
        _cleanup_free_ char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(text, rows[i].body);
    }
}

static void limits_of_an_inspection_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int64_t cpu, memory, pids;
        bool lost;
    } rows[] = {
        {"{}", 0, 0, 0, false},
        {"{\"NanoCpus\":500000000,\"Memory\":1048576,\"PidsLimit\":100}", 500, MIB, 100, false},
        {"{\"PidsLimit\":null}", 0, 0, 0, false},
        {"{\"PidsLimit\":-1}", 0, 0, 0, false},
        {"{\"Memory\":1152921504606846976}", 0, 0, 0, false}, /* a limit that an update removed */
        {"{\"CpuQuota\":20000,\"CpuPeriod\":50000}", 400, 0, 0, false},
        {"{\"CpuQuota\":20000}", 200, 0, 0, false},
        {"{\"CpuQuota\":-1,\"CpuPeriod\":100000}", 0, 0, 0, false},
        {"{\"NanoCpus\":500000000,\"CpuQuota\":-1}", 0, 0, 0, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error e = ERROR_INIT;
        _cleanup_json_ json_t *answer =
            json_pack("{s:s, s:s, s:{s:s}, s:o}", "Id", "abc", "Name", "/i8k_web_0", "State", "Status",
                      "running", "HostConfig", json_loads(rows[i].host, 0, NULL));
        _cleanup_driver_container_ struct driver_container *c = NULL;
        if (docker_read_container(answer, "tree", false, &c, &e) < 0)
            fail_msg("%s: %s", rows[i].host, e.message);
        if (c->cpu_limit != rows[i].cpu || c->memory_limit != rows[i].memory ||
            c->pids_limit != rows[i].pids || c->cpu_limit_lost != rows[i].lost)
            fail_msg("%s: %lld %lld %lld%s", rows[i].host, (long long)c->cpu_limit,
                     (long long)c->memory_limit, (long long)c->pids_limit, c->cpu_limit_lost ? " lost" : "");
    }
}

static void usage_is_read_without_the_file_cache(void **state)
{
    (void)state;
    static const struct {
        const char *stats;
        int64_t memory, pids;
        int r;
    } rows[] = {
        {"{\"memory_stats\": {\"usage\": 1000, \"stats\": {\"total_inactive_file\": 300, "
         "\"total_active_file\": 200, \"inactive_file\": 1}}, \"pids_stats\": {\"current\": 7}}",
         500, 7, 0}, /* cgroup v1 */
        {"{\"memory_stats\": {\"usage\": 1000, \"stats\": {\"inactive_file\": 300, \"active_file\": 0}}, "
         "\"pids_stats\": {\"current\": 7, \"limit\": 18446744073709551615}}",
         700, 7, 0}, /* cgroup v2 */
        {"{\"memory_stats\": {\"usage\": 100, \"stats\": {\"inactive_file\": 300}}}", 0, 0, 0},
        {"{\"memory_stats\": {}, \"pids_stats\": {}}", 0, 0, 0}, /* it does not run */
        {"{\"memory_stats\": {\"usage\": \"much\"}}", 0, 0, -EPROTO},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error e = ERROR_INIT;
        struct driver_usage_out usage = {.memory = 0};
        _cleanup_json_ json_t *answer = NULL;
        assert_int_equal(parse_answer("it", rows[i].stats, strlen(rows[i].stats), &answer, &e), 0);
        int r = docker_read_usage(answer, &usage, &e);
        if (r != rows[i].r || usage.memory != rows[i].memory || usage.pids != rows[i].pids)
            fail_msg("row %zu: %d %lld %lld", i, r, (long long)usage.memory, (long long)usage.pids);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_update_has_only_what_differs),
                                       cmocka_unit_test(limits_of_an_inspection_are_read),
                                       cmocka_unit_test(usage_is_read_without_the_file_cache)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
