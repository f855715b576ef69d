/* Declaration of io.hostlet.Gateway; see gateway.h. */
#include "lib/api/gateway.h"

#define T struct gateway_info_out
static const struct schema_field info_fields[] = {
    S_STRING(T, listen, "The address of both ports."),
    S_INT(T, peer_port, "The port for gRPC."),
    S_INT(T, http_port, "The port for HTTP."),
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
