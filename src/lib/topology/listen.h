/* Listens on the TCP ports of services. hostletd, which holds the ports, uses it, and so does a service
 * that another supervisor starts. */
#pragma once

#include "lib/topology/topology.h"

/* Returns the address of the service's n-th TCP port, "0.0.0.0:9533"; the key "listen" of the port's
 * section is the IP address. The caller frees it. */
char *service_conf_tcp_address(const struct service_conf *conf, const struct config *config, size_t n);
/* Checks the configured addresses of the ports that the service listens on. Returns 0, or −EINVAL (refused)
 * when 'listen' is not an IP address, or two ports are the same. */
int service_conf_tcp_check(const struct service_conf *conf, const struct config *config, struct error *e);
/* Listens on the port. Returns a descriptor, non-blocking and close-on-exec, or a negative errno. */
int service_conf_tcp_listen(const struct service_conf *conf, const struct config *config, size_t n,
                            struct error *e);
/* Returns the port's name among inherited descriptors (LISTEN_FDNAMES), the name of its key: "peer_port". */
const char *service_conf_tcp_name(const struct service_conf *conf, size_t n);
