/* Reads members of JSON from another program (Docker's responses) by path, with a check of their types. A
 * member may be absent.
 *
 * A caller reads all members that it needs and checks 'r' once, at the end: after the first member with a
 * wrong type, every further value is empty. */
#pragma once

#include <jansson.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

struct reading {
    const char *what; /* the document, for errors: "Docker's response to GET /info" */
    struct error *error;
    int r; /* 0, or the negative errno of the first error */
};

/* Return the member at 'path' ("State/ExitCode"), borrowed, or NULL, 0 or false when it is absent or null.
 * Another type is an error. An integer above INT64_MAX is INT64_MAX. */
const char *read_string(struct reading *r, json_t *from, const char *path);
int64_t read_integer(struct reading *r, json_t *from, const char *path);
bool read_bool(struct reading *r, json_t *from, const char *path);
json_t *read_object(struct reading *r, json_t *from, const char *path);
json_t *read_array(struct reading *r, json_t *from, const char *path);
/* Copies the strings of an array; the caller owns them. */
void read_strings(struct reading *r, json_t *from, const char *path, char ***ret, size_t *ret_n);
/* Returns a time of RFC 3339 in unix milliseconds. The year 1, with which Docker means "never", is 0. */
int64_t read_time(struct reading *r, json_t *from, const char *path);
/* Does the same as read_string(), but an absent member is an error, and the result is then "". */
const char *need_string(struct reading *r, json_t *from, const char *path);

/* Parses the text of a response as JSON; the caller releases *ret. A NUL in a string is accepted, because
 * some strings contain a container's output. Returns 0, or −EPROTO (failed). */
int parse_answer(const char *what, const char *text, size_t size, json_t **ret, struct error *e);

/* Copies another program's text for use in a message: removes white space at its end, and replaces
 * control characters of ASCII with spaces and other unprintable characters with '?'. A text of more than
 * 'max' bytes is cut before the character that exceeds them, and gets "…" as its end. The caller frees. */
char *clean_text(const char *text, size_t max);

DEFINE_CLEANUP(json_t *, json_decref);
#define _cleanup_json_ _cleanup_(cleanup_json_decref)
