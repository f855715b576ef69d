/* The table [hostlet] of a manifest, as people write it. */
#pragma once

#include "lib/api/app.h"

/* Reads the table into a manifest that has its spec: options, and what becomes part of the instance
 * (instance, replicas, configs, host_ports), which is refused where 'instance_given' says that a whole
 * AppInstance says it already. Messages begin with the pointer of the member, "/hostlet/…". */
int options_parse(json_t *table, bool instance_given, struct app_manifest *manifest, struct error *e);
