/* Forms of values; see output.h. */
#include "ctl/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"

bool output_is_live(FILE *out)
{
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(out)) && !(none && *none) && term && !streq(term, "dumb");
}

const char *output_colour(FILE *out, enum colour colour)
{
    static const char *const sequences[] = {"\033[0m",  "\033[1m",  "\033[2m",
                                            "\033[32m", "\033[33m", "\033[31m"};
    return output_is_live(out) ? sequences[colour] : "";
}

char *format_size(int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
        value /= 1024;
        unit++;
    }
    return unit == 0 ? xasprintf("%" PRId64 " B", bytes) : xasprintf("%.1f %s", value, units[unit]);
}

char *format_duration(int64_t msec)
{
    int64_t s = msec / 1000;
    if (msec < 1000)
        return xasprintf("%" PRId64 " ms", msec > 0 ? msec : 0);
    if (s < 60)
        return xasprintf("%.1f s", (double)msec / 1000);
    if (s < 3600)
        return xasprintf("%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    if (s < 86400)
        return xasprintf("%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
    return xasprintf("%" PRId64 " d %" PRId64 " h", s / 86400, s / 3600 % 24);
}

char *format_time(int64_t unix_msec)
{
    time_t seconds = (time_t)(unix_msec / 1000);
    struct tm tm;
    char text[64];
    if (unix_msec == 0 || !localtime_r(&seconds, &tm) || strftime(text, sizeof text, "%F %T", &tm) == 0)
        return xstrdup("-");
    return xstrdup(text);
}

char *format_safe(const char *text)
{
    char *copy = xstrdup(text ?: "");
    for (unsigned char *c = (unsigned char *)copy; *c; c++) {
        bool c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0; /* control characters beyond ASCII, in UTF-8 */
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
        else if (c1)
            c[0] = c[1] = '?';
    }
    return copy;
}

char *format_first_line(const char *text)
{
    size_t n = strcspn(text ?: "", "\n");
    _cleanup_free_ char *first = xstrndup(text ?: "", n), *safe = format_safe(first);
    return text && text[n] && text[n + 1] ? xasprintf("%s …", safe) : TAKE_PTR(safe);
}

char *format_other_lines(const char *text, const char *indent)
{
    char *all = xstrdup("");
    for (const char *c = strchr(text ?: "", '\n'); c && c[1]; c = strchr(c, '\n')) {
        size_t n = strcspn(++c, "\n");
        _cleanup_free_ char *line = xstrndup(c, n), *safe = format_safe(line), *before = all;
        all = xasprintf("%s%s%s\n", before, indent, safe);
    }
    return all;
}

size_t text_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void print_json(json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
    json_decref(json);
}
