/* Merges TOML 1.0 into TOML, in place. */
#pragma once

#include "inagent/config/toml_read.h"

/* Adds to 'toml' what makes it contain everything of 'value': tables are merged deeply, everything else is
 * replaced, also arrays of tables. */
int toml_merge(struct toml *toml, const struct toml *value);
