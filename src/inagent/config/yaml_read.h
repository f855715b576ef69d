/* Reads YAML in block style: mappings, sequences and scalars. What is in flow style is read, too, and is one
 * value for the merge. Anchors, aliases, tags, directives, merge keys, keys that are no scalars and several
 * documents are refused. */
#pragma once

#include "inagent/config/document.h"

/* Reads the document's tree. The text is a mapping in block style, "{}", or empty. */
int yaml_read(struct document *d);
