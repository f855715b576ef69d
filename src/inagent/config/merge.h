/* Merges the value of a config item into the text of a file: chooses the format and checks the result. */
#pragma once

#include "inagent/config/document.h"

enum config_format { CONFIG_JSON, CONFIG_TOML, CONFIG_YAML, CONFIG_PROPERTIES, CONFIG_INI };

/* Chooses the format by the item's type ("text_json", …), for another type by the file's extension. Returns
 * 0, or −EINVAL (refused) if neither is known. */
int config_format(const char *type, const char *path, enum config_format *ret, struct error *e);

/* Merges 'value' into 'old' (both with a final NUL after their 'size' bytes): tables are merged deeply, the
 * value wins, and everything that the value does not name stays as it is, byte by byte. INI replaces the
 * text. An empty text becomes the value. Fails without a result, and names line and column in 'old_name' or
 * 'value_name', if one of them cannot be parsed, or the merge is not possible in place. The caller frees
 * *ret. */
int config_merge(enum config_format format, const char *old_name, const char *old, size_t size,
                 const char *value_name, const char *value, char **ret, size_t *ret_size, struct error *e);
