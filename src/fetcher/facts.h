/* What a partial file is a part of: kept as JSON beside it, written before its first byte, so that a download
 * that was interrupted anywhere goes on only where the server still has the same file. */
#pragma once

#include "lib/api/package.h"

struct facts {
    int64_t format;
    char *url;  /* without user and password */
    char *etag; /* a strong one; of a local file what identifies its contents */
    char *last_modified;
    char *sha256, *checksum; /* as the reference has them */
    int64_t size;            /* of the whole file; 0: not known */
};

/* 0 and the facts (facts_done releases), or −ENOENT when there are none that can be used. */
int facts_read(int partial_fd, const char *id, struct facts *ret);
/* Replaces them atomically. For a thread: waits for the disk. */
int facts_write(int partial_fd, const char *id, const char *text, struct error *e);
char *facts_text(const struct facts *facts);
void facts_remove(int partial_fd, const char *id);
void facts_done(struct facts *facts);

/* Whether a partial file with these facts may be continued for this package from this URL. */
bool facts_match(const struct facts *facts, const char *url, const struct package_reference *reference);

/* The validator for If-Range: the ETag when there is one, else the date; NULL without either. */
const char *facts_validator(const struct facts *facts);

/* A copy of an ETag that may be used for ranges: NULL for a weak one ("W/…"), an overlong or a malformed one.
 */
char *strong_etag(const char *etag);
/* A copy of a date that may be sent back, or NULL. */
char *plain_date(const char *date);
