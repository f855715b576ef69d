/* Tests cron expressions, and local times of rules and of files of the zone database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs these headers before it */
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/cron/calendar.h"
#include "lib/cron/duration.h"
#include "lib/cron/next.h"

#define BERLIN  "CET-1CEST,M3.5.0,M10.5.0/3"
#define HOWE    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
#define HAVANA  "CST5CDT,M3.2.0/0,M11.1.0/1"
#define ANDORRA "WET0WEST,M3.5.0/-1,M10.5.0"

/* Reads "2026-12-01 03:04:05" as UTC. */
static int64_t at(const char *text)
{
    int y, mo, d, h = 0, mi = 0, s = 0;
    assert_true(sscanf(text, "%d-%d-%d %d:%d:%d", &y, &mo, &d, &h, &mi, &s) >= 3);
    return calendar_days(y, mo, d) * SECONDS_OF_DAY + h * 3600 + mi * 60 + s;
}

static const char *text_of(int64_t t)
{
    static char text[64];
    int64_t day = calendar_day_of(t);
    struct date date = calendar_date(day);
    int second = (int)(t - day * SECONDS_OF_DAY);
    if (t == CRON_NEVER)
        return "never";
    (void)snprintf(text, sizeof text, "%04" PRId64 "-%02d-%02d %02d:%02d:%02d", date.year, date.month,
                   date.day, second / 3600, second / 60 % 60, second % 60);
    return text;
}

static void test_the_calendar_converts_both_ways(void **state)
{
    (void)state;
    assert_int_equal(calendar_days(1970, 1, 1), 0);
    assert_int_equal(calendar_days(2000, 2, 29), 11016);
    assert_int_equal(calendar_days(1969, 12, 31), -1);
    assert_int_equal(calendar_weekday(calendar_days(2026, 12, 1)), 2);
    assert_int_equal(calendar_weekday(-1), 3);
    assert_int_equal(calendar_day_of(-1), -1);
    int64_t year = 1600;
    int month = 1, day = 1;
    for (int64_t days = calendar_days(1600, 1, 1); days < calendar_days(2410, 1, 1); days++) {
        struct date date = calendar_date(days);
        assert_true(date.year == year && date.month == month && date.day == day);
        assert_int_equal(calendar_days(year, month, day), days);
        if (++day > calendar_month_length(year, month)) {
            day = 1;
            if (++month > 12) {
                month = 1;
                year++;
            }
        }
    }
}

static void test_durations_have_the_form_of_go(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds; /* or the error */
    } cases[] = {
        {"90s", 90},       {"1h30m", 5400},        {"1.5h", 5400},
        {"0.1h", 360},     {"1500ms", 1},          {"1ns", 1},
        {"1µs1us1ms", 1},  {"+2m", 120},           {".5m", 30},
        {"1.m", 60},       {"0", -ERANGE},         {"0s", -ERANGE},
        {"-5s", -ERANGE},  {"99999999h", -ERANGE}, {"", -EINVAL},
        {"5", -EINVAL},    {"s", -EINVAL},         {"5 s", -EINVAL},
        {"1d", -EINVAL},   {"-", -EINVAL},         {".s", -EINVAL},
        {"1h30", -EINVAL}, {"1e3s", -EINVAL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t seconds = 0;
        int r = duration_parse(cases[i].text, &seconds);
        if ((r < 0 ? r : seconds) != cases[i].seconds)
            fail_msg("'%s' is %d, %" PRId64, cases[i].text, r, seconds);
    }
}

static void test_wrong_expressions_are_refused_with_the_column(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "column 1: there are 0 fields instead of five"},
        {"* * * *", "column 1: there are 4 fields"},
        {"* * * * * * *", "column 1: there are 7 fields"},
        {"60 * * * *", "column 1: '60' is no minute from 0 to 59"},
        {"* 24 * * *", "column 3: '24' is no hour from 0 to 23"},
        {"* * 0 * *", "column 5: '0' is no day of the month from 1 to 31"},
        {"* * 32 * *", "column 5: '32' is no day of the month"},
        {"* * * 13 *", "column 7: '13' is no month from 1 to 12"},
        {"* * * * 8", "column 9: '8' is no day of the week from 0 to 6"},
        {"60 * * * * *", "column 1: '60' is no second from 0 to 59"},
        {"* * * foo *", "column 7: 'foo' is no month"},
        {"* * * january *", "column 7: 'january' is no month"},
        {"jan * * * *", "column 1: 'jan' is no minute"},
        {"1,2,x * * * *", "column 5: 'x' is no minute"},
        {"1- * * * *", "column 3: '' is no minute"},
        {"-1 * * * *", "column 1: '' is no minute"},
        {"1-2-3 * * * *", "column 3: '2-3' is no minute"},
        {"*-5 * * * *", "column 1: '*' is no minute"},
        {"5-3 * * * *", "column 1: '5-3' ends before it begins"},
        {"* * * * sat-sun", "column 9: 'sat-sun' ends before it begins"},
        {"*/0 * * * *", "column 3: '0' is no step"},
        {"*/-1 * * * *", "column 3: '-1' is no step"},
        {"*/ * * * *", "column 3: '' is no step"},
        {"1/2/3 * * * *", "column 3: '2/3' is no step"},
        {"+1 * * * *", "column 1: '+1' is no minute"},
        {", * * * *", "column 1: ',' contains no value"},
        {"99999999999999999999 * * * *", "column 1: '99999999999999999999' is no minute"},
        {"0 0 31 2 *", "column 1: '0 0 31 2 *' never matches"},
        {"0 0 0 30,31 2 ?", "column 1: '0 0 0 30,31 2 ?' never matches"},
        {"TZ=UTC 0 0 31 4,6,9,11 *", "column 8: '0 0 31 4,6,9,11 *' never matches"},
        {"@Daily", "column 1: '@Daily' is none of @yearly"},
        {"@dailyx", "column 1: '@dailyx' is none of"},
        {"@daily *", "column 8: '*' follows the end"},
        {"@every", "column 7: '' is no duration, such as 1h30m"},
        {"@every 5", "column 8: '5' is no duration, such as"},
        {"@every 0s", "column 8: '0s' is no duration from 1 s to 100 years"},
        {"@every 1h 2m", "column 11: '2m' follows the end"},
        {"TZ=/etc/passwd * * * * *", "column 4: '/etc/passwd' is no name of a time zone"},
        {"TZ=../x * * * * *", "column 4: '../x' is no name of a time zone"},
        {"CRON_TZ=a!b * * * * *", "column 9: 'a!b' is no name of a time zone"},
        {"TZ=CET-1CEST,M3.5.0 * * * * *", "column 4: 'CET-1CEST,M3.5.0' does not say when"},
        {"TZ=Europe/Berlin", "column 17: there are 0 fields"},
        {"tz=UTC * * * * *", "column 1: 'tz=UTC' is no second"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cron cron;
        struct error e = ERROR_INIT;
        if (cron_parse(cases[i][0], &cron, &e) != -EINVAL || !after_prefix(e.message, cases[i][1]))
            fail_msg("'%s': %s", cases[i][0], e.message);
    }
    struct cron cron;
    struct error e = ERROR_INIT;
    _cleanup_free_ char *longest = xcalloc(CRON_TEXT_MAX + 2, 1);
    memset(longest, '*', CRON_TEXT_MAX + 1);
    assert_int_equal(cron_parse(longest, &cron, &e), -EINVAL);
    assert_non_null(strstr(e.message, "longer than 1024 bytes"));
}

/* Checks the times after 'after'; both are local times of the rule without its changes, that is UTC plus
 * 'offset' hours, or UTC if the expression has no zone. */
static void expect_times(const char *expression, const char *after, const char *const *times)
{
    struct cron cron;
    struct error e = ERROR_INIT;
    struct tz *tz = NULL;
    if (cron_parse(expression, &cron, &e) < 0 ||
        (!streq(cron.zone, "") && !streq(cron.zone, "UTC") && tz_parse_rule(cron.zone, &tz, &e) < 0))
        fail_msg("'%s': %s", expression, e.message);
    int64_t t = at(after);
    for (; *times; times++) {
        t = cron_next(&cron, tz, t);
        if (!streq(text_of(t), *times))
            fail_msg("'%s' after %s: %s, not %s", expression, after, text_of(t), *times);
    }
    tz_free(tz);
}

static void test_the_next_times_of_expressions(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *after, *times[4];
    } cases[] = {
        {"* * * * *", "2026-12-01 00:00:00", {"2026-12-01 00:01:00", "2026-12-01 00:02:00"}},
        {"* * * * * *", "2026-12-31 23:59:58", {"2026-12-31 23:59:59", "2027-01-01 00:00:00"}},
        {"  */15\t*  * * * ", "2026-12-01 00:44:59", {"2026-12-01 00:45:00", "2026-12-01 01:00:00"}},
        {"20-35/15 * * * *", "2026-12-01 00:20:00", {"2026-12-01 00:35:00", "2026-12-01 01:20:00"}},
        {"5/20 * * * *", "2026-12-01", {"2026-12-01 00:05:00", "2026-12-01 00:25:00", "2026-12-01 00:45:00"}},
        {"15/35 20-35/15 1/2 */2 * *",
         "2026-07-09 23:35:51",
         {"2026-07-11 01:20:15", "2026-07-11 01:20:50", "2026-07-11 01:35:15"}},
        {"0 12 * jan,JUL mon-Fri", "2026-07-31 12:00", {"2027-01-01 12:00:00", "2027-01-04 12:00:00"}},
        {"30 8 ? jul sun", "2026-07-01", {"2026-07-05 08:30:00"}},
        {"0 0 1,15 * sun",
         "2026-12-01",
         {"2026-12-06 00:00:00", "2026-12-13 00:00:00", "2026-12-15 00:00:00"}},
        /* "*" and "?" let the other field decide; a step makes it a restriction. */
        {"0 0 1-31 * sun", "2026-12-01", {"2026-12-02 00:00:00"}},
        {"0 0 */10 * sun",
         "2026-12-01",
         {"2026-12-06 00:00:00", "2026-12-11 00:00:00", "2026-12-13 00:00:00"}},
        {"0 0 */1 * sun", "2026-12-01", {"2026-12-06 00:00:00", "2026-12-13 00:00:00"}},
        {"0 0 *,5 * sun", "2026-12-01", {"2026-12-06 00:00:00", "2026-12-13 00:00:00"}},
        {"0 0 * * */2", "2026-12-01", {"2026-12-03 00:00:00", "2026-12-05 00:00:00", "2026-12-06 00:00:00"}},
        /* 7 is Sunday. */
        {"0 0 * * 7", "2026-12-01", {"2026-12-06 00:00:00", "2026-12-13 00:00:00"}},
        {"0 0 * * 6-7", "2026-12-01", {"2026-12-05 00:00:00", "2026-12-06 00:00:00", "2026-12-12 00:00:00"}},
        {"1,,2, * * * *", "2026-12-01 00:01:00", {"2026-12-01 00:02:00", "2026-12-01 01:01:00"}},
        {"0 0 31 * *", "2026-03-31", {"2026-05-31 00:00:00", "2026-07-31 00:00:00", "2026-08-31 00:00:00"}},
        {"0 0 29 2 *", "2026-12-01", {"2028-02-29 00:00:00", "2032-02-29 00:00:00"}},
        {"0 0 29 2 *", "2096-03-01", {"2104-02-29 00:00:00"}},
        {"0 0 31 2 mon", "2026-12-01", {"2027-02-01 00:00:00"}},
        {"@yearly", "2026-12-01", {"2027-01-01 00:00:00"}},
        {"@annually", "2026-12-01", {"2027-01-01 00:00:00"}},
        {"@monthly", "2026-12-01", {"2027-01-01 00:00:00", "2027-02-01 00:00:00"}},
        {"@weekly", "2026-12-01", {"2026-12-06 00:00:00", "2026-12-13 00:00:00"}},
        {"@daily", "2026-12-01", {"2026-12-02 00:00:00"}},
        {"@midnight", "2026-12-01", {"2026-12-02 00:00:00"}},
        {"@hourly", "2026-12-01", {"2026-12-01 01:00:00"}},
        {"0 0 1 1 *", "1969-12-31 23:59:58", {"1970-01-01 00:00:00"}},
        {"0 0 * * *", "1901-02-27", {"1901-02-28 00:00:00", "1901-03-01 00:00:00"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        expect_times(cases[i].expression, cases[i].after, cases[i].times);
}

static void test_a_skipped_time_does_not_match_and_a_repeated_one_matches_twice(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *after, *times[4]; /* UTC */
    } cases[] = {
        /* Berlin: 02:00 becomes 03:00 at 01:00 UTC on 2026-03-29, and 03:00 becomes 02:00 on 2026-10-25. */
        {"TZ=" BERLIN " 30 2 * * *", "2026-03-28 00:00", {"2026-03-28 01:30:00", "2026-03-30 00:30:00"}},
        {"TZ=" BERLIN " 0 3 * * *", "2026-03-28 03:00", {"2026-03-29 01:00:00", "2026-03-30 01:00:00"}},
        {"CRON_TZ=" BERLIN " 30 * * * *", "2026-03-29 00:00", {"2026-03-29 00:30:00", "2026-03-29 01:30:00"}},
        {"TZ=" BERLIN " 30 2 * * *",
         "2026-10-24 12:00",
         {"2026-10-25 00:30:00", "2026-10-25 01:30:00", "2026-10-26 01:30:00"}},
        {"TZ=" BERLIN " @hourly", "2026-10-25 00:00", {"2026-10-25 01:00:00", "2026-10-25 02:00:00"}},
        {"TZ=" BERLIN " 0 0 29 2 *", "2026-01-01", {"2028-02-28 23:00:00"}},
        /* Lord Howe: by half an hour. */
        {"TZ=" HOWE " 15 2 * * *", "2026-10-03 00:00", {"2026-10-04 15:15:00", "2026-10-05 15:15:00"}},
        {"TZ=" HOWE " 45 1 4,5 4 *",
         "2026-04-03 00:00",
         {"2026-04-03 14:45:00", "2026-04-04 14:45:00", "2026-04-04 15:15:00"}},
        /* Havana has no midnight in spring and two of them in autumn. */
        {"TZ=" HAVANA " @daily", "2026-03-07 12:00", {"2026-03-09 04:00:00"}},
        {"TZ=" HAVANA " 0 9 8 3 *", "2026-01-01", {"2026-03-08 13:00:00"}},
        {"TZ=" HAVANA " @daily", "2026-10-31 12:00", {"2026-11-01 04:00:00", "2026-11-01 05:00:00"}},
        {"TZ=" ANDORRA " 0 23 * * *", "2026-03-28 00:00", {"2026-03-29 22:00:00"}},
        {"TZ=<-0330>3:30 0 0 * * *", "2026-12-01", {"2026-12-01 03:30:00"}},
        {"TZ=NPT-5:45 0 0 * * *", "2026-12-01", {"2026-12-01 18:15:00"}},
        /* A day of the year, with and without February 29; daylight saving time all year. */
        {"TZ=AAA0BBB,J60/0,J61/0 0 1 * 3 *", "2028-02-29", {"2028-03-01 00:00:00", "2028-03-02 01:00:00"}},
        {"TZ=AAA0BBB,59/0,60/0 0 1 * 2,3 *",
         "2028-02-28 12:00",
         {"2028-02-29 00:00:00", "2028-03-01 01:00:00"}},
        {"TZ=XXX3EDT4,0/0,J365/23 0 0 * * *",
         "2026-12-31 00:00",
         {"2026-12-31 04:00:00", "2027-01-01 04:00:00"}},
        {"TZ= 0 0 * * *", "2026-12-01", {"2026-12-02 00:00:00"}},
        /* A change that is before its year: on 2029-12-27 for 2030. */
        {"TZ=AAA3:30BBB2,0/-99,364/26 0 0 28 12 *", "2028-12-31 04:00", {"2029-12-28 02:00:00"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        expect_times(cases[i].expression, cases[i].after, cases[i].times);
}

static void test_an_expression_names_its_zone(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"* * * * *", ""},
        {"TZ=Local * * * * *", ""},
        {"TZ=UTC * * * * *", "UTC"},
        {" CRON_TZ=America/Argentina/Buenos_Aires @every 5s", "America/Argentina/Buenos_Aires"},
        {"TZ=Etc/GMT+5 * * * * *", "Etc/GMT+5"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cron cron;
        assert_int_equal(cron_parse(cases[i][0], &cron, NULL), 0);
        assert_string_equal(cron.zone, cases[i][1]);
    }
}

static void test_wrong_rules_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "AB0",
                                        "CET",
                                        "CET25",
                                        "CET-1CEST",
                                        "<>0",
                                        "<+03-3",
                                        "CET-1CEST,",
                                        "CET-1x",
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M13.5.0,M10.5.0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "CET-1CEST,M3.5.7,M10.5.0",
                                        "CET-1CEST,J0,J1",
                                        "CET-1CEST,366,1",
                                        "CET-1CEST,M3.5.0/168,M10.5.0",
                                        "CET-1CEST,M3.5.0,M10.5.0/3x",
                                        "CET-1:60"};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct tz *tz = NULL;
        struct error e = ERROR_INIT;
        if (tz_parse_rule(cases[i], &tz, &e) != -EINVAL)
            fail_msg("'%s' is accepted", cases[i]);
    }
}

/* A file of the zone database: transitions to two local times, +1 h and +2 h. */
struct file {
    char data[1024];
    size_t size;
};

static void put(struct file *file, uint64_t value, size_t bytes)
{
    while (bytes-- > 0)
        file->data[file->size++] = bytes < sizeof value ? (char)(value >> 8 * bytes) : 0;
}

static void put_block(struct file *file, char version, size_t time_size, const int64_t *times, size_t n)
{
    memcpy(file->data + file->size, "TZif", 4);
    file->data[file->size + 4] = version;
    file->size += 20;
    put(file, 0, 12);
    put(file, n, 4);
    put(file, 2, 4);
    put(file, 8, 4);
    for (size_t i = 0; i < n; i++)
        put(file, (uint64_t)times[i], time_size);
    for (size_t i = 0; i < n; i++)
        put(file, (i + 1) % 2, 1);
    put(file, 3600, 4);
    put(file, 0, 2);
    put(file, 7200, 4);
    put(file, 0x0104, 2);
    memcpy(file->data + file->size, "AAA\0BBB", 8);
    file->size += 8;
}

static int32_t offset_at(const struct file *file, int64_t t, int64_t *ret_until)
{
    struct tz *tz = NULL;
    struct error e = ERROR_INIT;
    if (tz_parse_file(file->data, file->size, &tz, &e) < 0)
        fail_msg("%s", e.message);
    int32_t offset = tz_offset(tz, t, ret_until);
    tz_free(tz);
    return offset;
}

static void test_files_of_all_versions_are_read(void **state)
{
    (void)state;
    static const int64_t old[] = {100, 200}, new[] = {INT64_C(-5000000000), 100, 300};
    int64_t until;
    struct file one = {.size = 0}, two = {.size = 0};
    put_block(&one, 0, 4, old, 2);
    assert_int_equal(offset_at(&one, 99, &until), 3600);
    assert_int_equal(until, 100);
    assert_int_equal(offset_at(&one, 100, &until), 7200);
    assert_int_equal(until, 200);
    assert_int_equal(offset_at(&one, 200, &until), 3600);
    assert_true(until == INT64_MAX);

    put_block(&two, '2', 4, old, 2);
    put_block(&two, '2', 8, new, 3);
    struct file ruled = two;
    memcpy(two.data + two.size, "\n\n", 2);
    two.size += 2;
    assert_int_equal(offset_at(&two, INT64_C(-5000000001), &until), 3600);
    assert_int_equal(offset_at(&two, 0, &until), 7200);
    assert_int_equal(offset_at(&two, 299, &until), 3600);
    assert_int_equal(offset_at(&two, 1000, &until), 7200);
    memcpy(ruled.data + ruled.size, "\n" BERLIN "\n", strlen(BERLIN) + 2);
    ruled.size += strlen(BERLIN) + 2;
    assert_int_equal(offset_at(&ruled, at("2100-07-01"), &until), 7200);
    assert_int_equal(offset_at(&ruled, at("2100-12-01"), &until), 3600);
    assert_int_equal(until, at("2101-03-27 01:00"));
}

/* Where the second block begins in a file with two transitions. */
#define SECOND 74

static void test_damaged_files_are_refused(void **state)
{
    (void)state;
    static const int64_t times[] = {100, 200};
    struct file whole = {.size = 0};
    put_block(&whole, '3', 4, times, 2);
    put_block(&whole, '3', 8, times, 2);
    memcpy(whole.data + whole.size, "\n" BERLIN "\n", strlen(BERLIN) + 2);
    whole.size += strlen(BERLIN) + 2;
    struct tz *tz = NULL;
    struct error e = ERROR_INIT;
    assert_int_equal(tz_parse_file(whole.data, whole.size, &tz, &e), 0);
    tz_free(tz);
    /* Every cut. The copy has exactly its size, so that a sanitizer finds each read beyond. */
    for (size_t size = 0; size < whole.size; size++) {
        _cleanup_free_ char *cut = xcalloc(size + 1, 1);
        char *exact = xrealloc(cut, 1, size > 0 ? size : 1);
        cut = exact;
        memcpy(cut, whole.data, size);
        assert_int_equal(tz_parse_file(cut, size, &tz, &e), -EINVAL);
    }
    static const struct {
        size_t at;
        uint8_t value;
        const char *message;
    } changes[] = {
        {0, 'X', "this is no file of the zone database"},
        {32, 0xff, "the file is damaged: it is shorter"},
        {SECOND + 28 + 3, 1, "its times count leap seconds"},
        {SECOND + 36 + 3, 0, "the file is damaged: it has no local time"},
        {SECOND + 44 + 7, 250, "the file is damaged: its transitions are not in order"},
        {SECOND + 44 + 16, 2, "the file is damaged: a transition has no local time"},
        {SECOND + 44 + 18, 0x7f, "the file is damaged: a local time is more than a day"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        struct file file = whole;
        file.data[changes[i].at] = (char)changes[i].value;
        /* Room for what the changed counts claim. */
        if (tz_parse_file(file.data, i == 2 || i == 3 ? file.size + 100 : file.size, &tz, &e) != -EINVAL ||
            !strstr(e.message, changes[i].message))
            fail_msg("change %zu: %s", i, e.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_calendar_converts_both_ways),
        cmocka_unit_test(test_durations_have_the_form_of_go),
        cmocka_unit_test(test_wrong_expressions_are_refused_with_the_column),
        cmocka_unit_test(test_the_next_times_of_expressions),
        cmocka_unit_test(test_a_skipped_time_does_not_match_and_a_repeated_one_matches_twice),
        cmocka_unit_test(test_an_expression_names_its_zone),
        cmocka_unit_test(test_wrong_rules_are_refused),
        cmocka_unit_test(test_files_of_all_versions_are_read),
        cmocka_unit_test(test_damaged_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
