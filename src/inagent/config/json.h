/* Merges JSON (RFC 8259) into JSON, in place. */
#pragma once

#include "inagent/config/document.h"

/* Reads the document's tree; the text is one object, and no key is given twice. */
int json_read(struct document *d);

/* Adds to 'd' what makes it contain every member of 'value': objects are merged deeply, everything else is
 * replaced. */
int json_merge(struct document *d, const struct document *value);
