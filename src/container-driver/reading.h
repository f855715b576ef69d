/* Reading JSON that others wrote (Docker's answers): members by path, types checked, absence allowed, one
 * error kept.
 *
 * A reader asks for all that it wants and looks at the error once, at the end: after a wrong type every
 * further value is empty. */
#pragma once

#include <jansson.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

struct reading {
    const char *what; /* named in the error: "Docker's answer to GET /info" */
    struct error *error;
    int r; /* negative errno once something was wrong */
};

/* 'path' is "State/ExitCode". Absent and null are NULL, 0, false; another type is an error. Strings and
 * values are borrowed. */
const char *read_string(struct reading *r, json_t *from, const char *path);
int64_t read_integer(struct reading *r, json_t *from, const char *path);
bool read_bool(struct reading *r, json_t *from, const char *path);
json_t *read_object(struct reading *r, json_t *from, const char *path);
json_t *read_array(struct reading *r, json_t *from, const char *path);
/* Strings of an array, copied; the caller owns them. */
void read_strings(struct reading *r, json_t *from, const char *path, char ***ret, size_t *ret_n);
/* RFC 3339 as unix milliseconds; the year 1 (Docker's "never") is 0. */
int64_t read_time(struct reading *r, json_t *from, const char *path);
/* As read_string, but absence is an error too; "" then. */
const char *need_string(struct reading *r, json_t *from, const char *path);

/* Text of an answer as JSON. NUL in strings is let through: a container's output is in some of them. */
int parse_answer(const char *what, const char *text, size_t size, json_t **ret, struct error *e);

/* A copy of foreign text for a message: control characters of ASCII become blanks, what else is not
 * printable '?', cut at 'max' bytes. The caller frees. */
char *clean_text(const char *text, size_t max);

DEFINE_CLEANUP(json_t *, json_decref);
#define _cleanup_json_ _cleanup_(cleanup_json_decref)
