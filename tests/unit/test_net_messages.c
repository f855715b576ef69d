/* Tests the parser of the kernel's messages, and which of them concern the zone's network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <stdio.h>

#include "lib/basic/cleanup.h"
#include "net-keeper/watch.h"

DEFINE_CLEANUP(struct nl_msg *, nlmsg_free);
#define _message_ _cleanup_(cleanup_nlmsg_free) struct nl_msg *

static struct net_host hosts[] = {
    {(char *)"a", (char *)"192.168.60.1", (char *)"10.77.1.1", (char *)"10.78.1.0/24"},
    {(char *)"b", (char *)"192.168.60.2", (char *)"10.77.1.2", (char *)"10.78.2.0/24"}};
static struct net_host *pointers[] = {&hosts[0], &hosts[1]};
static const struct net_network network = {.host_id = (char *)"a",
                                           .lan_addr = (char *)"192.168.60.1",
                                           .bridge_ip = (char *)"10.77.1.1",
                                           .instance_cidr = (char *)"10.78.1.0/24",
                                           .hosts = pointers,
                                           .n_hosts = ARRAY_SIZE(hosts)};

static struct nl_msg *message_of(int type, void *head, size_t size)
{
    struct nl_msg *message = nlmsg_alloc_simple(type, 0);
    assert_true(nlmsg_append(message, head, size, NLMSG_ALIGNTO) >= 0);
    return message;
}

static struct nl_msg *link_of(int index, const char *name, bool vxlan)
{
    struct ifinfomsg head = {.ifi_index = index, .ifi_flags = IFF_UP};
    struct nl_msg *message = message_of(RTM_NEWLINK, &head, sizeof head);
    nla_put_string(message, IFLA_IFNAME, name);
    nla_put_u32(message, IFLA_MTU, 1450);
    nla_put_string(message, IFLA_IFALIAS, "hostlet 1");
    if (!vxlan)
        return message;
    struct nlattr *info = nla_nest_start(message, IFLA_LINKINFO);
    nla_put_string(message, IFLA_INFO_KIND, "vxlan");
    struct nlattr *data = nla_nest_start(message, IFLA_INFO_DATA);
    nla_put_u32(message, IFLA_VXLAN_ID, 10);
    nla_put_u16(message, IFLA_VXLAN_PORT, htons(8472));
    nla_put_u32(message, IFLA_VXLAN_LINK, 2);
    nla_put_u8(message, IFLA_VXLAN_LEARNING, 1);
    nla_nest_end(message, data);
    nla_nest_end(message, info);
    return message;
}

static struct nl_msg *entry_of(int family, int index, const char *mac, const char *peer)
{
    struct ndmsg head = {.ndm_family = (uint8_t)family, .ndm_ifindex = index, .ndm_flags = NTF_SELF};
    struct nl_msg *message = message_of(RTM_DELNEIGH, &head, sizeof head);
    struct in_addr address;
    inet_pton(AF_INET, peer, &address);
    nla_put(message, NDA_LLADDR, 6, mac);
    nla_put_u32(message, NDA_DST, address.s_addr);
    return message;
}

static struct nl_msg *route_of(int index, const char *to, unsigned bits, unsigned table)
{
    struct rtmsg head = {.rtm_family = AF_INET,
                         .rtm_dst_len = (uint8_t)bits,
                         .rtm_table = (uint8_t)table,
                         .rtm_protocol = NET_PROTOCOL,
                         .rtm_type = RTN_UNICAST};
    struct nl_msg *message = message_of(RTM_NEWROUTE, &head, sizeof head);
    struct in_addr address;
    inet_pton(AF_INET, to, &address);
    nla_put_u32(message, RTA_DST, address.s_addr);
    nla_put_u32(message, RTA_OIF, (uint32_t)index);
    return message;
}

static struct nl_msg *address_of(int index, const char *text)
{
    struct ifaddrmsg head = {.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = (unsigned)index};
    struct nl_msg *message = message_of(RTM_NEWADDR, &head, sizeof head);
    struct in_addr address;
    inet_pton(AF_INET, text, &address);
    nla_put_u32(message, IFA_LOCAL, address.s_addr);
    return message;
}

static void test_messages_are_parsed(void **state)
{
    (void)state;
    struct actual a = {.n_links = 0};
    _message_ link = link_of(3, NET_DEVICE, true);
    _message_ entry = entry_of(AF_BRIDGE, 3, "\0\0\0\0\0\0", "192.168.60.2");
    _message_ route = route_of(3, "10.78.2.0", 24, RT_TABLE_MAIN);
    _message_ address = address_of(3, "10.77.1.1");
    struct nl_msg *const all[] = {link, entry, route, address};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_true(actual_add(&a, nlmsg_hdr(all[i])));
    const struct actual_link *l = actual_link_named(&a, NET_DEVICE);
    assert_true(l && l->vxlan && l->up && l->learning && l->id == 10 && l->port == 8472 && l->lower == 2);
    assert_true(l->mtu == 1450 && streq(l->alias, "hostlet 1") && actual_link_at(&a, 3) == l);
    assert_true(a.n_entries == 1 && a.entries[0].peer == 0xc0a83c02 && a.entries[0].index == 3);
    assert_true(a.n_routes == 1 && a.routes[0].to.first == 0x0a4e0200 && a.routes[0].to.bits == 24);
    assert_true(a.n_addresses == 1 && a.addresses[0].address == 0x0a4d0101 && a.addresses[0].global);
    actual_done(&a);
}

static void test_messages_that_are_cut_off_add_nothing(void **state)
{
    (void)state;
    _message_ link = link_of(3, NET_DEVICE, true);
    _message_ entry = entry_of(AF_BRIDGE, 3, "\0\0\0\0\0\0", "192.168.60.2");
    _message_ route = route_of(3, "10.78.2.0", 24, RT_TABLE_MAIN);
    struct nl_msg *const all[] = {link, entry, route};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        struct nlmsghdr *m = nlmsg_hdr(all[i]);
        for (uint32_t size = 0; size < NLMSG_HDRLEN + 12; size++) {
            struct actual a = {.n_links = 0};
            m->nlmsg_len = size;
            assert_false(actual_add(&a, m));
            actual_done(&a);
        }
    }
}

static void test_what_concerns_the_network(void **state)
{
    struct map map;
    (void)state;
    map_make(&network, &map);
    const struct {
        const char *what;
        struct nl_msg *message;
        bool concerns;
    } rows[] = {
        {"the device", link_of(3, NET_DEVICE, true), true},
        {"the device below", link_of(2, "eth0", false), true},
        {"a container's", link_of(9, "veth1", false), false},
        {"another VXLAN device", link_of(9, "other", true), true},
        {"a new device of the name", link_of(9, NET_DEVICE, false), true},
        {"an entry", entry_of(AF_BRIDGE, 3, "\0\0\0\0\0\0", "192.168.60.2"), true},
        {"another program's entry of an address", entry_of(AF_BRIDGE, 3, "\2\0\0\0\0\1", "192.168.60.2"),
         false},
        {"a host's entry", entry_of(AF_BRIDGE, 3, (const char *)map.hosts[0].ethernet, "192.168.60.9"), true},
        {"an entry elsewhere", entry_of(AF_BRIDGE, 9, "\0\0\0\0\0\0", "192.168.60.2"), false},
        {"a neighbour", entry_of(AF_INET, 3, "\0\0\0\0\0\0", "192.168.60.2"), false},
        {"a route by the device", route_of(3, "10.99.0.0", 16, RT_TABLE_MAIN), true},
        {"a host's route", route_of(9, "10.78.2.128", 25, RT_TABLE_MAIN), true},
        {"a route elsewhere", route_of(9, "10.99.0.0", 24, RT_TABLE_MAIN), false},
        {"a route of another table", route_of(3, "10.78.2.0", 24, 100), false},
        {"an address", address_of(9, "172.17.0.1"), true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct nl_msg *message = rows[i].message;
        if (watch_concerns(&map, 3, 2, nlmsg_hdr(message)) != rows[i].concerns)
            fail_msg("%s", rows[i].what);
        assert_false(watch_concerns(NULL, 3, 2, nlmsg_hdr(message)));
        nlmsg_free(message);
    }
    map_done(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_parsed),
        cmocka_unit_test(test_messages_that_are_cut_off_add_nothing),
        cmocka_unit_test(test_what_concerns_the_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
