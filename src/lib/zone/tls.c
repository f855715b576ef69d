/* Implements tls.h. */
#include "lib/zone/tls.h"

#include <errno.h>

int zone_tls_load(const struct config *config, bool server, struct grpc_tls_settings **ret, struct error *e)
{
    const char *certificate = config_string(config, "zone", "tls_certificate"),
               *key = config_string(config, "zone", "tls_key"), *ca = config_string(config, "zone", "tls_ca");
    *ret = NULL;
    if (!*certificate && !*key && !*ca)
        return 0;
    if (!*certificate || !*key || !*ca)
        return error_refuse(e, EINVAL, "[zone] tls_certificate, tls_key and tls_ca: all of them, or none");
    bool verify = !server || config_bool(config, "zone", "tls_verify_clients");
    return grpc_tls_settings_new(server, certificate, key, verify ? ca : NULL, ret, e);
}
