/* Implements actual.h. Attributes are parsed by libnl, with a policy that states the size of each. */
#include "net-keeper/actual.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef IFA_PROTO
#define IFA_PROTO 11
#endif

/* Appends an empty item to the array whose pointer is at 'items'. Returns NULL if there are too many. */
static void *append(struct actual *a, void *items, size_t *n, size_t size)
{
    char *array;
    if (*n == ACTUAL_MAX) {
        a->left_out++;
        return NULL;
    }
    memcpy(&array, items, sizeof array);
    if ((*n & (*n - 1)) == 0) { /* the array has room for the next power of two */
        array = xrealloc(array, *n == 0 ? 1 : *n * 2, size);
        memcpy(items, &array, sizeof array);
    }
    char *item = array + (*n)++ * size;
    memset(item, 0, size);
    return item;
}

static uint32_t address_in(struct nlattr *attribute)
{
    return attribute ? ntohl(nla_get_u32(attribute)) : 0;
}

static uint32_t number_in(struct nlattr *attribute)
{
    return attribute ? nla_get_u32(attribute) : 0;
}

static void text_in(struct nlattr *attribute, char *to, size_t size)
{
    if (attribute)
        nla_strlcpy(to, attribute, size);
}

static void add_vxlan(struct actual_link *link, struct nlattr *data)
{
    static const struct nla_policy policy[IFLA_VXLAN_MAX + 1] = {
        [IFLA_VXLAN_ID] = {.type = NLA_U32},           [IFLA_VXLAN_GROUP] = {.type = NLA_U32},
        [IFLA_VXLAN_LINK] = {.type = NLA_U32},         [IFLA_VXLAN_LOCAL] = {.type = NLA_U32},
        [IFLA_VXLAN_LEARNING] = {.type = NLA_U8},      [IFLA_VXLAN_PORT] = {.type = NLA_U16},
        [IFLA_VXLAN_COLLECT_METADATA] = {.minlen = 0},
    };
    struct nlattr *of[IFLA_VXLAN_MAX + 1];
    if (nla_parse_nested(of, IFLA_VXLAN_MAX, data, (struct nla_policy *)policy) < 0)
        return;
    link->vxlan = true;
    link->id = number_in(of[IFLA_VXLAN_ID]);
    link->lower = (int)number_in(of[IFLA_VXLAN_LINK]);
    link->local = address_in(of[IFLA_VXLAN_LOCAL]);
    link->remote = address_in(of[IFLA_VXLAN_GROUP]);
    link->learning = of[IFLA_VXLAN_LEARNING] && nla_get_u8(of[IFLA_VXLAN_LEARNING]);
    link->port = of[IFLA_VXLAN_PORT] ? ntohs(nla_get_u16(of[IFLA_VXLAN_PORT])) : 0;
    link->external = of[IFLA_VXLAN_COLLECT_METADATA] && (nla_len(of[IFLA_VXLAN_COLLECT_METADATA]) < 1 ||
                                                         nla_get_u8(of[IFLA_VXLAN_COLLECT_METADATA]));
}

/* Reports whether IPv6 is on: the kernel sends the device's parameters as an array of numbers. A device
 * without that part has no IPv6. */
static bool speaks_ipv6(struct nlattr *families)
{
    struct nlattr *inet6 = families ? nla_find(nla_data(families), nla_len(families), AF_INET6) : NULL;
    struct nlattr *values = inet6 ? nla_find(nla_data(inet6), nla_len(inet6), IFLA_INET6_CONF) : NULL;
    int32_t disabled;
    if (!values || nla_len(values) < (int)((DEVCONF_DISABLE_IPV6 + 1) * sizeof disabled))
        return false;
    memcpy(&disabled, (char *)nla_data(values) + DEVCONF_DISABLE_IPV6 * sizeof disabled, sizeof disabled);
    return disabled == 0;
}

static bool add_link(struct actual *a, struct nlmsghdr *message)
{
    static const struct nla_policy policy[IFLA_MAX + 1] = {
        [IFLA_IFNAME] = {.type = NLA_STRING, .maxlen = IFNAMSIZ},
        [IFLA_MTU] = {.type = NLA_U32},
        [IFLA_IFALIAS] = {.type = NLA_STRING, .maxlen = ALIAS_MAX},
        [IFLA_LINKINFO] = {.type = NLA_NESTED},
        [IFLA_AF_SPEC] = {.type = NLA_NESTED},
    };
    static const struct nla_policy info_policy[IFLA_INFO_MAX + 1] = {
        [IFLA_INFO_KIND] = {.type = NLA_STRING, .maxlen = 64}, [IFLA_INFO_DATA] = {.type = NLA_NESTED}};
    struct nlattr *of[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
    const struct ifinfomsg *head = nlmsg_data(message);
    /* A bridge sends such messages of its ports in the family AF_BRIDGE. */
    if (nlmsg_parse(message, sizeof *head, of, IFLA_MAX, (struct nla_policy *)policy) < 0 ||
        head->ifi_family != AF_UNSPEC || !of[IFLA_IFNAME])
        return false;
    struct actual_link *link = append(a, &a->links, &a->n_links, sizeof *a->links);
    if (!link)
        return false;
    link->index = head->ifi_index;
    link->up = head->ifi_flags & IFF_UP;
    link->mtu = number_in(of[IFLA_MTU]);
    text_in(of[IFLA_IFNAME], link->name, sizeof link->name);
    text_in(of[IFLA_IFALIAS], link->alias, sizeof link->alias);
    if (of[IFLA_LINKINFO] &&
        nla_parse_nested(info, IFLA_INFO_MAX, of[IFLA_LINKINFO], (struct nla_policy *)info_policy) >= 0 &&
        info[IFLA_INFO_KIND] && info[IFLA_INFO_DATA] && nla_strcmp(info[IFLA_INFO_KIND], "vxlan") == 0) {
        add_vxlan(link, info[IFLA_INFO_DATA]);
        link->ipv6 = speaks_ipv6(of[IFLA_AF_SPEC]);
    }
    return true;
}

static bool add_address(struct actual *a, struct nlmsghdr *message)
{
    static const struct nla_policy policy[IFA_PROTO + 1] = {
        [IFA_ADDRESS] = {.type = NLA_U32}, [IFA_LOCAL] = {.type = NLA_U32}, [IFA_PROTO] = {.type = NLA_U8}};
    struct nlattr *of[IFA_PROTO + 1];
    const struct ifaddrmsg *head = nlmsg_data(message);
    if (nlmsg_datalen(message) < (int)sizeof *head || head->ifa_family != AF_INET ||
        head->ifa_prefixlen > 32 ||
        nlmsg_parse(message, sizeof *head, of, IFA_PROTO, (struct nla_policy *)policy) < 0 || !of[IFA_LOCAL])
        return false;
    struct actual_address *address = append(a, &a->addresses, &a->n_addresses, sizeof *a->addresses);
    if (!address)
        return false;
    *address = (struct actual_address){
        .index = (int)head->ifa_index,
        .address = address_in(of[IFA_LOCAL]),
        .bits = head->ifa_prefixlen,
        .global = head->ifa_scope == RT_SCOPE_UNIVERSE,
        .point_to_point = of[IFA_ADDRESS] && address_in(of[IFA_ADDRESS]) != address_in(of[IFA_LOCAL]),
        .protocol = of[IFA_PROTO] ? nla_get_u8(of[IFA_PROTO]) : 0,
    };
    return true;
}

static bool add_entry(struct actual *a, struct nlmsghdr *message)
{
    static const struct nla_policy policy[NDA_MAX + 1] = {
        [NDA_DST] = {.minlen = 4},     [NDA_LLADDR] = {.minlen = 6},      [NDA_PORT] = {.type = NLA_U16},
        [NDA_VNI] = {.type = NLA_U32}, [NDA_IFINDEX] = {.type = NLA_U32},
    };
    struct nlattr *of[NDA_MAX + 1];
    const struct ndmsg *head = nlmsg_data(message);
    if (nlmsg_datalen(message) < (int)sizeof *head || head->ndm_family != AF_BRIDGE ||
        !(head->ndm_flags & NTF_SELF) ||
        nlmsg_parse(message, sizeof *head, of, NDA_MAX, (struct nla_policy *)policy) < 0 || !of[NDA_LLADDR] ||
        nla_len(of[NDA_LLADDR]) != ETHERNET_SIZE || !of[NDA_DST] || nla_len(of[NDA_DST]) != 4)
        return false;
    struct actual_entry *entry = append(a, &a->entries, &a->n_entries, sizeof *a->entries);
    if (!entry)
        return false;
    *entry = (struct actual_entry){
        .marked = head->ndm_flags & NTF_EXT_LEARNED,
        .index = head->ndm_ifindex,
        .peer = address_in(of[NDA_DST]),
        .port = of[NDA_PORT] ? ntohs(nla_get_u16(of[NDA_PORT])) : 0,
        .id = number_in(of[NDA_VNI]),
        .via = (int)number_in(of[NDA_IFINDEX]),
    };
    memcpy(entry->ethernet, nla_data(of[NDA_LLADDR]), ETHERNET_SIZE);
    return true;
}

static bool add_route(struct actual *a, struct nlmsghdr *message)
{
    static const struct nla_policy policy[RTA_MAX + 1] = {
        [RTA_DST] = {.type = NLA_U32},      [RTA_GATEWAY] = {.type = NLA_U32}, [RTA_OIF] = {.type = NLA_U32},
        [RTA_PRIORITY] = {.type = NLA_U32}, [RTA_TABLE] = {.type = NLA_U32},
    };
    struct nlattr *of[RTA_MAX + 1];
    const struct rtmsg *head = nlmsg_data(message);
    if (nlmsg_datalen(message) < (int)sizeof *head || head->rtm_family != AF_INET || head->rtm_dst_len > 32 ||
        head->rtm_flags & RTM_F_CLONED ||
        nlmsg_parse(message, sizeof *head, of, RTA_MAX, (struct nla_policy *)policy) < 0 ||
        (of[RTA_TABLE] ? nla_get_u32(of[RTA_TABLE]) : head->rtm_table) != RT_TABLE_MAIN)
        return false;
    struct actual_route *route = append(a, &a->routes, &a->n_routes, sizeof *a->routes);
    if (!route)
        return false;
    *route = (struct actual_route){
        .to = range_of(address_in(of[RTA_DST]), head->rtm_dst_len),
        .gateway = address_in(of[RTA_GATEWAY]),
        .index = of[RTA_MULTIPATH] ? 0 : (int)number_in(of[RTA_OIF]),
        .metric = number_in(of[RTA_PRIORITY]),
        .tos = head->rtm_tos,
        .protocol = head->rtm_protocol,
        .scope = head->rtm_scope,
    };
    return true;
}

bool actual_add(struct actual *actual, const struct nlmsghdr *message)
{
    /* libnl's functions do not change the message; their parameters are older than const. */
    struct nlmsghdr *m = (struct nlmsghdr *)message;
    if (m->nlmsg_len < NLMSG_HDRLEN)
        return false;
    switch (m->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return add_link(actual, m);
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return add_address(actual, m);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        return add_entry(actual, m);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return add_route(actual, m);
    default:
        return false;
    }
}

void actual_done(struct actual *actual)
{
    free(actual->links);
    free(actual->addresses);
    free(actual->entries);
    free(actual->routes);
    *actual = (struct actual){.n_links = 0};
}

const struct actual_link *actual_link_named(const struct actual *actual, const char *name)
{
    for (size_t i = 0; i < actual->n_links; i++)
        if (streq(actual->links[i].name, name))
            return &actual->links[i];
    return NULL;
}

const struct actual_link *actual_link_at(const struct actual *actual, int index)
{
    for (size_t i = 0; i < actual->n_links; i++)
        if (actual->links[i].index == index)
            return &actual->links[i];
    return NULL;
}

bool actual_floods(const struct actual_entry *entry)
{
    static const unsigned char zeros[ETHERNET_SIZE];
    return memcmp(entry->ethernet, zeros, sizeof zeros) == 0;
}
