/* Implements the commands for configuration files: config-render, config-merge, config-export. */
#pragma once

#include "lib/basic/error.h"

/* Writes the text of the file 'in', expanded, to the file 'out'. */
int command_render(const char *prefix, const char *in, const char *out, struct error *e);

/* Merges the config item 'field' into the file 'path'. An item without a value changes nothing. */
int command_merge(const char *prefix, const char *field, const char *path, struct error *e);

/* Prints all variables. */
int command_export(const char *prefix, struct error *e);
