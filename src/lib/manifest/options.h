/* Parses the table [hostlet] of a manifest as an administrator writes it. */
#pragma once

#include "lib/api/app.h"

/* Reads the table into a manifest that contains its spec: hostlet's options, and the keys that become part
 * of the instance (instance, replicas, configs, host_ports). These are refused if 'instance_given', since
 * a whole AppInstance defines them itself. Messages begin with the pointer of the member, "/hostlet/…".
 * Returns 0 or −EINVAL (refused). */
int options_parse(json_t *table, bool instance_given, struct app_manifest *manifest, struct error *e);
