/* Tests the machine's figures: the texts of /proc, the window of 60 seconds, the choice of the machine's
 * address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"
#include "rpc-gateway/host_address.h"
#include "rpc-gateway/host_status.h"

/* --- texts of /proc --- */

static bool begins_with_e_or_v(const char *name, void *userdata)
{
    (void)userdata;
    return *name == 'e' || *name == 'v';
}

static void test_processor_times_are_read_in_milliseconds(void **state)
{
    (void)state;
    struct host_counters c = {0};
    host_parse_stat(
        "cpu  1000 20 300 99999 5000 40 6 70 800 9\ncpu0 1000 20 300 99999 5000 40 6 70 800 9\nintr 1\n", 100,
        &c);
    assert_int_equal(c.cpu_user, 10200);
    assert_int_equal(c.cpu_sys, 3460);
    c = (struct host_counters){0};
    host_parse_stat("cpu0 1 2 3 4 5 6 7\n", 100, &c);
    host_parse_stat("", 100, &c);
    host_parse_stat("cpu  1 2 3", 100, &c);
    assert_int_equal(c.cpu_user + c.cpu_sys, 0);
}

static const char net_dev[] = "Inter-|   Receive                                                |  Transmit\n"
                              " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
                              "packets errs drop fifo colls carrier compressed\n"
                              "    lo: 7000000   70000    0    0    0     0          0         0  7000000   "
                              "70000    0    0    0     0       0          0\n"
                              "  eth0: 5000000000    1234    1    2    3     4          5         6  6000    "
                              "77    0    0    0     0       0          0\n"
                              "docker0: 999 9 0 0 0 0 0 0 999 9 0 0 0 0 0 0\n"
                              "enp1s0:1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n";

static void test_only_counted_devices_are_added_up(void **state)
{
    (void)state;
    struct host_counters c = {0};
    host_parse_net_dev(net_dev, begins_with_e_or_v, NULL, &c);
    assert_int_equal(c.net_recv_bytes, 5000000001);
    assert_int_equal(c.net_recv_count, 1236);
    assert_int_equal(c.net_sent_bytes, 6003);
    assert_int_equal(c.net_sent_count, 81);
}

static const char diskstats[] = "   7       0 loop0 11 0 22 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
                                " 254       0 vda 100 5 2000 60 200 6 4000 70 0 80 90 0 0 0 0 1 2\n"
                                " 254       1 vda1 90 5 1000 60 180 6 3000 70 0 80 90 0 0 0 0 1 2\n"
                                " 253       0 dm-0 1 1 1 1 1 1 1 1 0 1 1\n";

static void test_the_disk_of_the_app_path_is_counted(void **state)
{
    (void)state;
    struct host_counters c = {0};
    host_parse_diskstats(diskstats, makedev(254, 1), begins_with_e_or_v, NULL, &c);
    assert_int_equal(c.disk_read_count, 90);
    assert_int_equal(c.disk_read_bytes, 1000 * 512);
    assert_int_equal(c.disk_write_count, 180);
    assert_int_equal(c.disk_write_bytes, 3000 * 512);
    /* An anonymous device: the sum of the disks without their partitions; the test's function counts both
     * names with 'v'. */
    c = (struct host_counters){0};
    host_parse_diskstats(diskstats, makedev(0, 44), begins_with_e_or_v, NULL, &c);
    assert_int_equal(c.disk_read_count, 190);
}

static void test_memory_is_read_in_bytes(void **state)
{
    (void)state;
    struct host_memory m;
    host_parse_meminfo(
        "MemTotal:       16000 kB\nMemFree:  1000 kB\nMemAvailable:    9000 kB\nSwapTotal: 5 kB\n", &m);
    assert_int_equal(m.total, 16000 * 1024);
    assert_int_equal(m.available, 9000 * 1024);
    host_parse_meminfo("garbage", &m);
    assert_int_equal(m.total, 0);
}

static void test_model_and_number_of_processors_are_read(void **state)
{
    (void)state;
    char model[24];
    int cores;
    host_parse_cpuinfo(
        "processor\t: 0\nvendor_id\t: X\nmodel name\t: Fast CPU \xff\x01 3000 \nmodel\t\t: 7\n\n"
        "processor\t: 1\nmodel name\t: Other\n",
        model, sizeof model, &cores);
    assert_string_equal(model, "Fast CPU  3000");
    assert_int_equal(cores, 2);
    host_parse_cpuinfo("model name : a name that is far too long for its place\n", model, sizeof model,
                       &cores);
    assert_string_equal(model, "a name that is far too");
    assert_int_equal(cores, 0);
    host_parse_cpuinfo("processor\t: 0\nBogoMIPS\t: 50\nCPU part\t: 0xd08\n", model, sizeof model, &cores);
    assert_string_equal(model, "");
    assert_int_equal(cores, 1);
}

static void test_the_default_route_has_the_lowest_metric(void **state)
{
    (void)state;
    char device[32];
    assert_true(host_parse_route("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
                                 "eth9\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
                                 "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
                                 "down0\t00000000\t0101A8C0\t0002\t0\t0\t1\t00000000\t0\t0\t0\n"
                                 "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
                                 device, sizeof device));
    assert_string_equal(device, "eth0");
    assert_false(host_parse_route("Iface\tDestination\n", device, sizeof device));
}

/* --- the window --- */

static struct host_counters user(int64_t ms)
{
    return (struct host_counters){.cpu_user = ms};
}

static int64_t add(struct host_window *w, uint64_t seconds, int64_t ms)
{
    struct host_counters delta, now = user(ms);
    host_window_add(w, 1000 * USEC_PER_SEC + seconds * USEC_PER_SEC, &now, &delta);
    return delta.cpu_user;
}

static void test_the_window_is_exactly_a_minute(void **state)
{
    (void)state;
    struct host_window w = {.n = 0};
    /* 10 ms per second, sampled every 3 s; then 50 ms per second. */
    int64_t ms = 0;
    for (uint64_t t = 0; t <= 300; t += 3, ms += 30)
        assert_int_equal(add(&w, t, ms), t < 60 ? 10 * (int64_t)t : 600);
    ms += -30 + 3 * 50; /* at 303 s */
    for (uint64_t t = 303; t <= 360; t += 3, ms += 150)
        assert_int_equal(add(&w, t, ms), 10 * (360 - (int64_t)t) + 50 * ((int64_t)t - 300));
    /* The last sample before is at 360 s. The counter grew by 150 ms in the 140 s since then; 60 s of
     * these are in the window. */
    assert_int_equal(add(&w, 500, ms), 64);
}

static void test_the_window_is_interpolated_between_samples(void **state)
{
    (void)state;
    struct host_window w = {.n = 0};
    assert_int_equal(add(&w, 0, 5000), 0);
    assert_int_equal(add(&w, 40, 5400), 400);
    /* The window of the sample at 80 s starts half way between the first two samples. */
    assert_int_equal(add(&w, 80, 6000), 800);
    /* The window starts between distant samples: their mean growth is used. */
    assert_int_equal(add(&w, 680, 12000), 600);
}

static void test_a_counter_that_falls_gives_zero(void **state)
{
    (void)state;
    struct host_window w = {.n = 0};
    add(&w, 0, 5000);
    assert_int_equal(add(&w, 3, 100), 0);
    assert_int_equal(add(&w, 6, 200), 0);
    assert_int_equal(add(&w, 63, 300), 200);
}

static void test_many_samples_leave_the_sum_correct(void **state)
{
    (void)state;
    struct host_window w = {.n = 0};
    struct host_counters delta = {0};
    /* A hundred samples per second for two minutes: samples that are too close are not kept, and the sum
     * is correct all the same. */
    for (int64_t i = 0; i <= 12000; i++) {
        struct host_counters now = user(i);
        host_window_add(&w, 1000 * USEC_PER_SEC + (uint64_t)i * 10000, &now, &delta);
    }
    assert_int_equal(delta.cpu_user, 6000);
    assert_true(w.n <= 62);
}

/* --- the address --- */

static struct host_address at(const char *device, enum host_device_kind kind, bool route, const char *address)
{
    struct host_address a = {.kind = kind, .default_route = route};
    (void)snprintf(a.device, sizeof a.device, "%s", device);
    assert_int_equal(inet_pton(AF_INET, address, &a.address), 1);
    return a;
}

static void test_private_addresses_are_those_of_rfc_1918(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool private;
    } table[] = {{"10.0.0.1", true},    {"10.255.255.255", true}, {"11.0.0.1", false},
                 {"172.15.0.1", false}, {"172.16.0.1", true},     {"172.31.9.9", true},
                 {"172.32.0.1", false}, {"192.168.0.1", true},    {"192.169.0.1", false},
                 {"127.0.0.1", false},  {"169.254.1.1", false},   {"8.8.8.8", false},
                 {"100.64.0.1", false}};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct in_addr a;
        inet_pton(AF_INET, table[i].address, &a);
        assert_int_equal(host_address_is_private(a), table[i].private);
    }
}

static void test_an_address_of_hardware_is_preferred(void **state)
{
    (void)state;
    const struct host_address list[] = {
        at("docker0", HOST_DEVICE_VIRTUAL, false, "172.17.0.1"),
        at("tun0", HOST_DEVICE_VIRTUAL, true, "10.8.0.2"),
        at("eth2", HOST_DEVICE_HARDWARE, true, "203.0.113.9"),
        at("veth1", HOST_DEVICE_CONTAINER, false, "10.9.9.1"),
        at("eth0", HOST_DEVICE_CONTAINER, true, "10.3.0.4"),
        at("eth1", HOST_DEVICE_HARDWARE, false, "192.168.5.5"),
        at("eth3", HOST_DEVICE_HARDWARE, true, "10.0.0.3"),
        at("eth3", HOST_DEVICE_HARDWARE, true, "10.0.0.4"),
    };
    assert_int_equal(host_address_choose(list, 4), -1); /* docker0 is never chosen */
    assert_int_equal(host_address_choose(list, 5), 4);
    assert_int_equal(host_address_choose(list, 6), 5);
    assert_int_equal(host_address_choose(list, 8), 6);
    assert_int_equal(host_address_choose(NULL, 0), -1);
}

/* Makes a device as /sys shows it: a directory with one entry that only has to exist. */
static void make_device(const char *sys, const char *name, const char *also)
{
    _cleanup_free_ char *path = xasprintf("%s/class/net/%s/%s", sys, name, also ?: "");
    struct error e = ERROR_INIT;
    assert_int_equal(make_dirs(path, 0755, &e), 0);
}

static void test_hardware_is_told_from_virtual_devices(void **state)
{
    (void)state;
    static const struct {
        const char *name, *driver, *also;
        enum host_device_kind expected;
    } table[] = {
        {"eth0", "virtio_net", "device", HOST_DEVICE_HARDWARE},
        {"docker0", "bridge", "lower_veth1", HOST_DEVICE_VIRTUAL},
        {"veth1", "veth", NULL, HOST_DEVICE_CONTAINER},
        {"br0", "bridge", "lower_bond0.5", HOST_DEVICE_HARDWARE},
        {"bond0.5", "802.1Q VLAN Support", "lower_bond0", HOST_DEVICE_HARDWARE},
        {"bond0", "bonding", "lower_eth0", HOST_DEVICE_HARDWARE},
        {"mac0", "macvlan", "lower_eth0", HOST_DEVICE_HARDWARE},
        {"mac1", "macvlan", NULL, HOST_DEVICE_CONTAINER},
        {"invpc2_vxlan.10", "vxlan", "lower_eth0", HOST_DEVICE_VIRTUAL},
        {"tun0", "tun", NULL, HOST_DEVICE_VIRTUAL},
        {"wg0", "wireguard", NULL, HOST_DEVICE_VIRTUAL},
        {"sit0", "", NULL, HOST_DEVICE_VIRTUAL},
        {"circle", "bridge", "lower_circle", HOST_DEVICE_VIRTUAL},
    };
    char sys[] = "/tmp/test_gateway_host.XXXXXX";
    assert_non_null(mkdtemp(sys));
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        make_device(sys, table[i].name, table[i].also);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (host_device_kind(sys, table[i].name, table[i].driver) != table[i].expected)
            fail_msg("%s", table[i].name);
    assert_int_equal(host_device_kind(sys, "gone", ""), HOST_DEVICE_VIRTUAL);
    struct error e = ERROR_INIT;
    assert_int_equal(remove_tree_at(AT_FDCWD, sys, &e), 0);
}

/* --- this machine --- */

static void test_this_machine_has_figures(void **state)
{
    (void)state;
    struct host_status s;
    struct host *host = host_new("/var/lib/not-made-yet/apps", now_boottime_usec() - 100 * USEC_PER_SEC);
    host_status_read(host, &s);
    assert_in_range(s.updated - s.uptime, 99, 102);
    assert_true(s.updated > 1600000000 && s.cpu_cores >= 1 && *s.cpu_model);
    assert_true(s.mem_total > 0 && s.mem_available > 0 && s.mem_used == s.mem_total - s.mem_available);
    assert_true(s.disk_total_bytes > 0 && s.disk_free_bytes >= 0 && s.disk_free_bytes <= s.disk_total_bytes);
    assert_int_equal(s.last_minute.cpu_user, 0);
    /* The test's own processor time is counted. */
    uint64_t end = now_monotonic_usec() + USEC_PER_SEC;
    while (s.last_minute.cpu_user + s.last_minute.cpu_sys < 50 && now_monotonic_usec() < end)
        host_status_read(host, &s);
    assert_true(s.last_minute.cpu_user + s.last_minute.cpu_sys >= 50);
    host_free(host);
    host_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processor_times_are_read_in_milliseconds),
        cmocka_unit_test(test_only_counted_devices_are_added_up),
        cmocka_unit_test(test_the_disk_of_the_app_path_is_counted),
        cmocka_unit_test(test_memory_is_read_in_bytes),
        cmocka_unit_test(test_model_and_number_of_processors_are_read),
        cmocka_unit_test(test_the_default_route_has_the_lowest_metric),
        cmocka_unit_test(test_the_window_is_exactly_a_minute),
        cmocka_unit_test(test_the_window_is_interpolated_between_samples),
        cmocka_unit_test(test_a_counter_that_falls_gives_zero),
        cmocka_unit_test(test_many_samples_leave_the_sum_correct),
        cmocka_unit_test(test_private_addresses_are_those_of_rfc_1918),
        cmocka_unit_test(test_an_address_of_hardware_is_preferred),
        cmocka_unit_test(test_hardware_is_told_from_virtual_devices),
        cmocka_unit_test(test_this_machine_has_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
