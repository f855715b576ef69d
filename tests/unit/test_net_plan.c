/* Tests which changes follow from a network and the actual state: one row for each situation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "net-keeper/damp.h"
#include "net-keeper/plan.h"

/* The network of every row: this machine is 'a', the others are 'b' and 'c'. */
static struct net_host hosts[] = {
    {(char *)"a", (char *)"192.168.60.1", (char *)"10.77.1.1", (char *)"10.78.1.0/24"},
    {(char *)"b", (char *)"192.168.60.2", (char *)"10.77.1.2", (char *)"10.78.2.0/24"},
    {(char *)"c", (char *)"192.168.60.3", (char *)"10.77.1.3", (char *)"10.78.3.0/24"}};
static struct net_host *pointers[] = {&hosts[0], &hosts[1], &hosts[2]};
static const struct net_network network = {.host_id = (char *)"a",
                                           .lan_addr = (char *)"192.168.60.1",
                                           .bridge_ip = (char *)"10.77.1.1",
                                           .instance_cidr = (char *)"10.78.1.0/24",
                                           .vpc_bridge_cidr = (char *)"10.77.0.0/16",
                                           .vpc_instance_cidr = (char *)"10.78.0.0/16",
                                           .hosts = pointers,
                                           .n_hosts = ARRAY_SIZE(hosts)};

/* The actual state as words: "link 2 eth0 up 1500", "vxlan 3 up 1450 2 10 8472 MARK" (index, up or down, MTU,
 * lower device, id, port, alias), "address 2 192.168.60.1/24", "entry 192.168.60.2", "unicast
 * b 192.168.60.2" (of the Ethernet address of the host b, with net-keeper's mark), "foreign b 192.168.60.2"
 * (without it), "route 3 10.78.2.0/24 10.77.1.2 PROTOCOL METRIC". Several are separated by ';'. */
#define LAN    "link 2 eth0 up 1500;address 2 192.168.60.1/24;route 2 192.168.60.0/24 - 2 0;"
#define VXLAN  "vxlan 3 up 1450 2 10 8472 hostlet-1;"
#define OWN    "address 3 10.77.1.1/24;route 3 10.77.1.0/24 - 2 0;"
#define B_SIDE "entry 192.168.60.2;unicast b 192.168.60.2;route 3 10.78.2.0/24 10.77.1.2 104 0;"
#define C_BOTH "entry 192.168.60.3;unicast c 192.168.60.3;"
#define C_SIDE C_BOTH "route 3 10.78.3.0/24 10.77.1.3 104 0;"
#define ALL    LAN VXLAN OWN B_SIDE C_SIDE

static void add_link(struct actual *a, const char *words)
{
    struct actual_link *link = &a->links[a->n_links++];
    char up[8], alias[ALIAS_MAX] = "";
    if (sscanf(words, "link %d %15s %7s %" SCNu32, &link->index, link->name, up, &link->mtu) != 4) {
        assert_true(sscanf(words, "vxlan %d %7s %" SCNu32 " %d %" SCNu32 " %" SCNu16 " %255s", &link->index,
                           up, &link->mtu, &link->lower, &link->id, &link->port, alias) >= 6);
        (void)snprintf(link->name, sizeof link->name, "%s", NET_DEVICE);
        (void)snprintf(link->alias, sizeof link->alias, "%s",
                       streq(alias, "hostlet-1") ? "hostlet 1" : alias);
        link->vxlan = true;
    }
    link->up = streq(up, "up");
}

/* Sets the Ethernet address of a host: that of the network's map, or any other. */
static void ethernet_of(char id, unsigned char address[static ETHERNET_SIZE])
{
    struct map map;
    map_make(&network, &map);
    memcpy(address, "\2\0\0\0\0\1", ETHERNET_SIZE);
    if (id == 'a')
        memcpy(address, map.ethernet, ETHERNET_SIZE);
    for (size_t i = 0; i < map.n_hosts; i++)
        if (*map.hosts[i].host->id == id)
            memcpy(address, map.hosts[i].ethernet, ETHERNET_SIZE);
    map_done(&map);
}

static void add_item(struct actual *a, const char *words)
{
    char to[32], gateway[32];
    if (after_prefix(words, "link ") || after_prefix(words, "vxlan "))
        add_link(a, words);
    else if (after_prefix(words, "address ")) {
        struct actual_address *address = &a->addresses[a->n_addresses++];
        unsigned n[4];
        assert_int_equal(sscanf(words, "address %d %u.%u.%u.%u/%u", &address->index, &n[0], &n[1], &n[2],
                                &n[3], &address->bits),
                         6);
        address->address = n[0] << 24 | n[1] << 16 | n[2] << 8 | n[3];
        address->global = true;
    } else if (after_prefix(words, "unicast ") || after_prefix(words, "foreign ")) {
        struct actual_entry *entry = &a->entries[a->n_entries++];
        *entry = (struct actual_entry){.index = 3, .marked = *words == 'u'};
        ethernet_of(words[8], entry->ethernet);
        assert_true(ipv4_parse(words + 10, &entry->peer));
    } else if (after_prefix(words, "entry ")) {
        a->entries[a->n_entries].index = 3;
        assert_true(ipv4_parse(words + 6, &a->entries[a->n_entries++].peer));
    } else {
        struct actual_route *route = &a->routes[a->n_routes++];
        assert_int_equal(sscanf(words, "route %d %31s %31s %u %" SCNu32, &route->index, to, gateway,
                                &route->protocol, &route->metric),
                         5);
        assert_true(range_parse(to, &route->to));
        (void)ipv4_parse(gateway, &route->gateway);
    }
}

static struct actual actual_of(const char *text)
{
    struct actual a = {.links = xcalloc(8, sizeof(struct actual_link)),
                       .addresses = xcalloc(8, sizeof(struct actual_address)),
                       .entries = xcalloc(8, sizeof(struct actual_entry)),
                       .routes = xcalloc(16, sizeof(struct actual_route))};
    _cleanup_free_ char *copy = xstrdup(text);
    char *rest = copy;
    for (char *item; (item = strsep(&rest, ";"));)
        if (*item)
            add_item(&a, item);
    return a;
}

static void plan_of(const char *actual_text, bool leaves, uint32_t mtu, struct map *map, struct plan *ret)
{
    struct actual actual = actual_of(actual_text);
    map_make(&network, map);
    const struct plan_input input = {leaves ? NULL : map, &actual, "hostlet 1", mtu};
    plan_make(&input, ret);
    actual_done(&actual);
}

static char *text_of(const struct changes *changes)
{
    char *all = xstrdup("");
    for (size_t i = 0; i < changes->n; i++) {
        _cleanup_free_ char *before = all, *text = change_text(&changes->items[i]);
        all = xasprintf("%s%s%s", before, i > 0 ? "; " : "", text);
    }
    return all;
}

#define ADD_OWN    "add address 10.77.1.1/24"
#define B_ETHERNET "02:a5:f1:01:86:4c"
#define C_ETHERNET "02:f2:ef:01:86:4c"
#define ADD_ENTRIES                                                                                          \
    "add entry 192.168.60.2; add entry " B_ETHERNET " to 192.168.60.2; "                                     \
    "add entry 192.168.60.3; add entry " C_ETHERNET " to 192.168.60.3"
#define ADD_ROUTES "add route 10.78.2.0/24 by 10.77.1.2; add route 10.78.3.0/24 by 10.77.1.3"

static const struct {
    const char *what, *actual, *changes;
    unsigned set;        /* of the first change */
    uint32_t mtu;        /* configured */
    const char *problem; /* a part of the first one; NULL: none */
} rows[] = {
    {"everything is right", ALL, "", 0, 0, NULL},
    {"nothing exists", LAN, "make device; mark device; " ADD_OWN "; " ADD_ENTRIES "; " ADD_ROUTES, 0, 0,
     NULL},
    {"nothing can be made yet", "link 2 eth0 up 1500", "", 0, 0, "no device has"},
    {"the address is away", "link 2 eth0 up 1500;" VXLAN OWN B_SIDE C_SIDE, "", 0, 0, "no device has"},
    {"the device only", LAN VXLAN, ADD_OWN "; " ADD_ENTRIES "; " ADD_ROUTES, 0, 0, NULL},
    {"an original's device", LAN "vxlan 3 up 1450 2 10 8472;" OWN B_SIDE C_SIDE, "mark device", 0, 0, NULL},
    {"somebody's alias", LAN "vxlan 3 up 1450 2 10 8472 mine;" OWN B_SIDE C_SIDE, "", 0, 0, NULL},
    {"an original's routes", LAN VXLAN OWN B_SIDE C_BOTH "route 3 10.78.3.0/24 10.77.1.3 3 0;", "", 0, 0,
     NULL},
    {"a host left", ALL "entry 192.168.60.9;route 3 10.78.9.0/24 10.77.1.9 104 0",
     "remove entry 192.168.60.9; remove route 10.78.9.0/24 by 10.77.1.9", 0, 0, NULL},
    {"a host of the original left", ALL "route 3 10.78.9.0/24 10.77.1.9 3 0",
     "remove route 10.78.9.0/24 by 10.77.1.9", 0, 0, NULL},
    {"a marked route elsewhere", ALL "route 3 10.99.0.0/16 10.77.1.9 104 5",
     "remove route 10.99.0.0/16 by 10.77.1.9", 0, 0, NULL},
    {"routes of others",
     ALL "route 3 10.99.9.0/24 10.77.1.9 3 0;route 3 10.78.9.0/24 10.77.1.9 188 0;"
         "route 3 10.78.2.0/24 10.77.1.9 3 7;route 3 10.78.2.0/25 10.77.1.9 3 0",
     "", 0, 0, NULL},
    {"a host's gateway changed", LAN VXLAN OWN B_SIDE C_BOTH "route 3 10.78.3.0/24 10.77.1.30 104 0",
     "replace route 10.78.3.0/24 by 10.77.1.3", 0, 0, NULL},
    {"two routes by other gateways",
     LAN VXLAN OWN B_SIDE C_BOTH
     "route 3 10.78.3.0/24 10.77.1.30 104 0;route 3 10.78.3.0/24 10.77.1.31 104 0",
     "replace route 10.78.3.0/24 by 10.77.1.3; remove route 10.78.3.0/24 by 10.77.1.31", 0, 0, NULL},
    {"another program's gateway", LAN VXLAN OWN B_SIDE C_BOTH "route 3 10.78.3.0/24 10.77.1.30 188 0", "", 0,
     0, "another program has made another route to 10.78.3.0/24"},
    {"a host's peer changed",
     LAN VXLAN OWN B_SIDE "entry 192.168.60.30;unicast c 192.168.60.30;route 3 10.78.3.0/24 10.77.1.3 104 0",
     "add entry 192.168.60.3; replace entry " C_ETHERNET " to 192.168.60.3; remove entry 192.168.60.30", 0, 0,
     NULL},
    {"what was made before there were entries of hosts' addresses",
     LAN VXLAN OWN "entry 192.168.60.2;route 3 10.78.2.0/24 10.77.1.2 104 0;" C_SIDE,
     "add entry " B_ETHERNET " to 192.168.60.2", 0, 0, NULL},
    {"another program's entry of a host's address",
     LAN VXLAN OWN "entry 192.168.60.2;foreign b 192.168.60.2;route 3 10.78.2.0/24 10.77.1.2 104 0;" C_SIDE,
     "", 0, 0, NULL},
    {"another program's entry of a host's address, elsewhere",
     LAN VXLAN OWN "entry 192.168.60.2;foreign b 192.168.60.9;route 3 10.78.2.0/24 10.77.1.2 104 0;" C_SIDE,
     "replace entry " B_ETHERNET " to 192.168.60.2", 0, 0, NULL},
    {"another program's entries of other addresses", ALL "foreign a 192.168.60.9;foreign x 192.168.60.2", "",
     0, 0, NULL},
    {"the address of a host that left", ALL "unicast x 192.168.60.2",
     "remove entry 02:00:00:00:00:01 to 192.168.60.2", 0, 0, NULL},
    {"an own address of before", ALL "address 3 10.77.9.1/24", "remove address 10.77.9.1/24", 0, 0, NULL},
    {"addresses of others", ALL "address 3 10.77.1.9/32;address 3 10.99.1.1/24", "", 0, 0, NULL},
    {"the device is down",
     "link 2 eth0 up 1500;address 2 192.168.60.1/24;vxlan 3 down 1450 2 10 8472 hostlet-1;" OWN B_SIDE C_SIDE,
     "set device", DEVICE_UP, 0, NULL},
    {"another MTU", LAN "vxlan 3 up 1300 2 10 8472 hostlet-1;" OWN B_SIDE C_SIDE, "set device", DEVICE_MTU, 0,
     NULL},
    {"the configured MTU", ALL, "set device", DEVICE_MTU, 1400, NULL},
    {"a configured MTU that does not fit", ALL, "", 0, 1451, "mtu = 1451 does not fit"},
    {"a small MTU below", "link 2 eth0 up 600;address 2 192.168.60.1/24;" VXLAN OWN B_SIDE C_SIDE, "", 0, 0,
     "too small"},
    {"the address moved",
     "link 2 eth0 up 1500;link 4 eth1 up 1400;address 4 192.168.60.1/24;" VXLAN OWN B_SIDE C_SIDE,
     "set device; set device", DEVICE_LOWER, 0, NULL},
    {"two devices have the address", ALL "link 1 eth9 up 1500;address 1 192.168.60.1/24", "", 0, 0,
     "'eth0' is used"},
    {"two devices, and the present one is down",
     "link 2 eth0 down 1500;address 2 192.168.60.1/24;link 4 eth1 up 1500;address 4 192.168.60.1/24;" VXLAN
         OWN B_SIDE C_SIDE,
     "set device", DEVICE_LOWER, 0, "'eth1' is used"},
    {"another kind", LAN "link 3 " NET_DEVICE " up 1500", "", 0, 0, "no VXLAN device"},
    {"another id", LAN "vxlan 3 up 1450 2 11 8472", "", 0, 0, "the id 11"},
    {"another port", LAN "vxlan 3 up 1450 2 10 4789", "", 0, 0, "the UDP port 4789"},
    {"a network of the machine", ALL "link 5 docker0 up 1500;address 5 10.78.3.1/20", "", 0, 0,
     "by 'docker0'"},
    {"a network of the machine, new", LAN VXLAN OWN B_SIDE "link 5 docker0 up 1500;address 5 10.78.3.1/20",
     "", 0, 0, "host 'b'"},
    {"a route of the machine", LAN VXLAN OWN B_SIDE "route 2 10.78.3.64/26 192.168.60.9 3 0", "", 0, 0,
     "10.78.3.64/26"},
    {"a route that drops packets", LAN VXLAN OWN B_SIDE "route 0 10.78.3.0/24 - 3 0", "", 0, 0,
     "containers that drops packets"},
    {"a wide route of the machine", ALL "route 2 10.0.0.0/8 192.168.60.9 3 0", "", 0, 0, NULL},
    {"the bridges' network", LAN "link 5 docker0 up 1500;address 5 10.77.1.9/24", "", 0, 0,
     "overlaps 10.77.1.0/24"},
};

static void test_the_changes_are_the_difference(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct map map;
        struct plan plan;
        plan_of(rows[i].actual, false, rows[i].mtu, &map, &plan);
        _cleanup_free_ char *text = text_of(&plan.changes);
        bool set = rows[i].set == 0 || (plan.changes.n > 0 && plan.changes.items[0].set == rows[i].set);
        bool problem = rows[i].problem
                           ? plan.problems.n > 0 && strstr(plan.problems.items[0], rows[i].problem)
                           : plan.problems.n == 0;
        if (!streq(text, rows[i].changes) || !set || !problem)
            fail_msg("%s: '%s', set %u, problem '%s'", rows[i].what, text,
                     plan.changes.n > 0 ? plan.changes.items[0].set : 0,
                     plan.problems.n > 0 ? plan.problems.items[0] : "");
        plan_done(&plan);
        map_done(&map);
    }
}

static void test_leaving_deletes_the_own_device_alone(void **state)
{
    static const char *const leaving[][2] = {{ALL, "remove device"},
                                             {LAN, ""},
                                             {LAN "vxlan 3 up 1450 2 10 8472", "remove device"},
                                             {LAN "vxlan 3 up 1450 2 11 8472", ""},
                                             {LAN "link 3 " NET_DEVICE " up 1500", ""}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(leaving); i++) {
        struct map map;
        struct plan plan;
        plan_of(leaving[i][0], true, 0, &map, &plan);
        _cleanup_free_ char *text = text_of(&plan.changes);
        assert_string_equal(text, leaving[i][1]);
        assert_int_equal(plan.problems.n, 0);
        plan_done(&plan);
        map_done(&map);
    }
}

static void test_what_exists_of_a_host_is_shown(void **state)
{
    struct map map;
    struct plan plan;
    (void)state;
    plan_of(LAN VXLAN OWN B_SIDE "entry 192.168.60.3", false, 0, &map, &plan);
    assert_int_equal(plan.n_hosts, 2);
    assert_true(plan.hosts[0].entry && plan.hosts[0].route);
    assert_true(plan.hosts[1].entry && !plan.hosts[1].route);
    assert_int_equal(plan.n_present, 1);
    assert_true(plan.device_ok);
    assert_int_equal(plan.mtu, 1450);
    plan_done(&plan);
    map_done(&map);
}

/* The addresses of two of these ids are the same: frames to either would reach one of them alone. */
static void test_an_ethernet_address_of_two_ids_gets_no_entry(void **state)
{
    static const char *const ids[][3] = {{"b", "00008aa41291", "0000225941b8"},
                                         {"b", "0000225941b8", "00008aa41291"},
                                         {"00008aa41291", "b", "0000225941b8"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        struct net_host made[ARRAY_SIZE(hosts)];
        struct net_host *all[ARRAY_SIZE(hosts)];
        struct net_network zone = network;
        struct map map;
        size_t found = 0;
        for (size_t j = 0; j < ARRAY_SIZE(hosts); j++) {
            made[j] = hosts[j];
            made[j].id = (char *)ids[i][j];
            all[j] = &made[j];
        }
        zone.host_id = made[0].id;
        zone.hosts = all;
        map_make(&zone, &map);
        assert_int_equal(map.n_hosts, 2);
        for (size_t j = 0; j < map.n_hosts; j++)
            if (map_by_ethernet(&map, map.hosts[j].ethernet)) {
                assert_string_equal(map.hosts[j].host->id, "b");
                found++;
            }
        assert_int_equal(found, i == 2);
        map_done(&map);
    }
}

static void test_pauses_between_corrections_grow(void **state)
{
    struct damp damp = {.n = 0};
    uint64_t now = 1000 * USEC_PER_SEC, waited = 0;
    (void)state;
    assert_int_equal(damp_wait(&damp, now), 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(damp_is_fight(&damp, now), i >= 6);
        uint64_t wait = damp_wait(&damp, now);
        assert_true(wait >= waited && wait <= 60 * USEC_PER_SEC);
        waited = wait;
        now += wait;
        damp_count(&damp, now);
    }
    assert_int_equal(waited, 60 * USEC_PER_SEC);
    now += 121 * USEC_PER_SEC;
    assert_false(damp_is_fight(&damp, now));
    assert_int_equal(damp_wait(&damp, now), 0);
    damp_count(&damp, now);
    assert_int_equal(damp_wait(&damp, now), 100 * USEC_PER_MSEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_changes_are_the_difference),
        cmocka_unit_test(test_leaving_deletes_the_own_device_alone),
        cmocka_unit_test(test_what_exists_of_a_host_is_shown),
        cmocka_unit_test(test_an_ethernet_address_of_two_ids_gets_no_entry),
        cmocka_unit_test(test_pauses_between_corrections_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
