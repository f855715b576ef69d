/* HostStatus of the contract, section 3: the machine's figures as they travel. */
#pragma once

#include "lib/inapi/host.pb-c.h"
#include "rpc-gateway/host_status.h"

/* Fills 'ret', which borrows from the others. 'lan_addr' may be NULL. */
void host_message_fill(const struct host_status *status, const char *host_id, const char *lan_addr,
                       Inapi__HostStatus *ret);
