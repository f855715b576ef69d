/* Implements cron.h. Everything that robfig/cron accepts by design is accepted; 7 is Sunday besides, as in
 * other crons. What it accepts by accident ("*-5", signs) is refused. */
#include "lib/cron/cron.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "lib/basic/cleanup.h"
#include "lib/cron/calendar.h"
#include "lib/cron/duration.h"
#include "lib/cron/tz_rule.h"

/* A field: its values, and the words for its error messages. */
struct field {
    const char *what;
    int min, max; /* of "*" */
    int highest;  /* that can be written */
    const char *names;
};

enum { SECONDS, MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS, _FIELDS };

static const struct field fields[_FIELDS] = {
    [SECONDS] = {"second", 0, 59, 59, ""},
    [MINUTES] = {"minute", 0, 59, 59, ""},
    [HOURS] = {"hour", 0, 23, 23, ""},
    [DAYS] = {"day of the month", 1, 31, 31, ""},
    [MONTHS] = {"month", 1, 12, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    [WEEKDAYS] = {"day of the week", 0, 6, 7, "sunmontuewedthufrisat"},
};

/* The text that is parsed. */
struct input {
    const char *text, *at;
};

static size_t column(const struct input *in, const char *at)
{
    return (size_t)(at - in->text) + 1;
}

/* Refuses the 'n' bytes at 'at'. */
static int refuse(const struct input *in, const char *at, size_t n, struct error *e, const char *why)
{
    return error_refuse(e, EINVAL, "column %zu: '%.*s' %s", column(in, at), (int)(n > 64 ? 64 : n), at, why);
}

static bool is_blank(char c)
{
    return isspace((unsigned char)c);
}

static void skip_blanks(struct input *in)
{
    while (is_blank(*in->at))
        in->at++;
}

/* Returns the length of the word at 'at'. */
static size_t word_length(const char *at)
{
    size_t n = 0;
    while (at[n] && !is_blank(at[n]))
        n++;
    return n;
}

/* Returns the value of a name of three letters, or −1. */
static int find_name(const struct field *field, const char *at, size_t n)
{
    for (int i = 0; n == 3 && field->names[3 * i]; i++)
        if (strncasecmp(field->names + 3 * i, at, 3) == 0)
            return field->min + i;
    return -1;
}

/* Reads the value in [at, end): a number or a name. */
static int read_value(const struct input *in, const struct field *field, const char *at, const char *end,
                      int *ret, struct error *e)
{
    size_t n = (size_t)(end - at);
    int value = find_name(field, at, n);
    for (size_t i = 0; value < 0 && i < n; i++)
        if (!isdigit((unsigned char)at[i])) {
            _cleanup_free_ char *why = xasprintf("is no %s", field->what);
            return refuse(in, at, n, e, why);
        }
    if (value < 0) {
        int64_t number = -1;
        _cleanup_free_ char *text = xstrndup(at, n);
        _cleanup_free_ char *why = xasprintf("is no %s from %d to %d", field->what, field->min, field->max);
        if (parse_int64(text, field->min, field->highest, &number) < 0)
            return refuse(in, at, n, e, why);
        value = (int)number;
    }
    *ret = value;
    return 0;
}

static int read_step(const struct input *in, const char *at, const char *end, int *ret, struct error *e)
{
    int64_t step;
    _cleanup_free_ char *text = xstrndup(at, (size_t)(end - at));
    if (!isdigit((unsigned char)*text) || parse_int64(text, 1, INT32_MAX, &step) < 0)
        return refuse(in, at, (size_t)(end - at), e, "is no step, a number from 1");
    *ret = (int)step;
    return 0;
}

static const char *find_char(const char *at, const char *end, char c)
{
    return memchr(at, c, (size_t)(end - at));
}

/* Reads one item of a list, "*", "5", "mon-fri", each with or without "/STEP", and adds its values to *set.
 */
static int read_item(const struct input *in, const struct field *field, const char *at, const char *end,
                     uint64_t *set, bool *star, struct error *e)
{
    const char *slash = find_char(at, end, '/'), *range_end = slash ?: end;
    int first = field->min, last = field->max, step = 1, r = 0;
    bool all = range_end - at == 1 && (*at == '*' || *at == '?');
    if (slash && (r = read_step(in, slash + 1, end, &step, e)) < 0)
        return r;
    if (!all) {
        const char *dash = find_char(at, range_end, '-');
        r = read_value(in, field, at, dash ?: range_end, &first, e);
        if (r == 0 && dash)
            r = read_value(in, field, dash + 1, range_end, &last, e);
        if (r < 0)
            return r;
        /* "5/10" is "5-59/10". */
        if (!dash)
            last = slash && first <= field->max ? field->max : first;
        if (first > last)
            return refuse(in, at, (size_t)(range_end - at), e, "ends before it begins");
    }
    for (int64_t value = first; value <= last; value += step)
        *set |= UINT64_C(1) << (value > field->max ? field->min : value);
    *star = *star || (all && step == 1);
    return 0;
}

/* Reads a field, a list. Empty items are ignored, as robfig/cron does. */
static int read_field(struct input *in, int which, uint64_t *set, bool *star, struct error *e)
{
    const char *begin = in->at, *end = begin + word_length(begin);
    *set = 0;
    *star = false;
    for (const char *at = begin; at < end;) {
        const char *comma = find_char(at, end, ',') ?: end;
        int r = comma == at ? 0 : read_item(in, &fields[which], at, comma, set, star, e);
        if (r < 0)
            return r;
        at = comma + 1;
    }
    if (*set == 0)
        return refuse(in, begin, (size_t)(end - begin), e, "contains no value");
    in->at = end;
    skip_blanks(in);
    return 0;
}

/* Reports whether a day in both sets of a month exists in some year. */
static bool has_day(const struct cron *cron)
{
    for (int month = 1; month <= 12; month++)
        for (int day = 1; day <= calendar_month_length(2000, month); day++)
            if (cron->months >> month & 1 && cron->days >> day & 1)
                return true;
    return false;
}

static int read_fields(struct input *in, struct cron *cron, struct error *e)
{
    int n = 0;
    const char *begin = in->at;
    for (struct input words = *in; *words.at; n++) {
        words.at += word_length(words.at);
        skip_blanks(&words);
    }
    if (n != _FIELDS - 1 && n != _FIELDS)
        return error_refuse(
            e, EINVAL,
            "column %zu: there are %d fields instead of five (minute, hour, day of the month, "
            "month, day of the week), or six with the second first, or a word such as '@daily'",
            column(in, begin), n);
    uint64_t sets[_FIELDS] = {[SECONDS] = 1};
    bool stars[_FIELDS] = {false};
    for (int i = n == _FIELDS ? SECONDS : MINUTES; i < _FIELDS; i++) {
        int r = read_field(in, i, &sets[i], &stars[i], e);
        if (r < 0)
            return r;
    }
    cron->seconds = sets[SECONDS];
    cron->minutes = sets[MINUTES];
    cron->hours = (uint32_t)sets[HOURS];
    cron->days = (uint32_t)sets[DAYS];
    cron->months = (uint32_t)sets[MONTHS];
    cron->weekdays = (uint32_t)sets[WEEKDAYS];
    cron->both_days = stars[DAYS] || stars[WEEKDAYS];
    if (cron->both_days && !has_day(cron))
        return error_refuse(e, EINVAL, "column %zu: '%.64s' never matches: these months have no such day",
                            column(in, begin), begin);
    return 0;
}

/* Reads one of the words that begin with "@". */
static int read_word(const struct input *in, struct cron *cron, struct error *e)
{
    static const struct {
        const char *word, *fields;
    } words[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
                 {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
                 {"@hourly", "0 * * * *"}};
    size_t n = word_length(in->at);
    struct input rest = {in->text, in->at + n};
    skip_blanks(&rest);
    if (n == strlen("@every") && after_prefix(in->at, "@every")) {
        _cleanup_free_ char *text = xstrndup(rest.at, word_length(rest.at));
        int r = duration_parse(text, &cron->every);
        if (r == -ERANGE)
            return refuse(in, rest.at, strlen(text), e, "is no duration from 1 s to 100 years");
        if (r < 0)
            return refuse(in, rest.at, strlen(text), e, "is no duration, such as 1h30m or 90s");
        rest.at += strlen(text);
        skip_blanks(&rest);
        return *rest.at ? refuse(in, rest.at, strlen(rest.at), e, "follows the end of the expression") : 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (n == strlen(words[i].word) && after_prefix(in->at, words[i].word)) {
            struct input expanded = {words[i].fields, words[i].fields};
            if (*rest.at)
                return refuse(in, rest.at, strlen(rest.at), e, "follows the end of the expression");
            return read_fields(&expanded, cron, e);
        }
    return refuse(in, in->at, n, e,
                  "is none of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly and @every");
}

/* Reports whether this is a relative path without "..", as all names of time zones are. */
static bool is_zone_name(const char *name)
{
    if (*name == '/' || strstr(name, ".."))
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_+-/.", *name))
            return false;
    return true;
}

/* Reads "TZ=ZONE" or "CRON_TZ=ZONE" before the fields. */
static int read_zone(struct input *in, struct cron *cron, struct error *e)
{
    const char *zone = after_prefix(in->at, "TZ=") ?: after_prefix(in->at, "CRON_TZ=");
    if (!zone)
        return 0;
    size_t n = word_length(zone);
    _cleanup_free_ char *name = xstrndup(zone, n);
    if (n >= sizeof cron->zone)
        return refuse(in, zone, n, e, "is longer than a name of a time zone");
    if (strpbrk(name, ",<:")) {
        struct tz_rule rule;
        struct error detail = ERROR_INIT;
        if (tz_rule_parse(name, &rule, &detail) < 0)
            return error_refuse(e, EINVAL, "column %zu: %s", column(in, zone), detail.message);
    } else if (!is_zone_name(name)) {
        return refuse(in, zone, n, e, "is no name of a time zone, such as Europe/Berlin");
    }
    /* As in the Go language. */
    const char *meant = n == 0 ? "UTC" : streq(name, "Local") ? "" : name;
    memcpy(cron->zone, meant, strlen(meant) + 1);
    in->at = zone + n;
    skip_blanks(in);
    return 0;
}

int cron_parse(const char *text, struct cron *ret, struct error *e)
{
    struct input in = {text, text};
    struct cron cron = {0};
    if (strlen(text) > CRON_TEXT_MAX)
        return error_refuse(e, EINVAL, "the expression is longer than %d bytes", CRON_TEXT_MAX);
    skip_blanks(&in);
    int r = read_zone(&in, &cron, e);
    if (r == 0)
        r = *in.at == '@' ? read_word(&in, &cron, e) : read_fields(&in, &cron, e);
    if (r == 0)
        *ret = cron;
    return r;
}
