/* Tests the nftables table of the zone's network: what is built, how it is compared with a listing, and how
 * notifications are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>

#include "net-keeper/nft_events.h"
#include "net-keeper/nft_ranges.h"
#include "net-keeper/nft_table.h"

static struct net_host self = {"0123456789ab", "192.168.60.1", "192.168.10.1", "10.10.1.0/24"},
                       other = {"0123456789ac", "192.168.60.2", "192.168.10.2", "10.10.2.0/24"},
                       far = {"0123456789ad", "192.168.60.3", "172.20.0.3", "172.20.9.0/24"};
static struct net_host *hosts[8];

static struct net_network network_of(size_t n)
{
    hosts[0] = &self;
    hosts[1] = &other;
    hosts[2] = &far;
    return (struct net_network){.host_id = self.id,
                                .lan_addr = self.peer,
                                .bridge_ip = self.bridge,
                                .instance_cidr = self.instance,
                                .vpc_bridge_cidr = "192.168.10.0/24",
                                .vpc_instance_cidr = "10.10.0.0/16",
                                .hosts = hosts,
                                .n_hosts = n};
}

static json_t *built(const struct net_network *network, const struct traffic *known)
{
    struct error e = ERROR_INIT;
    json_t *objects = NULL;
    assert_int_equal(nft_table_build(network, known, &objects, &e), 0);
    return objects;
}

static char *canonical_of(const char *listing)
{
    _cleanup_json_ json_t *objects = json_loads(listing, 0, NULL);
    assert_non_null(objects);
    return nft_table_canonical(objects);
}

/* As version 1.0.6 of libnftables lists the table of network_of(2), after some traffic. */
#define OF_TABLE "\"family\": \"ip\", \"table\": \"hostlet_vpc\""
static const char listing[] =
    "[{\"metainfo\": {\"version\": \"1.0.6\"}},"
    "{\"table\": {\"family\": \"ip\", \"name\": \"hostlet_vpc\", \"handle\": 2}},"
    "{\"counter\": {" OF_TABLE
    ", \"name\": \"sent_0123456789ac\", \"handle\": 1, \"packets\": 7, \"bytes\": 900}},"
    "{\"counter\": {" OF_TABLE
    ", \"name\": \"received_0123456789ac\", \"handle\": 2, \"packets\": 3, \"bytes\": 400}},"
    "{\"set\": {" OF_TABLE
    ", \"name\": \"inside\", \"type\": \"ipv4_addr\", \"handle\": 3, \"flags\": %s, \"elem\": ["
    "{\"prefix\": {\"addr\": \"192.168.10.0\", \"len\": 24}}, {\"prefix\": {\"addr\": \"10.10.0.0\", "
    "\"len\": 16}}]}},"
    "{\"map\": {" OF_TABLE
    ", \"name\": \"received\", \"type\": \"ipv4_addr\", \"handle\": 5, \"map\": \"counter\","
    " \"elem\": [[\"192.168.60.2\", \"received_0123456789ac\"]]}},"
    "{\"map\": {" OF_TABLE
    ", \"name\": \"sent\", \"type\": \"ipv4_addr\", \"handle\": 4, \"map\": \"counter\","
    " \"elem\": [[\"192.168.60.2\", \"sent_0123456789ac\"]]}},"
    "{\"chain\": {" OF_TABLE
    ", \"name\": \"to_outside\", \"handle\": 6, \"type\": \"nat\", \"hook\": \"postrouting\","
    " \"prio\": 110, \"policy\": \"accept\"}},"
    "{\"chain\": {" OF_TABLE
    ", \"name\": \"sent\", \"handle\": 8, \"type\": \"filter\", \"hook\": \"output\","
    " \"prio\": 10, \"policy\": \"accept\"}},"
    "{\"chain\": {" OF_TABLE
    ", \"name\": \"received\", \"handle\": 10, \"type\": \"filter\", \"hook\": \"input\","
    " \"prio\": 10, \"policy\": \"accept\"}},"
    "{\"rule\": {" OF_TABLE
    ", \"chain\": \"to_outside\", \"handle\": 7, \"expr\": [{\"match\": {\"op\": \"==\","
    " \"left\": {\"payload\": {\"protocol\": \"ip\", \"field\": \"saddr\"}}, \"right\": {\"prefix\":"
    " {\"addr\": \"10.10.1.0\", \"len\": 24}}}}, {\"match\": {\"op\": \"!=\", \"left\": {\"payload\": "
    "{\"protocol\": \"ip\","
    " \"field\": \"daddr\"}}, \"right\": \"@inside\"}}, {\"masquerade\": null}]}},"
    "{\"rule\": {" OF_TABLE
    ", \"chain\": \"sent\", \"handle\": 9, \"expr\": [{\"match\": {\"op\": \"==\", \"left\":"
    " {\"payload\": {\"protocol\": \"udp\", \"field\": \"dport\"}}, \"right\": 8472}}, {\"match\": {\"op\": "
    "\"==\", \"left\":"
    " {\"payload\": {\"base\": \"th\", \"offset\": 96, \"len\": 24}}, \"right\": 10}}, {\"counter\": "
    "{\"map\": {\"key\":"
    " {\"payload\": {\"protocol\": \"ip\", \"field\": \"daddr\"}}, \"data\": \"@sent\"}}}]}},"
    "{\"rule\": {" OF_TABLE
    ", \"chain\": \"received\", \"handle\": 11, \"expr\": [{\"match\": {\"op\": \"==\", \"left\":"
    " {\"payload\": {\"protocol\": \"udp\", \"field\": \"dport\"}}, \"right\": 8472}}, {\"match\": {\"op\": "
    "\"==\", \"left\":"
    " {\"payload\": {\"base\": \"th\", \"offset\": 96, \"len\": 24}}, \"right\": 10}}, {\"counter\": "
    "{\"map\": {\"key\":"
    " {\"payload\": {\"protocol\": \"ip\", \"field\": \"saddr\"}}, \"data\": \"@received\"}}}]}}]";

static void test_the_kernels_listing_equals_what_was_built(void **state)
{
    (void)state;
    const struct net_network network = network_of(2);
    _cleanup_json_ json_t *objects = built(&network, NULL);
    _cleanup_free_ char *wanted = nft_table_canonical(objects);
    static const char *const forms[] = {"[\"interval\"]", "\"interval\""}; /* by the version of the library */
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        const char *hole = strstr(listing, "%s");
        _cleanup_free_ char *text =
            xasprintf("%.*s%s%s", (int)(hole - listing), listing, forms[i], hole + strlen("%s"));
        _cleanup_free_ char *found = canonical_of(text);
        assert_string_equal(found, wanted);
    }
}

static void test_any_difference_is_found(void **state)
{
    (void)state;
    const struct net_network network = network_of(2), longer = network_of(3);
    _cleanup_json_ json_t *objects = built(&network, NULL), *more = built(&longer, NULL);
    _cleanup_free_ char *wanted = nft_table_canonical(objects), *with_more = nft_table_canonical(more);
    assert_string_not_equal(wanted, with_more);
    for (size_t i = 0; i < json_array_size(objects); i++) {
        _cleanup_json_ json_t *fewer = json_copy(objects);
        json_array_remove(fewer, i);
        _cleanup_free_ char *text = nft_table_canonical(fewer);
        assert_string_not_equal(wanted, text);
    }
    _cleanup_json_ json_t *twice = json_copy(objects);
    json_array_append(twice, json_array_get(objects, json_array_size(objects) - 1));
    _cleanup_free_ char *text = nft_table_canonical(twice);
    assert_string_not_equal(wanted, text);
    /* What is no listing at all equals nothing. */
    static const char *const odd[] = {"[]", "[1, \"x\", null, {}, [], {\"rule\": 3}]",
                                      "[{\"set\": {\"elem\": 7}}]", "[{\"counter\": {\"name\": 7}}]"};
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        _cleanup_free_ char *found = canonical_of(odd[i]);
        assert_string_not_equal(wanted, found);
    }
}

static void test_counters_survive_a_replacement(void **state)
{
    (void)state;
    struct traffic traffic = {0};
    const struct net_network network = network_of(3);
    _cleanup_json_ json_t *listed = json_loads(
        "[{\"counter\": {\"name\": \"sent_0123456789ac\", \"packets\": 7, \"bytes\": 900}},"
        " {\"counter\": {\"name\": \"received_0123456789ac\", \"packets\": 3, \"bytes\": 400}},"
        " {\"counter\": {\"name\": \"sent_\\u00e9\", \"packets\": 3, \"bytes\": 400}},"
        " {\"counter\": {\"name\": \"theirs\", \"packets\": 3, \"bytes\": 400}}, {\"counter\": 1}]",
        0, NULL);
    nft_table_read_traffic(listed, &traffic);
    assert_int_equal(traffic.n, 1);
    const struct traffic_item *item = traffic_find(&traffic, other.id);
    assert_int_equal(item->sent_bytes, 900);
    assert_int_equal(item->sent_packets, 7);
    assert_int_equal(item->received_bytes, 400);
    assert_int_equal(item->received_packets, 3);
    assert_null(traffic_find(&traffic, far.id));
    _cleanup_json_ json_t *objects = built(&network, &traffic);
    _cleanup_free_ char *document = nft_table_replacement(objects);
    assert_non_null(strstr(document, "{\"name\":\"sent_0123456789ac\",\"packets\":7,\"bytes\":900,"));
    assert_non_null(strstr(document, "{\"name\":\"received_0123456789ac\",\"packets\":3,\"bytes\":400,"));
    assert_non_null(strstr(document, "{\"name\":\"sent_0123456789ad\",\"packets\":0,\"bytes\":0,"));
    traffic_done(&traffic);
}

static void test_a_document_is_one_transaction(void **state)
{
    (void)state;
    const struct net_network network = network_of(1); /* alone: a map without elements is refused by nft */
    _cleanup_json_ json_t *objects = built(&network, NULL);
    _cleanup_free_ char *replacement = nft_table_replacement(objects), *removal = nft_table_removal();
#define NAMED(verb) "{\"" verb "\":{\"table\":{\"family\":\"ip\",\"name\":\"hostlet_vpc\"}}}"
    assert_string_equal(removal, "{\"nftables\":[" NAMED("add") "," NAMED("delete") "]}");
    assert_ptr_equal(strstr(replacement, "{\"nftables\":[" NAMED("add") "," NAMED("delete") ",{\"add\":"),
                     replacement);
    assert_null(strstr(replacement, "\"elem\":[]"));
}

static void test_a_peer_that_is_not_well_formed_is_not_counted(void **state)
{
    (void)state;
    struct net_network network = network_of(2);
    struct net_host bad[] = {{"0123456789ac", "192.168.60.9", "", ""}, /* an id twice */
                             {"0123456789ae", "192.168.60.2", "", ""}, /* an address twice */
                             {"0123456789af", "192.168.60.1", "", ""}, /* this machine's address */
                             {"0123456789ab", "192.168.60.8", "", ""}, /* this machine's id */
                             {"x\" } add", "192.168.60.7", "", ""},    /* not an id */
                             {"0123456789b0", "192.168.60.7; x", "", ""},
                             /* not an address */};
    _cleanup_json_ json_t *objects = built(&network, NULL);
    _cleanup_free_ char *wanted = nft_table_canonical(objects);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        hosts[2 + i] = &bad[i];
    network.n_hosts = 2 + ARRAY_SIZE(bad);
    _cleanup_json_ json_t *again = built(&network, NULL);
    _cleanup_free_ char *found = nft_table_canonical(again);
    assert_string_equal(wanted, found);
}

static void test_only_private_ranges_are_inside(void **state)
{
    (void)state;
    _cleanup_free_ struct range *ranges = NULL;
    struct net_network network = network_of(3);
    /* 172.20.0.3/32, 172.20.9.0/24, and the zone's two ranges, which contain all others. */
    assert_int_equal(nft_ranges_of(&network, &ranges), 4);
    assert_int_equal(ranges[0].first, ntohl(inet_addr("10.10.0.0")));
    assert_int_equal(ranges[1].first, ntohl(inet_addr("172.20.0.3")));
    assert_int_equal(ranges[1].bits, 32);
    assert_int_equal(ranges[3].first, ntohl(inet_addr("192.168.10.0")));
    /* Without the zone's own ranges: three networks and three addresses of machines. */
    static char *const bad[] = {NULL,           "",           "10.0.0.0",
                                "0.0.0.0/0",    "8.8.8.0/24", "192.168.0.0/15",
                                "10.10.1.1/16", "x/24",       "192.168.0.0/16" /* contains the LAN */};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        network.vpc_instance_cidr = network.vpc_bridge_cidr = bad[i];
        free(TAKE_PTR(ranges));
        assert_int_equal(nft_ranges_of(&network, &ranges), 6);
    }
    static const char *const foreign[] = {"203.0.113.0/24", "10.10.1.0", "10.10.1.0/31", "x"};
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        struct error e = ERROR_INIT;
        json_t *objects = NULL;
        network.instance_cidr = (char *)foreign[i];
        assert_int_equal(nft_table_build(&network, NULL, &objects, &e), -EINVAL);
        assert_non_null(strstr(e.message, foreign[i]));
    }
}

/* --- notifications --- */

struct stream {
    size_t size;
    _Alignas(struct nlmsghdr) char data[1024];
};

static void put(struct stream *s, const void *data, size_t size)
{
    memcpy(s->data + s->size, data, size);
    s->size += NLMSG_ALIGN(size);
}

static struct nlmsghdr *begin(struct stream *s, unsigned type, uint8_t family)
{
    struct nlmsghdr *m = (struct nlmsghdr *)(s->data + s->size);
    struct nfgenmsg generic = {.nfgen_family = family};
    put(s,
        &(struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof generic),
                           .nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type)},
        sizeof *m);
    put(s, &generic, sizeof generic);
    return m;
}

static void attribute(struct stream *s, struct nlmsghdr *m, unsigned type, const void *data, size_t size)
{
    put(s, &(struct nlattr){.nla_len = (uint16_t)(sizeof(struct nlattr) + size), .nla_type = (uint16_t)type},
        sizeof(struct nlattr));
    put(s, data, size);
    m->nlmsg_len = (uint32_t)(s->data + s->size - (char *)m);
}

static void change(struct stream *s, uint8_t family, const char *table)
{
    struct nlmsghdr *m = begin(s, NFT_MSG_DELRULE, family);
    attribute(s, m, 1, table, strlen(table) + 1);
}

static void commit(struct stream *s, uint32_t pid, const char *name)
{
    struct nlmsghdr *m = begin(s, NFT_MSG_NEWGEN, 0);
    uint32_t number = htonl(pid);
    attribute(s, m, NFTA_GEN_PROC_PID, &number, sizeof number);
    attribute(s, m, NFTA_GEN_PROC_NAME, name, strlen(name) + 1);
}

static void test_a_change_by_another_process_is_seen(void **state)
{
    (void)state;
    static const struct {
        uint8_t family;
        const char *table;
        uint32_t pid;
        bool changed;
    } cases[] = {{NFPROTO_IPV4, NFT_TABLE, 7, true},
                 {NFPROTO_IPV4, NFT_TABLE, 42, false}, /* its own */
                 {NFPROTO_IPV6, NFT_TABLE, 7, false},
                 {NFPROTO_IPV4, "nat", 7, false},
                 {NFPROTO_IPV4, NFT_TABLE "x", 7, false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct nft_scan scan = {0};
        struct stream s = {0};
        change(&s, cases[i].family, cases[i].table);
        commit(&s, cases[i].pid, "firewalld-with-a-long-name");
        nft_scan(&scan, s.data, s.size, 42);
        assert_int_equal(scan.changed, cases[i].changed);
        assert_string_equal(scan.by, cases[i].changed ? "firewalld-with-" : "");
    }
}

static void test_a_transaction_can_come_in_parts(void **state)
{
    (void)state;
    struct nft_scan scan = {0};
    struct stream first = {0}, second = {0};
    change(&first, NFPROTO_IPV4, NFT_TABLE);
    nft_scan(&scan, first.data, first.size, 42);
    assert_false(scan.changed);
    commit(&second, 42, "self");
    change(&second, NFPROTO_IPV4, "nat");
    commit(&second, 7, "other"); /* which changed another table */
    nft_scan(&scan, second.data, second.size, 42);
    assert_false(scan.changed);
}

static void test_damaged_notifications_are_left_out(void **state)
{
    (void)state;
    struct stream s = {0};
    change(&s, NFPROTO_IPV4, NFT_TABLE);
    commit(&s, 7, "nft");
    for (size_t size = 0; size < s.size; size++) {
        struct nft_scan scan = {0};
        _cleanup_free_ char *copy = xcalloc(size + 1, 1); /* of its own size, for the sanitizers */
        memcpy(copy, s.data, size);
        nft_scan(&scan, copy, size, 42);
    }
    for (size_t at = 0; at < s.size; at++) {
        struct stream damaged = s;
        struct nft_scan scan = {0};
        damaged.data[at] = (char)0xff;
        nft_scan(&scan, damaged.data, damaged.size, 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_kernels_listing_equals_what_was_built),
        cmocka_unit_test(test_any_difference_is_found),
        cmocka_unit_test(test_counters_survive_a_replacement),
        cmocka_unit_test(test_a_document_is_one_transaction),
        cmocka_unit_test(test_a_peer_that_is_not_well_formed_is_not_counted),
        cmocka_unit_test(test_only_private_ranges_are_inside),
        cmocka_unit_test(test_a_change_by_another_process_is_seen),
        cmocka_unit_test(test_a_transaction_can_come_in_parts),
        cmocka_unit_test(test_damaged_notifications_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
