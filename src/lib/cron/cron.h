/* Parses cron expressions with the meaning that robfig/cron of the Go language gives them, which the contract
 * refers to: see cron(7)'s fields in hostlet-manifest(5). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/basic/error.h"

/* bytes, with the final NUL; the longest name of a zone has 32 */
#define CRON_ZONE_SIZE 64
/* bytes of an expression; more are refused */
#define CRON_TEXT_MAX 1024

struct cron {
    /* "@every": seconds, at least 1, and the other members are not used; 0: a time of the calendar. */
    int64_t every;
    /* Sets: bit N stands for the value N. */
    uint64_t seconds, minutes;
    uint32_t hours, days, months, weekdays;
    /* The field for days of the month or of the week contains "*" or "?": then a day must be in both sets,
     * else in one of them. */
    bool both_days;
    char zone[CRON_ZONE_SIZE]; /* a name or a rule of TZ (tz.h); "": local time */
};

/* Parses an expression. Returns 0 or −EINVAL (refused) with the column, from 1, of the first error in the
 * message; also for an expression that never matches, such as the 31st of February. */
int cron_parse(const char *text, struct cron *ret, struct error *e);
