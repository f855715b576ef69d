/* Implements tz_rule.h. */
#include "lib/cron/tz_rule.h"

#include <ctype.h>
#include <errno.h>

#include "lib/cron/calendar.h"

#define HOUR 3600

/* Skips the name of a kind of time: three letters or more, or anything in <>. */
static bool skip_name(const char **at)
{
    const char *begin = *at;
    if (*begin == '<') {
        while (**at && **at != '>')
            (*at)++;
        if (!**at)
            return false;
        (*at)++;
        return *at - begin >= 5;
    }
    while (isalpha((unsigned char)**at))
        (*at)++;
    return *at - begin >= 3;
}

/* Reads a number of at most three digits. */
static bool read_number(const char **at, int min, int max, int *ret)
{
    const char *begin = *at;
    int number = 0;
    for (; isdigit((unsigned char)**at) && *at - begin < 3; (*at)++)
        number = number * 10 + (**at - '0');
    *ret = number;
    return *at > begin && number >= min && number <= max;
}

/* Reads "[+-]hh[:mm[:ss]]". */
static bool read_time(const char **at, int max_hours, int32_t *ret)
{
    int sign = **at == '-' ? -1 : 1, hours, minutes = 0, seconds = 0;
    *at += **at == '-' || **at == '+';
    if (!read_number(at, 0, max_hours, &hours))
        return false;
    if (**at == ':') {
        (*at)++;
        if (!read_number(at, 0, 59, &minutes))
            return false;
        if (**at == ':') {
            (*at)++;
            if (!read_number(at, 0, 59, &seconds))
                return false;
        }
    }
    *ret = sign * (hours * HOUR + minutes * 60 + seconds);
    return true;
}

static bool skip(const char **at, char c)
{
    bool found = **at == c;
    *at += found;
    return found;
}

static bool read_change(const char **at, struct tz_change *ret)
{
    *ret = (struct tz_change){.form = TZ_DAY_OF_YEAR, .time = 2 * HOUR};
    bool valid;
    if (skip(at, 'M')) {
        ret->form = TZ_DAY_OF_MONTH;
        valid = read_number(at, 1, 12, &ret->month) && skip(at, '.') && read_number(at, 1, 5, &ret->week) &&
                skip(at, '.') && read_number(at, 0, 6, &ret->day);
    } else if (skip(at, 'J')) {
        ret->form = TZ_DAY_JULIAN;
        valid = read_number(at, 1, 365, &ret->day);
    } else {
        valid = read_number(at, 0, 365, &ret->day);
    }
    return valid && (!skip(at, '/') || read_time(at, 167, &ret->time));
}

int tz_rule_parse(const char *text, struct tz_rule *ret, struct error *e)
{
    const char *at = text;
    struct tz_rule rule = {0};
    if (!skip_name(&at) || !read_time(&at, 24, &rule.standard))
        return error_refuse(e, EINVAL, "'%.64s' is not a name and an offset, such as CET-1", text);
    rule.standard = -rule.standard;
    rule.daylight = rule.standard + HOUR;
    rule.has_daylight = *at != '\0';
    if (!rule.has_daylight) {
        *ret = rule;
        return 0;
    }
    if (!skip_name(&at))
        return error_refuse(e, EINVAL, "'%.64s': the name of the daylight saving time is wrong", text);
    if (*at != ',') {
        if (!read_time(&at, 24, &rule.daylight))
            return error_refuse(e, EINVAL, "'%.64s': the offset of the daylight saving time is wrong", text);
        rule.daylight = -rule.daylight;
    }
    if (!skip(&at, ',') || !read_change(&at, &rule.begin) || !skip(&at, ',') ||
        !read_change(&at, &rule.end) || *at)
        return error_refuse(e, EINVAL,
                            "'%.64s' does not say when daylight saving time begins and ends, such as "
                            "CET-1CEST,M3.5.0,M10.5.0/3",
                            text);
    *ret = rule;
    return 0;
}

/* Returns the unix time of a change in a year, if local time is UTC plus 'offset' before. */
static int64_t change_time(const struct tz_change *change, int64_t year, int32_t offset)
{
    int64_t day = calendar_days(year, 1, 1);
    switch (change->form) {
    case TZ_DAY_JULIAN:
        day += change->day - 1 + (calendar_is_leap(year) && change->day >= 60);
        break;
    case TZ_DAY_OF_YEAR:
        day += change->day;
        break;
    case TZ_DAY_OF_MONTH: {
        int64_t first = calendar_days(year, change->month, 1);
        int of_month = (change->day - calendar_weekday(first) + 7) % 7 + (change->week - 1) * 7;
        day = first + of_month - (of_month >= calendar_month_length(year, change->month) ? 7 : 0);
        break;
    }
    }
    return day * SECONDS_OF_DAY + change->time - offset;
}

int32_t tz_rule_offset(const struct tz_rule *rule, int64_t t, int64_t *ret_until)
{
    *ret_until = INT64_MAX;
    if (!rule->has_daylight)
        return rule->standard;
    int64_t year = calendar_date(calendar_day_of(t)).year, last = INT64_MIN;
    int32_t offset = rule->standard;
    /* Changes can be a week before or after their year, by their times; the next and the last one can both be
     * so. If two changes are at one time, that to daylight saving time is the later one, which lasts all
     * year. */
    for (int64_t y = year - 2; y <= year + 2; y++) {
        int64_t ends = change_time(&rule->end, y, rule->daylight);
        int64_t begins = change_time(&rule->begin, y, rule->standard);
        const struct {
            int64_t at;
            int32_t offset;
        } changes[] = {{ends, rule->standard}, {begins, rule->daylight}};
        for (int i = 0; i < 2; i++)
            if (changes[i].at > t) {
                if (changes[i].at < *ret_until)
                    *ret_until = changes[i].at;
            } else if (changes[i].at > last || (i == 1 && changes[i].at == last)) {
                last = changes[i].at;
                offset = changes[i].offset;
            }
    }
    return offset;
}
