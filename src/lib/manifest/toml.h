/* Converts TOML to JSON. Its interface is C; toml++, which it uses, is C++. */
#pragma once

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The line of every member of a document, by its JSON pointer (without the pointer's escapes). */
struct toml_lines;

/* Parses TOML 1.0 into JSON. The caller drops the reference *ret and frees *ret_lines. For a mistake it
 * returns −EINVAL and sets *ret_mistake, "LINE:COLUMN: …" or "LINE: POINTER: …", which the caller frees.
 * Dates and times are mistakes: no manifest contains them. (There is no struct error, whose header is not
 * valid C++.) */
int toml_parse(const char *text, size_t size, json_t **ret, struct toml_lines **ret_lines,
               char **ret_mistake);

/* Returns the line (from 1) of the member, or of the nearest enclosing member that the document contains. */
unsigned toml_line(const struct toml_lines *lines, const char *pointer);

struct toml_lines *toml_lines_free(struct toml_lines *lines);

#ifdef __cplusplus
}
#endif
