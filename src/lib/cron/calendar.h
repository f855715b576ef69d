/* Converts between dates of the Gregorian calendar and days since 1970-01-01, also before 1970. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SECONDS_OF_DAY 86400

struct date {
    int64_t year;
    int month, day; /* from 1 */
};

int64_t calendar_days(int64_t year, int month, int day);
struct date calendar_date(int64_t days);

/* Returns 0 for Sunday to 6 for Saturday. */
int calendar_weekday(int64_t days);

bool calendar_is_leap(int64_t year);
int calendar_month_length(int64_t year, int month);

/* Divides and rounds towards minus infinity: the day of a second before 1970. */
int64_t calendar_day_of(int64_t seconds);
