/* The interface of rpc-gateway, the face turned to the network. */
#pragma once

#include "lib/varlink/interface.h"

extern const struct varlink_interface gateway_interface;

struct gateway_info_out {
    char *listen; /* the address of both ports */
    int64_t peer_port, http_port;
    char *lan_addr;  /* NULL: none found yet */
    int64_t started; /* unix seconds */
};
