/* TLS with the other hosts of the zone, as hostlet.conf has it: off unless there are files for it. */
#pragma once

#include "lib/config/config.h"
#include "lib/grpc/tls.h"

/* *ret is NULL where it is off. Refused where only some of tls_certificate, tls_key and tls_ca are given. */
int zone_tls_load(const struct config *config, bool server, struct grpc_tls_settings **ret, struct error *e);
