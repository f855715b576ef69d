/* Writing a part of the configuration for the administrator, and having it taken. */
#pragma once

#include "ctl/ctl.h"

/* Writes ETC/hostlet.conf.d/NAME. */
int write_config_part(const struct ctl *ctl, const char *name, const char *text, struct error *e);

/* Whether hostlet.conf says yes to [zone] enable. */
int zone_is_enabled(const struct ctl *ctl, bool *ret, struct error *e);

/* One line on standard error where no certificate for gRPC is configured. */
void warn_without_tls(const struct ctl *ctl);

/* Where hostlet.conf has the applications; the caller frees. */
int configured_app_path(const struct ctl *ctl, char **ret, struct error *e);

/* A call to rpc-gateway, which a reload may just be starting: waits for it. 'out' as for ctl_call(). */
int call_gateway(const struct ctl *ctl, const char *method, const void *in, void *out, struct error *e);
