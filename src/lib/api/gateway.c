/* Declaration of io.hostlet.Gateway; see gateway.h. */
#include "lib/api/gateway.h"

#define T struct gateway_info_out
static const struct schema_field info_fields[] = {
    S_BOOL(T, enabled, "Whether this machine is to be a member of a zone."),
    S_STRING_OPT(T, listen, "The address of both ports."),
    S_INT_OPT(T, peer_port, "The port for gRPC; absent: not bound."),
    S_INT_OPT(T, http_port, "The port for HTTP; absent: not bound."),
    S_STRING_OPT(T, lan_addr, "The machine's address in the zone; absent: none was found yet."),
    S_INT(T, started, "Unix seconds."),
    S_END,
};
static const struct schema_struct info_out = {NULL, sizeof(T), NULL, info_fields};
#undef T

static const struct varlink_method methods[] = {
    {"Info", 0, NULL, &info_out, "Where it is reached."},
    {.name = NULL},
};
const struct varlink_interface gateway_interface = {
    "io.hostlet.Gateway", "The machine's face towards its zone and its containers.", methods, NULL};
