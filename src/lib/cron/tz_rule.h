/* Parses and evaluates the rules of time zones that the variable TZ of POSIX has. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/basic/error.h"

enum tz_day_form {
    TZ_DAY_JULIAN,   /* "J60": 1 to 365; February 29 is not counted */
    TZ_DAY_OF_YEAR,  /* "59": 0 to 365 */
    TZ_DAY_OF_MONTH, /* "M3.5.0": month, week (5: the last), day of the week */
};

/* When daylight saving time begins or ends in a year. */
struct tz_change {
    enum tz_day_form form;
    int month, week, day;
    int32_t time; /* seconds after midnight, local time before the change; can be negative */
};

struct tz_rule {
    int32_t standard, daylight; /* seconds east of UTC */
    bool has_daylight;          /* else the last three are not used */
    struct tz_change begin, end;
};

/* Returns 0 or −EINVAL (refused). The hours of 'time' can be from −167 to 167, as in the zone database. */
int tz_rule_parse(const char *text, struct tz_rule *ret, struct error *e);

/* The same as tz_offset(). */
int32_t tz_rule_offset(const struct tz_rule *rule, int64_t t, int64_t *ret_until);
