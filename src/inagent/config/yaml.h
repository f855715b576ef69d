/* Merges YAML in block style into YAML, in place. */
#pragma once

#include "inagent/config/document.h"

/* Adds to 'd' what makes it contain everything of 'value'; both were read by yaml_read(). Mappings are merged
 * deeply, everything else is replaced, with the lines below its key. Refuses to merge two mappings of which
 * one is in flow style. */
int yaml_merge(struct document *d, const struct document *value);
