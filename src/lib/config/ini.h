/* Reads INI files with libinih and adds what it lacks: line numbers, and the refusal of long lines and of
 * continuation lines. */
#pragma once

#include "lib/basic/error.h"

/* Called for each "key = value"; 'line' counts from 1. A negative errno, with 'e' set, stops the reading. */
typedef int (*ini_value_fn)(const char *section, const char *key, const char *value, unsigned line,
                            void *userdata, struct error *e);

/* Reads a file of at most 1 MiB. Messages name file and line. Refused (−EINVAL) are a line over 190 bytes,
 * a continuation line, a line that is not "key = value", and a key outside of a section. Returns −ENOENT
 * if the file does not exist. */
int ini_read(const char *path, ini_value_fn on_value, void *userdata, struct error *e);
/* Does the same with the text of a file, which messages name 'path'. */
int ini_read_text(const char *path, const char *text, ini_value_fn on_value, void *userdata, struct error *e);
