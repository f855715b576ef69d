/* Decides what an HTTP response to a download means, without doing anything, so that the rules can be tested
 * completely. (RFC 9110, sections 13.1.5, 14 and 15.) */
#pragma once

#include "lib/basic/error.h"

struct answer_range {
    uint64_t first, last;
    uint64_t total; /* UINT64_MAX: "*" */
};

/* Parses a Content-Range header: "bytes 0-9/100", or "bytes 0-9/" and a star. Returns 0 or −EINVAL. */
int answer_range_parse(const char *value, struct answer_range *ret);
/* Parses the Content-Range header of a response 416: "bytes", a star and "/100". Returns 0 or −EINVAL. */
int answer_range_total(const char *value, uint64_t *ret);

struct answer {
    unsigned status;
    const char *content_range, *content_length, *etag; /* NULL if the response has no such header */
};

struct question {
    uint64_t from;    /* the first byte of the requested range; 0: the whole file was requested */
    uint64_t size;    /* that the package must have; 0: not known */
    const char *etag; /* of the bytes that exist already; NULL: not known */
};

enum answer_meaning {
    ANSWER_CONTINUES, /* the bytes from 'from' on follow */
    ANSWER_WHOLE,     /* the whole file follows: the existing bytes are useless */
    ANSWER_COMPLETE,  /* all bytes exist already */
    ANSWER_AGAIN,     /* useless, but the whole file can be requested */
    ANSWER_ERROR,     /* 'e' contains the reason */
};

/* Returns the meaning of a response. *ret_size is the size of the whole file: the response's, or q->size if
 * the response does not contain it (0: not known). For ANSWER_ERROR and ANSWER_AGAIN, 'e' is the reason, and
 * *ret_size is meaningless. */
enum answer_meaning answer_meaning(const struct question *q, const struct answer *a, uint64_t *ret_size,
                                   struct error *e);

/* Returns 0 for status 2xx, otherwise a negative errno with 'e' set. */
int answer_status_error(unsigned status, struct error *e);

/* Returns the seconds of a Retry-After header, at most 60; 0 if it is absent or a date. */
unsigned answer_retry_after(const char *value);
