/* What an HTTP answer to a download means: pure decisions, apart from the transfer, so that they can be
 * tested whole. (RFC 9110, sections 13.1.5, 14 and 15.) */
#pragma once

#include "lib/basic/error.h"

struct answer_range {
    uint64_t first, last;
    uint64_t total; /* UINT64_MAX: "*" */
};

/* Content-Range: "bytes 0-9/100", "bytes 0-9/" and a star: 0 or −EINVAL. */
int answer_range_parse(const char *value, struct answer_range *ret);
/* "bytes", a star and "/100", which comes with 416: 0 or −EINVAL. */
int answer_range_total(const char *value, uint64_t *ret);

struct answer {
    unsigned status;
    const char *content_range, *content_length, *etag; /* NULL when absent */
};

struct question {
    uint64_t from;    /* the range asked for began here; 0: the whole */
    uint64_t size;    /* that the package must have; 0: nobody says */
    const char *etag; /* of what is there already; NULL: not known */
};

enum answer_meaning {
    ANSWER_CONTINUES, /* bytes from 'from' on follow */
    ANSWER_WHOLE,     /* the whole file follows: what is there already does not count */
    ANSWER_COMPLETE,  /* everything is there already */
    ANSWER_AGAIN,     /* of no use, but the whole file may be asked for */
    ANSWER_ERROR,     /* 'e' says what */
};

/* 'ret_size' is the size of the whole file, 0 where the answer does not say; 'e' is filled for ANSWER_ERROR
 * and (as the reason) for ANSWER_AGAIN. */
enum answer_meaning answer_meaning(const struct question *q, const struct answer *a, uint64_t *ret_size,
                                   struct error *e);

/* The error for a status that is no success; 0 for 2xx. */
int answer_status_error(unsigned status, struct error *e);

/* Seconds of a Retry-After header, at most 60; 0 when absent, or a date. */
unsigned answer_retry_after(const char *value);
