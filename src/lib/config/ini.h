/* INI files through libinih, held to what it cannot tell by itself: line numbers, no cut lines, no
 * continuations. */
#pragma once

#include "lib/basic/error.h"

/* Called for each "key = value"; 'line' counts from 1. Negative errno with 'e' filled stops the reading. */
typedef int (*ini_value_fn)(const char *section, const char *key, const char *value, unsigned line,
                            void *userdata, struct error *e);

/* Reads a file of at most 1 MiB. Errors name file and line. A line over 190 bytes, a continuation line, a
 * line that is no "key = value" and a key outside of a section are refused. −ENOENT when the file does not
 * exist. */
int ini_read(const char *path, ini_value_fn on_value, void *userdata, struct error *e);
