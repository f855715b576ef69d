/* Reading a leader's map of the zone's network: hostile and contradictory ones. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/inapi/zone.pb-c.h"
#include "lib/schema/pack.h"
#include "lib/varlink/interface.h"
#include "rpc-gateway/zone_map.h"

#define ID "0123456789ab"

typedef Inapi__ZoneNetworkMap__VpcBridgeHostEntry host_entry;
typedef Inapi__ZoneNetworkMap__VpcInstanceEntry record_entry;

struct host {
    const char *id, *key, *peer, *bridge, *instance; /* NULL: 0 */
};

static uint32_t number(const char *address)
{
    return address ? ntohl(inet_addr(address)) : 0;
}

/* Packs a map with these hosts (the last one's key is NULL) and names. The caller frees it. */
static uint8_t *make(const struct host *hosts, const char *const *addresses, const char *const *names,
                     size_t n_names, size_t *ret_size)
{
    Inapi__ZoneNetworkMap map = INAPI__ZONE_NETWORK_MAP__INIT;
    Inapi__ZoneNetworkMap__Host values[16];
    host_entry entries[16], *list[16];
    for (; hosts && hosts[map.n_vpc_bridge_host].key; map.n_vpc_bridge_host++) {
        size_t i = map.n_vpc_bridge_host;
        const struct host *h = &hosts[i];
        inapi__zone_network_map__host__init(&values[i]);
        inapi__zone_network_map__vpc_bridge_host_entry__init(&entries[i]);
        values[i].id = (char *)h->id;
        values[i].peer = number(h->peer);
        values[i].bridge = number(h->bridge);
        values[i].instance = number(h->instance);
        entries[i].key = number(h->key);
        entries[i].value = &values[i];
        list[i] = &entries[i];
    }
    _cleanup_free_ record_entry *records = xcalloc(n_names + 1, sizeof *records),
                                **all = xcalloc(n_names + 1, sizeof *all);
    for (size_t i = 0; i < n_names; i++) {
        inapi__zone_network_map__vpc_instance_entry__init(&records[i]);
        records[i].key = addresses ? number(addresses[i]) : (uint32_t)(10 << 24) + (uint32_t)i;
        records[i].value = (char *)(names ? names[i] : "web_0");
        all[i] = &records[i];
    }
    map.vpc_bridge_host = list;
    map.vpc_instance = all;
    map.n_vpc_instance = n_names;
    map.revision = 300;
    *ret_size = inapi__zone_network_map__get_packed_size(&map);
    uint8_t *data = xcalloc(*ret_size + 1, 1);
    inapi__zone_network_map__pack(&map, data);
    return data;
}

static bool says(const struct zone_map *map, const char *words)
{
    for (size_t i = 0; i < map->problems.n; i++)
        if (strstr(map->problems.items[i], words))
            return true;
    return false;
}

static void a_wrong_host_is_left_out_and_the_others_stay(void **state)
{
    (void)state;
    static const struct {
        struct host host;
        const char *words;
    } cases[] = {
        {{"", "192.168.10.5", "10.0.0.5", "192.168.10.5", "10.10.5.0"}, "has no valid id"},
        {{"no host\n\"id\"", "192.168.10.5", "10.0.0.5", NULL, "10.10.5.0"}, "has no valid id"},
        {{ID, "192.168.10.5", NULL, "192.168.10.5", "10.10.5.0"}, "has no address"},
        {{ID, "192.168.10.5", "10.0.0.5", "192.168.10.5", NULL}, "no network of its containers"},
        {{ID, "192.168.10.5", "10.0.0.5", "192.168.10.6", "10.10.5.0"}, "has two addresses"},
        {{ID, "192.168.10.5", "10.0.0.5", NULL, "10.10.5.7"}, "multiple of 256"},
        {{ID, "192.168.10.5", "10.0.0.5", NULL, "10.10.9.0"}, "contains the zone host 10.10.9.1"},
    };
    char first[] = "zone.example:9533", second[] = "10.10.9.1:9533", *zone_hosts[] = {first, second};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct host hosts[] = {{"ffffffffffff", "192.168.10.9", "10.0.0.9", NULL, "10.10.8.0"},
                                     cases[i].host,
                                     {ID, "192.168.10.3", "10.0.0.3", "192.168.10.3", "10.10.3.0"},
                                     {.key = NULL}};
        struct error e = ERROR_INIT;
        struct zone_map map;
        size_t size;
        _cleanup_free_ uint8_t *data = make(hosts, NULL, NULL, 0, &size);
        assert_int_equal(zone_map_read(data, size, zone_hosts, 2, &map, &e), 0);
        assert_int_equal(map.network.n_hosts, 2);
        assert_string_equal(map.network.hosts[0]->bridge, "192.168.10.3");
        assert_string_equal(map.network.hosts[1]->bridge, "192.168.10.9");
        assert_string_equal(map.network.hosts[1]->instance, "10.10.8.0/24");
        assert_int_equal(map.problems.n, 1);
        assert_true(says(&map, "192.168.10.5") && says(&map, cases[i].words));
        zone_map_done(&map);
    }
}

static void of_several_entries_with_one_key_the_last_one_counts(void **state)
{
    (void)state;
    static const struct host hosts[] = {{ID, "192.168.10.3", "10.0.0.3", NULL, "10.10.3.0"},
                                        {ID, "192.168.10.3", "10.0.0.4", NULL, "10.10.4.0"},
                                        {.key = NULL}};
    static const char *const addresses[] = {"10.10.3.4", "10.10.3.3", "10.10.3.4"}, *const names[] = {
                                                                                        "old_0", "web_0",
                                                                                        "new_0"};
    struct error e = ERROR_INIT;
    struct zone_map map;
    size_t size;
    _cleanup_free_ uint8_t *data = make(hosts, addresses, names, 3, &size);
    assert_int_equal(zone_map_revision(data, size), 300);
    assert_int_equal(zone_map_revision(data, 3), 0);
    assert_int_equal(zone_map_read(data, size, NULL, 0, &map, &e), 0);
    assert_int_equal(map.network.n_hosts, 1);
    assert_string_equal(map.network.hosts[0]->peer, "10.0.0.4");
    assert_int_equal(map.network.n_records, 2);
    assert_string_equal(map.network.records[0]->address, "10.10.3.3");
    assert_string_equal(map.network.records[1]->name, "new_0");
    assert_int_equal(map.problems.n, 0);
    zone_map_done(&map);
}

static void names_that_would_be_something_else_in_a_file_are_left_out(void **state)
{
    (void)state;
    char longest[129], too_long[130];
    memset(longest, 'a', 128);
    longest[128] = '\0';
    memset(too_long, 'a', 129);
    too_long[129] = '\0';
    const char *names[] = {"web_0", "a\"b", "a\nb", "", "a b", "\xc3\xa4", too_long, longest, "a=b"};
    struct error e = ERROR_INIT;
    struct zone_map map;
    size_t size;
    _cleanup_free_ uint8_t *data = make(NULL, NULL, names, ARRAY_SIZE(names), &size);
    assert_int_equal(zone_map_read(data, size, NULL, 0, &map, &e), 0);
    assert_int_equal(map.network.n_records, 2);
    assert_string_equal(map.network.records[1]->name, longest);
    assert_int_equal(map.problems.n, 1);
    assert_true(says(&map, "7 names, the first that of 10.0.0.1,"));
    zone_map_done(&map);
}

static void a_map_with_too_many_entries_is_refused(void **state)
{
    (void)state;
    static const size_t counts[] = {NET_RECORDS_MAX, NET_RECORDS_MAX + 1, 1000000};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        struct error e = ERROR_INIT;
        struct zone_map map;
        size_t size;
        _cleanup_free_ uint8_t *data = make(NULL, NULL, NULL, counts[i], &size);
        int r = zone_map_read(data, size, NULL, 0, &map, &e);
        assert_int_equal(r, i == 0 ? 0 : i == 1 ? -E2BIG : -EMSGSIZE);
        if (r == 0)
            zone_map_done(&map);
        assert_true(r == 0 || e.class == ERROR_REFUSED);
    }
}

static void text_that_is_not_utf8_refuses_the_map(void **state)
{
    (void)state;
    const char *names[] = {"a\xff\xfe"};
    struct error e = ERROR_INIT;
    struct zone_map map;
    size_t size;
    _cleanup_free_ uint8_t *data = make(NULL, NULL, names, 1, &size);
    assert_int_equal(zone_map_read(data, size, NULL, 0, &map, &e), -EBADMSG);
    assert_non_null(strstr(e.message, "VpcInstance"));
    assert_int_equal(zone_map_read(data, size - 1, NULL, 0, &map, &e), -EBADMSG);
}

/* 65,536 names of 128 bytes and 4,096 hosts: rpc-gateway could not deliver more. */
static void the_largest_network_is_a_possible_message(void **state)
{
    (void)state;
    struct net_network n = {.host_id = (char *)ID};
    char name[129];
    memset(name, 'a', 128);
    name[128] = '\0';
    struct net_host host = {(char *)"0123456789abcdef", (char *)"255.255.255.255", (char *)"255.255.255.255",
                            (char *)"255.255.255.255/24"},
                    *hosts[NET_HOSTS_MAX];
    struct net_record record = {name, (char *)"255.255.255.255"};
    struct net_record **records = xcalloc(NET_RECORDS_MAX, sizeof *records);
    n.lan_addr = n.bridge_ip = n.instance_cidr = host.instance;
    for (size_t i = 0; i < NET_HOSTS_MAX; i++)
        hosts[i] = &host;
    for (size_t i = 0; i < NET_RECORDS_MAX; i++)
        records[i] = &record;
    n.hosts = hosts;
    n.n_hosts = NET_HOSTS_MAX;
    n.records = records;
    n.n_records = NET_RECORDS_MAX;
    size_t size;
    _cleanup_free_ char *text = schema_pack_text(&net_network_schema, &n, &size);
    assert_in_range(size, 1 << 20, 15 << 20);
    assert_in_range(varlink_values(text, size), 1, 262144 - 100);
    free(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_host_is_left_out_and_the_others_stay),
        cmocka_unit_test(of_several_entries_with_one_key_the_last_one_counts),
        cmocka_unit_test(names_that_would_be_something_else_in_a_file_are_left_out),
        cmocka_unit_test(a_map_with_too_many_entries_is_refused),
        cmocka_unit_test(text_that_is_not_utf8_refuses_the_map),
        cmocka_unit_test(the_largest_network_is_a_possible_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
