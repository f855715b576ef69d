/* Reads the configuration, writes parts of it for the administrator, and waits until services use it. */
#pragma once

#include "ctl/ctl.h"
#include "lib/config/config.h"

/* Reads the configuration as it would be with the given text in ETC/hostlet.conf.d/NAME. Returns a negative
 * errno (refused), with file and line, if it had a mistake. The caller frees '*ret'. */
int read_config_with(const struct ctl *ctl, const char *name, const char *text, struct config **ret,
                     struct error *e);
/* Writes ETC/hostlet.conf.d/NAME with the given text, and has hostletd read its configuration again. If the
 * configuration is refused, the file is as before, since otherwise each later reload would fail. */
int use_config_part(const struct ctl *ctl, const char *name, const char *text, struct error *e);

/* Reads whether [zone] enable is yes in the configuration. */
int zone_is_enabled(const struct ctl *ctl, bool *ret, struct error *e);

/* Prints a warning to standard error if no certificate for gRPC is configured. */
void warn_without_tls(const struct ctl *ctl);

/* Reads the app path of the configuration; the caller frees '*ret'. */
int configured_app_path(const struct ctl *ctl, char **ret, struct error *e);

/* Calls rpc-gateway, and waits up to 30 seconds if a reload is just starting it. 'out' is used as by
 * ctl_call(). */
int call_gateway(const struct ctl *ctl, const char *method, const void *in, void *out, struct error *e);
