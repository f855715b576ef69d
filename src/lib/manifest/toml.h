/* TOML as JSON, behind a C interface: toml++ is C++, and this is the only place that knows. */
#pragma once

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The line of every member of a document, by its JSON pointer (without the pointer's escapes). */
struct toml_lines;

/* Parses TOML 1.0 into JSON: the caller drops *ret and frees *ret_lines. For a mistake it returns −EINVAL and
 * *ret_mistake, "LINE:COLUMN: …", which the caller frees. Dates and times, which no manifest has, are
 * mistakes. (No struct error here: its header is no C++.) */
int toml_parse(const char *text, size_t size, json_t **ret, struct toml_lines **ret_lines,
               char **ret_mistake);

/* The line (from 1) of the member, or of the nearest around it that the document has. */
unsigned toml_line(const struct toml_lines *lines, const char *pointer);

struct toml_lines *toml_lines_free(struct toml_lines *lines);

#ifdef __cplusplus
}
#endif
