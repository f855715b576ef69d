/* Binds the TCP ports of services. Used by hostletd, which holds them, and by a service that
 * something else starts. */
#pragma once

#include "lib/topology/topology.h"

/* Where its n-th TCP port listens, "0.0.0.0:9533", the address being the key "listen" of the port's
 * section. The caller frees. */
char *service_conf_tcp_address(const struct service_conf *conf, const struct config *config, size_t n);
/* Binds it: a descriptor, non-blocking and close-on-exec, or a negative errno. */
int service_conf_tcp_listen(const struct service_conf *conf, const struct config *config, size_t n,
                            struct error *e);
/* The name it goes by among inherited descriptors (LISTEN_FDNAMES): that of its key, "peer_port". */
const char *service_conf_tcp_name(const struct service_conf *conf, size_t n);
