/* Computes the local time of a time zone, from a file of the zone database (TZif, RFC 9636) or from a rule in
 * the form of the variable TZ of POSIX. Pure functions; musl reads no rules from such files' ends. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/basic/error.h"

/* bytes of a file; the largest of the database have less than 4 KiB */
#define TZ_FILE_MAX ((size_t)64 << 10)

struct tz;

/* Parses a file of versions 1 to 4. Returns 0 or −EINVAL with what is wrong in it. The caller frees *ret. */
int tz_parse_file(const char *data, size_t size, struct tz **ret, struct error *e);

/* Makes a time zone of a rule, such as "CET-1CEST,M3.5.0,M10.5.0/3". Returns 0 or −EINVAL. The caller frees
 * *ret. */
int tz_parse_rule(const char *text, struct tz **ret, struct error *e);

/* Returns what is added to a unix time for local time, in seconds. *ret_until is the first unix time after
 * 't' from which this is not known to be valid; INT64_MAX: always. NULL is UTC. */
int32_t tz_offset(const struct tz *tz, int64_t t, int64_t *ret_until);

void tz_free(struct tz *tz);
