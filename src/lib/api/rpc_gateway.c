/* Declares io.hostlet.RpcGateway; see rpc_gateway.h. */
#include "lib/api/rpc_gateway.h"

#include "lib/api/declare.h"

#define T struct gateway_info_out
STRUCT(info_out, NULL, T, NULL, S_STRING(T, listen, "The address of both ports."),
       S_INT(T, peer_port, "The port for gRPC."), S_INT(T, http_port, "The port for HTTP."),
       S_STRING_OPT(T, lan_addr, "The machine's address in the zone; absent: none was found yet."),
       S_INT(T, started, "Unix seconds."));
#undef T
#define T struct gateway_init_in
STRUCT(init_in, NULL, T, NULL, S_STRING_OPT(T, host_id, "12 to 16 hex digits; absent: made."),
       S_STRING_OPT(T, access_key, "ak_ID_SECRET; absent: made."), S_STRING_OPT(T, zone_name, NULL),
       S_STRINGS(T, hosts,
                 "ADDRESS:PORT of the zone's hosts; none: the leader tells them when it joins this machine."),
       S_STRING_OPT(T, vpc_bridge_ip, "Of an import."), S_STRING_OPT(T, vpc_instance_cidr, "Of an import."),
       S_STRING_OPT(T, network_domain, "Of an import; what the zone has told stays."));
#undef T
#define T struct gateway_join_out
STRUCT(join_out, NULL, T, NULL, S_STRING(T, host_id, NULL), S_STRING(T, access_key, "A secret."),
       S_STRING_OPT(T, peer_addr, "Where the leader reaches this machine; absent: it has no address yet."));
#undef T

static const char *const state_names[] = {
    [GATEWAY_ZONE_NONE] = "none",     [GATEWAY_ZONE_WAITING] = "waiting", [GATEWAY_ZONE_TRYING] = "trying",
    [GATEWAY_ZONE_JOINED] = "joined", [GATEWAY_ZONE_LOST] = "lost",       [_GATEWAY_ZONE_STATE_MAX] = NULL,
};
const struct schema_enum gateway_zone_state_enum = {
    "ZoneState",
    "none: this machine belongs to no zone. waiting: for an address of its own, or to be joined. trying: no "
    "leader has "
    "answered yet. lost: it answers no more; what runs runs on.",
    state_names};

#define T struct gateway_zone_out
STRUCT(zone_out, NULL, T, NULL, S_ENUM(T, state, &gateway_zone_state_enum, NULL),
       S_STRING_OPT(T, reason, "Of waiting, trying and lost."), S_STRING_OPT(T, host_id, NULL),
       S_STRING_OPT(T, zone_name, NULL), S_STRING_OPT(T, peer_addr, NULL),
       S_STRINGS(T, hosts, "Of the zone."), S_STRING_OPT(T, leader, "The one that answered last."),
       S_INT_OPT(T, last_success, "Unix milliseconds."), S_INT_OPT(T, next_try, "Unix milliseconds."),
       S_INT_OPT(T, round_trip_usec, "Of the last answer, from the call to its last byte."),
       S_INT_OPT(T, failures, "In a row."), S_INT_OPT(T, assigned, "Instances in the last answer."),
       S_INT_OPT(T, waiting, "Of them, those that are on their way to the reconciler."),
       S_STRING_OPT(T, vpc_bridge_ip, NULL), S_STRING_OPT(T, vpc_instance_cidr, NULL),
       S_STRING_OPT(T, network_domain, NULL),
       S_INT_OPT(T, reports_due, "Replicas whose stages the leader has not got yet."),
       S_STRINGS(T, problems, "What of the last answer could not be taken, and why."),
       S_STRING_OPT(T, clock, "What is known of clocks that disagree."));
#undef T

static const struct varlink_method methods[] = {
    {"Info", 0, NULL, &info_out, "Where it is reached."},
    {"ZoneInit", VARLINK_CHANGES, &init_in, &join_out,
     "Makes this machine ready to be a member of a zone: its host id and access key, which stay what they "
     "are when they are there. "
     "Refused for another id or key than those."},
    {"ZoneJoinInfo", 0, NULL, &join_out,
     "What the zone's operator needs to join this machine; NotFound before ZoneInit."},
    {"ZoneStatus", 0, NULL, &zone_out, "How it stands with the zone."},
    {"ZoneLeave", VARLINK_CHANGES, NULL, NULL,
     "Forgets the zone, host id and access key; its instances are no longer assigned."},
    {.name = NULL},
};
const struct varlink_interface rpc_gateway_interface = {
    "io.hostlet.RpcGateway", "The machine's face towards its zone and its containers.", methods, NULL};
