/* Reads the parts of a TOML text that are not tables: keys, strings, numbers, dates. */
#pragma once

#include "inagent/config/document.h"

/* Skips spaces and tabs. */
void toml_skip_space(struct document *d);

/* Reads one part of a key. The caller frees *ret. */
int toml_scan_key(struct document *d, char **ret, size_t *ret_size);

/* Reads a string, number, date or truth value. */
int toml_scan_scalar(struct document *d);
