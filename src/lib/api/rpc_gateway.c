/* Implements rpc_gateway.h: declares io.hostlet.RpcGateway. */
#include "lib/api/rpc_gateway.h"

#include "lib/api/declare.h"

#define T struct gateway_agents
STRUCT(agents, "Agents", T, "The socket of the containers' agents, since the process started.",
       S_INT(T, connections, "Open now."), S_INT(T, accepted, NULL),
       S_INT(T, refused, "Of a container with too many connections, or too many in a short time."),
       S_INT(T, overdue, "Ended because their request took too long."));
#undef T
#define T struct gateway_info_out
STRUCT(info_out, NULL, T, NULL,
       S_STRING_OPT(T, listen, "The address of both ports; absent: [zone] enable is no, and there are none."),
       S_INT_OPT(T, peer_port, "The port for gRPC."), S_INT_OPT(T, http_port, "The port for HTTP."),
       S_STRING_OPT(T, lan_addr, "The machine's address in the zone; absent: no address has been found yet."),
       S_INT(T, started, "Unix seconds."), S_STRUCT(T, agents, struct gateway_agents, &agents, NULL));
#undef T
#define T struct gateway_init_in
STRUCT(init_in, NULL, T, NULL,
       S_STRING_OPT(T, host_id, "12 to 16 hex digits; absent: the existing id, or a new one."),
       S_STRING_OPT(T, access_key, "ak_ID_SECRET; absent: the existing key, or a new one."),
       S_STRING_OPT(T, zone_name, NULL),
       S_STRINGS(
           T, hosts,
           "ADDRESS:PORT of each host of the zone; empty: the leader sends them when it joins this machine."),
       S_STRING_OPT(T, vpc_bridge_ip, "From an import."),
       S_STRING_OPT(T, vpc_instance_cidr, "From an import."),
       S_STRING_OPT(T, network_domain, "From an import; a domain that the zone has sent already is kept."));
#undef T
#define T struct gateway_join_out
STRUCT(join_out, NULL, T, NULL, S_STRING(T, host_id, NULL), S_STRING(T, access_key, "A secret."),
       S_STRING_OPT(
           T, peer_addr,
           "ADDRESS:PORT at which the leader reaches this machine; absent: the machine has no address yet."));
#undef T

static const char *const state_names[] = {
    [GATEWAY_ZONE_NONE] = "none",     [GATEWAY_ZONE_WAITING] = "waiting", [GATEWAY_ZONE_TRYING] = "trying",
    [GATEWAY_ZONE_JOINED] = "joined", [GATEWAY_ZONE_LOST] = "lost",       [_GATEWAY_ZONE_STATE_MAX] = NULL,
};
const struct schema_enum gateway_zone_state_enum = {
    "ZoneState",
    "none: this machine belongs to no zone. waiting: this machine waits for an address of its own, or for "
    "the leader to join it. trying: no leader has replied yet. joined: the leader replies. lost: the leader "
    "no longer replies; the instances keep running.",
    state_names};

#define T struct gateway_zone_out
STRUCT(zone_out, NULL, T, NULL, S_ENUM(T, state, &gateway_zone_state_enum, NULL),
       S_STRING_OPT(T, reason, "Why the state is waiting, trying or lost."), S_STRING_OPT(T, host_id, NULL),
       S_STRING_OPT(T, zone_name, NULL), S_STRING_OPT(T, peer_addr, NULL),
       S_STRINGS(T, hosts, "ADDRESS:PORT of each host of the zone."),
       S_STRING_OPT(T, leader, "The leader that responded last."),
       S_INT_OPT(T, last_success, "The time of the last response, in unix milliseconds."),
       S_INT_OPT(T, next_try, "The time of the next attempt, in unix milliseconds."),
       S_INT_OPT(T, round_trip_usec, "Microseconds from the last call to the last byte of its response."),
       S_INT_OPT(T, failures, "The number of consecutive failures."),
       S_INT_OPT(T, assigned, "The number of instances in the last response."),
       S_INT_OPT(T, waiting, "The number of those instances that the reconciler has not accepted yet."),
       S_STRING_OPT(T, vpc_bridge_ip, NULL), S_STRING_OPT(T, vpc_instance_cidr, NULL),
       S_STRING_OPT(T, network_domain, NULL),
       S_INT_OPT(T, reports_due, "The number of replicas whose stages the leader has not received yet."),
       S_STRINGS(T, problems, "Which parts of the last response were not accepted, and why."),
       S_STRING_OPT(T, clock,
                    "How this machine's clock differs from other clocks; absent: no difference is known."));
#undef T

#define T struct gateway_leave_out
STRUCT(leave_out, NULL, T, NULL,
       S_STRINGS(T, left,
                 "Why the zone's network is not, or not completely, removed from this machine; rpc-gateway "
                 "requests it again until it is."));
#undef T
static const struct varlink_method methods[] = {
    {"Info", 0, NULL, &info_out, "Returns the addresses at which this machine is reached."},
    {"ZoneInit", VARLINK_CHANGES, &init_in, &join_out,
     "Prepares this machine for membership in a zone: makes its host id and access key, or keeps the "
     "existing ones. Refused: the call's id or key differs from the existing one."},
    {"ZoneJoinInfo", 0, NULL, &join_out,
     "Returns what the zone's operator needs to join this machine. NotFound: ZoneInit was not called."},
    {"ZoneStatus", 0, NULL, &zone_out, "Returns the state of this machine's membership in the zone."},
    {"ZoneLeave", VARLINK_CHANGES, NULL, &leave_out,
     "Deletes the zone, the host id and the access key; the zone's instances are no longer assigned to this "
     "machine. Replies when net-keeper has removed the zone's network, or could not. It can be repeated."},
    {.name = NULL},
};
const struct varlink_interface rpc_gateway_interface = {
    "io.hostlet.RpcGateway", "Serves the zone's leader and the agents in this machine's containers.", methods,
    NULL};
