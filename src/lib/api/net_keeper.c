/* Declares io.hostlet.NetKeeper; see net_keeper.h. */
#include "lib/api/net_keeper.h"

#include "lib/api/declare.h"

static const char *const net_ping_method_names[] = {[NET_PING_ICMP] = "icmp", [NET_PING_TCP] = "tcp", NULL};
const struct schema_enum net_ping_method_enum = {
    "PingMethod",
    "icmp: an echo request to the host's address on the VXLAN device. tcp: a connection to the peer port "
    "there, "
    "where the kernel does not permit such requests to hostlet-net-keeper.",
    net_ping_method_names};

#define T struct net_host
STRUCT(net_host_schema, "Host", T, "One machine of the zone. Addresses are IPv4.", S_STRING(T, id, NULL),
       S_STRING(T, peer, "In the network that connects the machines."),
       S_STRING(T, bridge, "On the VXLAN device."),
       S_STRING(T, instance, "The network of its containers, such as 10.10.4.0/24."));
#undef T
#define T struct net_record
STRUCT(net_record_schema, "Record", T, "One name of the zone.", S_STRING(T, name, "Without the domain."),
       S_STRING(T, address, "IPv4."));
#undef T
#define T struct net_network
STRUCT_EXPORTED(net_network_schema, "Network", T, "The zone's network, as this machine sees it.",
                S_STRING(T, host_id, "This machine's id."),
                S_STRING(T, lan_addr, "This machine's address in the zone; its device carries the VXLAN."),
                S_STRING(T, bridge_ip, "This machine's address on the VXLAN device, which has a /24."),
                S_STRING(T, instance_cidr, "The network of this machine's containers."),
                S_STRING_OPT(T, vpc_bridge_cidr, "The range of the zone's bridge addresses."),
                S_STRING_OPT(T, vpc_instance_cidr, "The range of the zone's containers."),
                S_STRING_OPT(T, domain, "The domain of the zone's names."),
                S_STRUCTS(T, hosts, struct net_host, &net_host_schema,
                          "All machines of the zone, this one, too; 4096 at most."),
                S_STRUCTS(T, records, struct net_record, &net_record_schema,
                          "The zone's names; 65536 at most."));
#undef T
#define T struct net_set_network_in
STRUCT(net_set_network_in_schema, NULL, T, NULL,
       S_STRUCT_OPT(T, network, struct net_network, &net_network_schema,
                    "Absent: this machine has no such network, and everything of it is removed."));
#undef T
#define T struct net_set_network_out
STRUCT(net_set_network_out_schema, NULL, T, NULL,
       S_BOOL(T, changed, "The network differs from the one before, or the kernel was changed."),
       S_STRINGS(T, problems, "What is not as the network requires, one sentence each."));
#undef T
#define T struct net_info_out
STRUCT(net_info_out_schema, NULL, T, NULL, S_BOOL(T, network, "This machine has a network of a zone."),
       S_STRING_OPT(T, instance_cidr, "The network of this machine's containers."),
       S_STRING_OPT(T, host_id, "This machine's id in the zone."),
       S_STRING_OPT(T, lan_addr, "This machine's address in the zone."),
       S_STRING_OPT(T, bridge_ip, "This machine's address on the device, whose network is a /24."),
       S_STRING_OPT(T, device, "The VXLAN device's name."),
       S_STRING_OPT(T, underlay, "The device that has this machine's address in the zone."),
       S_INT_OPT(T, mtu, "The VXLAN device's, in bytes."),
       S_BOOL(T, device_ok, "The device is as the network requires."),
       S_BOOL(T, masquerade, "net-keeper's own rule masquerades what leaves the zone's network."),
       S_STRING_OPT(T, masquerade_problem, "Why that rule does not exist."),
       S_STRING_OPT(T, dns_file, "The file with the zone's names."),
       S_STRING_OPT(T, dns_problem, "Why it is not written."),
       S_STRINGS(T, problems, "What is not as the network requires, one sentence each."),
       S_INT_OPT(T, peers, "Other machines that are reachable by the kernel's entries."),
       S_INT_OPT(T, repairs, "How often net-keeper corrected what another program changed, since its start."),
       S_INT_OPT(T, changes, "Messages that changed something in the kernel, since the start."));
#undef T
#define T struct net_host_state
STRUCT_EXPORTED(net_host_state_schema, "HostState", T, "One other machine of the zone.",
                S_STRING(T, id, NULL), S_STRING(T, peer, NULL), S_STRING(T, bridge, NULL),
                S_STRING(T, instance, NULL),
                S_BOOL(T, present, "The kernel has its forwarding entry and its route."),
                S_STRING_OPT(T, problem, "Why not."),
                S_INT_OPT(T, sent_bytes,
                          "Of the packets that carry the zone's network to it, with their outer headers."),
                S_INT_OPT(T, sent_packets, NULL), S_INT_OPT(T, received_bytes, "From it."),
                S_INT_OPT(T, received_packets, NULL));
#undef T
#define T struct net_list_out
STRUCT(net_list_out_schema, NULL, T, NULL,
       S_STRUCT_OPT(T, host, struct net_host_state, &net_host_state_schema,
                    "Absent in the reply that ends the list."));
#undef T
#define T struct net_ping_in
STRUCT(net_ping_in_schema, NULL, T, NULL, S_STRING(T, host, "The id of another machine."));
#undef T
#define T struct net_ping_out
STRUCT(net_ping_out_schema, NULL, T, NULL, S_STRING(T, address, "The address that replied."),
       S_ENUM(T, method, &net_ping_method_enum, NULL), S_INT(T, usec, "Microseconds until the reply."));
#undef T
static const struct varlink_method methods[] = {
    {"SetNetwork", VARLINK_CHANGES, &net_set_network_in_schema, &net_set_network_out_schema,
     "Stores the zone's network and makes the kernel agree with it. A part that contradicts itself or this "
     "machine is not made, and a problem states it; the call succeeds. Refused: more hosts or records than "
     "allowed."},
    {"Info", 0, NULL, &net_info_out_schema, "Returns what exists of the network and what differs."},
    {"List", VARLINK_MORE, NULL, &net_list_out_schema, "Lists the zone's other machines, one per reply."},
    {"Ping", 0, &net_ping_in_schema, &net_ping_out_schema,
     "Asks another machine for a sign of life through the VXLAN device. NotFound: the network has no such "
     "host. "
     "Failed: it did not reply; the message states what was attempted."},
    {.name = NULL},
};
const struct varlink_interface net_keeper_interface = {"io.hostlet.NetKeeper",
                                                       "The zone's network between machines.", methods, NULL};
