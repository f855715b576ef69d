/* Loads the TLS settings for connections with other hosts of the zone from hostlet.conf: TLS is off unless
 * its files are configured. */
#pragma once

#include "lib/config/config.h"
#include "lib/grpc/tls.h"

/* Sets *ret to the settings, or to NULL if TLS is off. Returns −EINVAL (refused) if only some of
 * tls_certificate, tls_key and tls_ca are configured. */
int zone_tls_load(const struct config *config, bool server, struct grpc_tls_settings **ret, struct error *e);
