/* Implements calendar.h. Years are counted from March, so that the day of a leap year is the last one. */
#include "lib/cron/calendar.h"

#define DAYS_OF_400_YEARS 146097
/* from 0000-03-01 to 1970-01-01 */
#define DAYS_TO_1970 719468

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t calendar_day_of(int64_t seconds)
{
    return floor_div(seconds, SECONDS_OF_DAY);
}

/* Returns the days from March 1 to the first day of a month; 0 is March. */
static int days_before(int month)
{
    return (153 * month + 2) / 5;
}

int64_t calendar_days(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400), of_era = year - era * 400;
    int64_t days = of_era * 365 + of_era / 4 - of_era / 100 + days_before((month + 9) % 12) + day - 1;
    return era * DAYS_OF_400_YEARS + days - DAYS_TO_1970;
}

struct date calendar_date(int64_t days)
{
    days += DAYS_TO_1970;
    int64_t era = floor_div(days, DAYS_OF_400_YEARS), of_era = days - era * DAYS_OF_400_YEARS;
    /* Without the leap days of 4, 100 and 400 years, each year has 365 days. */
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = (int)(of_era - (365 * year + year / 4 - year / 100));
    int month = (5 * of_year + 2) / 153;
    struct date date = {.year = era * 400 + year, .day = of_year - days_before(month) + 1};
    date.month = month < 10 ? month + 3 : month - 9;
    date.year += date.month <= 2;
    return date;
}

int calendar_weekday(int64_t days)
{
    /* 1970-01-01 was a Thursday. */
    return (int)(days + 4 - floor_div(days + 4, 7) * 7);
}

bool calendar_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int calendar_month_length(int64_t year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return lengths[month - 1] + (month == 2 && calendar_is_leap(year));
}
