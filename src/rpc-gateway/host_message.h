/* Fills HostStatus of the contract, section 3, the message with the machine's figures. */
#pragma once

#include "lib/inapi/host.pb-c.h"
#include "rpc-gateway/host_status.h"

/* Fills 'ret', which borrows from the other arguments. 'lan_addr' can be NULL. */
void host_message_fill(const struct host_status *status, const char *host_id, const char *lan_addr,
                       Inapi__HostStatus *ret);
