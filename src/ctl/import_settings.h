/* Makes and checks the settings that an import takes over from the original agent. */
#pragma once

#include "ctl/ctl.h"
#include "ctl/original.h"

/* The part of the configuration that the settings are written to, below hostlet.conf.d. */
#define IMPORT_CONFIG_NAME "50-import.conf"

/* Returns the text of that file. The caller frees it. */
char *import_settings_make(const struct original *original);

/* Checks, before anything is changed, all that later steps of an import would refuse: that the settings are
 * valid and effective, that hostlet has no applications in another app path, and that this machine can be the
 * host that the original is. Returns 0 or a negative errno (refused). */
int import_settings_check(const struct ctl *ctl, const struct original *original, const char *text,
                          struct error *e);
