/* Stores which file a partial file is a part of, as JSON beside it. The facts are written before the first
 * byte, so that an interrupted download is resumed only if the server still has the same file. */
#pragma once

#include "lib/api/package.h"

struct facts {
    int64_t format;
    char *url;  /* without user and password */
    char *etag; /* a strong ETag; for a local file a text that identifies its contents */
    char *last_modified;
    char *sha256, *checksum; /* as in the reference */
    int64_t size;            /* of the whole file in bytes; 0: not known */
};

/* Reads the facts; facts_done() releases them. Returns 0, or −ENOENT if there are none that can be used. */
int facts_read(int partial_fd, const char *id, struct facts *ret);
/* Replaces the facts atomically. Waits for the disk, so it is called in a thread. Returns 0 or a negative
 * errno. */
int facts_write(int partial_fd, const char *id, const char *text, struct error *e);
char *facts_text(const struct facts *facts);
void facts_remove(int partial_fd, const char *id);
void facts_done(struct facts *facts);

/* Reports whether a partial file with these facts can be resumed for this package from this URL. */
bool facts_match(const struct facts *facts, const char *url, const struct package_reference *reference);

/* Returns the validator for If-Range (borrowed): the ETag, or the date if there is none; NULL without
 * either. */
const char *facts_validator(const struct facts *facts);

/* Returns a copy of an ETag that is valid for ranges, or NULL if it is weak ("W/…"), too long or
 * malformed. */
char *strong_etag(const char *etag);
/* Returns a copy of a date that can be sent back, or NULL. */
char *plain_date(const char *date);
