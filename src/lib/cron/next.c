/* Implements next.h. Between two changes of the offset local time is a calendar without gaps; each such span
 * is searched by itself. */
#include "lib/cron/next.h"

#include <stdbool.h>

#include "lib/cron/calendar.h"

/* Between two days of February 29 can be eight years. */
#define SEARCH_SECONDS (12LL * 366 * SECONDS_OF_DAY)

static bool has(uint64_t set, int value)
{
    return set >> value & 1;
}

static bool day_matches(const struct cron *cron, int64_t days, const struct date *date)
{
    bool of_month = has(cron->days, date->day), of_week = has(cron->weekdays, calendar_weekday(days));
    return cron->both_days ? of_month && of_week : of_month || of_week;
}

/* Returns the first matching second of a day from 'second' on, or −1. */
static int next_in_day(const struct cron *cron, int second)
{
    int from_hour = second / 3600, from_minute = second / 60 % 60;
    for (int hour = from_hour; hour < 24; hour++) {
        if (!has(cron->hours, hour))
            continue;
        for (int minute = hour == from_hour ? from_minute : 0; minute < 60; minute++) {
            if (!has(cron->minutes, minute))
                continue;
            bool same = hour == from_hour && minute == from_minute;
            for (int s = same ? second % 60 : 0; s < 60; s++)
                if (has(cron->seconds, s))
                    return hour * 3600 + minute * 60 + s;
        }
    }
    return -1;
}

/* Returns the first matching local time from 'from' on and before 'end', as seconds since 1970, or
 * CRON_NEVER. */
static int64_t next_local(const struct cron *cron, int64_t from, int64_t end)
{
    int64_t day = calendar_day_of(from);
    int second = (int)(from - day * SECONDS_OF_DAY);
    while (day * SECONDS_OF_DAY + second < end) {
        struct date date = calendar_date(day);
        if (!has(cron->months, date.month)) {
            day += calendar_month_length(date.year, date.month) - date.day + 1;
            second = 0;
            continue;
        }
        int found = day_matches(cron, day, &date) ? next_in_day(cron, second) : -1;
        if (found >= 0) {
            int64_t at = day * SECONDS_OF_DAY + found;
            return at < end ? at : CRON_NEVER;
        }
        day++;
        second = 0;
    }
    return CRON_NEVER;
}

int64_t cron_next(const struct cron *cron, const struct tz *tz, int64_t after)
{
    int64_t end = after + SEARCH_SECONDS;
    for (int64_t t = after + 1; t < end;) {
        int64_t until;
        int32_t offset = tz_offset(tz, t, &until);
        if (until > end)
            until = end;
        int64_t local = next_local(cron, t + offset, until + offset);
        if (local != CRON_NEVER)
            return local - offset;
        t = until;
    }
    return CRON_NEVER;
}
