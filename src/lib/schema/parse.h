/* Parses JSON into declared C structs. */
#pragma once

#include "lib/schema/schema.h"

enum {
    SCHEMA_STRICT =
        1, /* an unknown member is an error (requests, manifests), not ignored (replies, others' files) */
};

/* Parses 'json' into the zeroed struct '*ret'. On failure *ret is released and zero, and the error names the
 * member by its JSON pointer: "/spec/name: expected a string, got an integer". */
int schema_parse(const struct schema_struct *s, json_t *json, unsigned flags, void *ret, struct error *e);

/* The same from text, with duplicate keys refused; 'source' is named in errors (a path, "the request"). */
int schema_parse_text(const struct schema_struct *s, const char *text, size_t size, unsigned flags,
                      const char *source, void *ret, struct error *e);
