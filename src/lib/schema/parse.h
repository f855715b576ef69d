/* Parses JSON into declared C structs. */
#pragma once

#include "lib/schema/schema.h"

enum {
    /* An unknown member is an error: for requests and manifests. Without the flag it is ignored: for replies
     * and files, which another version or program may have written. */
    SCHEMA_STRICT = 1,
};

/* Parses 'json' (borrowed) into '*ret', which must be zero; the caller releases it with schema_done().
 * Returns 0, or −EINVAL (refused) with an error that names the member by its JSON pointer: "/spec/name:
 * expected a string, got an integer". On failure *ret is released and zero. */
int schema_parse(const struct schema_struct *s, json_t *json, unsigned flags, void *ret, struct error *e);

/* Parses text in the same way, and refuses objects in which a key occurs twice. Errors begin with 'source' (a
 * path, "the request"). */
int schema_parse_text(const struct schema_struct *s, const char *text, size_t size, unsigned flags,
                      const char *source, void *ret, struct error *e);
