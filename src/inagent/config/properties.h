/* Merges Java properties into Java properties, in place. */
#pragma once

#include "inagent/config/document.h"

/* Reads the document's properties; no key is given twice. */
int properties_read(struct document *d);

/* Adds to 'd' what makes it contain every property of 'value'. Characters beyond ASCII are written as \uXXXX,
 * which every Java reads alike. */
int properties_merge(struct document *d, const struct document *value);
