/* Fuzzes cron expressions and files of time zones. The input begins with a byte: bit 0 says that a file
 * follows the expression, after a zero byte; bit 1, that the rest is a rule of TZ. Each found time is after
 * the one before, matches the expression, and is the same when it is searched from the second before it. */
#include "fuzz.h"
#include "lib/cron/calendar.h"
#include "lib/cron/next.h"
#include "lib/cron/tz_rule.h"

#define START INT64_C(1796083200)

static void check_offsets(const struct tz *tz)
{
    int64_t t = START;
    for (int i = 0; i < 20; i++) {
        int64_t until, again;
        int32_t offset = tz_offset(tz, t, &until);
        must(offset >= -90000 && offset <= 100000);
        must(until > t);
        if (until == INT64_MAX)
            return;
        must(tz_offset(tz, until - 1, &again) == offset && again == until);
        t = until;
    }
}

static void check_match(const struct cron *cron, const struct tz *tz, int64_t t)
{
    int64_t until, local = t + tz_offset(tz, t, &until), day = calendar_day_of(local);
    struct date date = calendar_date(day);
    int second = (int)(local - day * SECONDS_OF_DAY);
    bool of_month = cron->days >> date.day & 1, of_week = cron->weekdays >> calendar_weekday(day) & 1;
    must(cron->months >> date.month & 1);
    must(cron->both_days ? of_month && of_week : of_month || of_week);
    must(cron->hours >> second / 3600 & 1);
    must(cron->minutes >> second / 60 % 60 & 1);
    must(cron->seconds >> second % 60 & 1);
    must(cron_next(cron, tz, t - 1) == t);
}

static void check_times(const char *text, const struct tz *tz)
{
    struct cron cron;
    struct error e = ERROR_INIT;
    if (cron_parse(text, &cron, &e) < 0) {
        must(*e.message);
        return;
    }
    must(cron.every >= 0 && strlen(cron.zone) < sizeof cron.zone);
    if (cron.every > 0)
        return;
    int64_t t = START;
    for (int i = 0; i < 5 && t != CRON_NEVER; i++) {
        int64_t next = cron_next(&cron, tz, t);
        must(next > t);
        if (next != CRON_NEVER)
            check_match(&cron, tz, next);
        t = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = ERROR_INIT;
    struct tz *tz = NULL;
    if (size == 0)
        return 0;
    char *text = text_of(data + 1, size - 1);
    size_t length = strlen(text);
    bool more = length + 1 < size;
    if (more && data[0] & 1) {
        /* A copy of exactly this size: a read beyond is found. */
        size_t rest = size - length - 2;
        char *file = malloc(rest > 0 ? rest : 1);
        must(file);
        memcpy(file, data + length + 2, rest);
        (void)tz_parse_file(file, rest, &tz, &e);
        free(file);
    } else if (more && data[0] & 2) {
        (void)tz_parse_rule(text + length + 1, &tz, &e);
    }
    if (tz)
        check_offsets(tz);
    check_times(text, tz);
    tz_free(tz);
    free(text);
    return 0;
}
